"""Clusterings against each other: how far each scales, and what SimNN makes of it."""

import time
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import pandas as pd
import torch

from rnnrepair.abstraction import Clustering, fit_clustering
from rnnrepair.errors import Fault, SettingsError
from rnnrepair.seeding import torch_generator
from rnnrepair.settings import Count, Counts, above, check_settings, one_of
from rnnrepair.studies.feature_sets import FEATURE_SETS, feature_table
from rnnrepair.studies.finished_run import FinishedRun
from rnnrepair.studies.simnn import fit_simnn
from rnnrepair.studies.study import StudyResult

POINTS = (100, 200, 300, 400, 500, 1000, 3000, 10_000, 30_000, 100_000, 300_000, 1_000_000)


class ClusteringComparison:
    """Time against the number of states, accuracy for every feature set, and stability.

    Source: student report, sections 5.2 and 6.2; docs/method.md 8.2.
    """

    name = "clustering"

    def __init__(
        self,
        n_components: Count = 43,
        clusterings: Sequence[Annotated[str, one_of(Clustering)]] = tuple(Clustering),
        points: Counts = POINTS,
        timed_components: Count = 7,
        repeats: Count = 3,
        max_seconds: Annotated[float, above(0)] = 60,
        mean_shift_points: Count = 2000,
        seeds: Count = 3,
    ) -> None:
        """Choose what is compared.

        Args:
            n_components: K of the comparison of accuracies.
            clusterings: see ``Clustering``.
            points: numbers of states that are timed.
            timed_components: K of the timings.
            repeats: timings of every number; the median counts.
            max_seconds: a clustering is given no more points where its last fit, scaled linearly,
                would take longer.
            mean_shift_points: states that mean-shift is fitted on in the comparison of
                accuracies; the others get the sample that a run would take.
            seeds: partitions, each with a SimNN classifier of its own, for every feature set.

        Raises:
            SettingsError: a value out of range.
        """
        check_settings(ClusteringComparison, locals(), _enough_points)
        self.n_components = n_components
        self.clusterings = list(clusterings)
        self.points = sorted(points)
        self.timed_components = timed_components
        self.repeats = repeats
        self.max_seconds = max_seconds
        self.mean_shift_points = mean_shift_points
        self.seeds = seeds

    def check(self, run: FinishedRun) -> None:
        """Refuse a K that cannot be fitted."""
        run.check_points([self.n_components], "ClusteringComparison.n_components")
        run.check_points([self.timed_components], "ClusteringComparison.timed_components")

    def __call__(self, run: FinishedRun) -> StudyResult:
        """Time every clustering, then train SimNN on what it makes."""
        run.check_distinct([self.n_components], "ClusteringComparison.n_components")
        n_steps = len(run.states()["fit"].vector)
        if self.points[0] > n_steps:
            told = (
                f"they start at {self.points[0]}, but the training sequences have {n_steps} "
                "states: lower them"
            )
            raise SettingsError("ClusteringComparison", [Fault("points", told)])
        times = pd.DataFrame(
            [
                row
                for clustering in run.progress(self.clusterings, "Timing clusterings")
                for row in self._times(run, clustering)
            ]
        )
        quality = pd.DataFrame(
            [
                row
                for clustering in run.progress(self.clusterings, "SimNN on clusterings")
                for row in self._quality(run, clustering)
            ]
        )
        return StudyResult(
            {"clustering_time": times, "clustering_quality": quality}, _conclusion(times, quality)
        )

    def _times(self, run: FinishedRun, clustering: str) -> Iterator[dict[str, Any]]:
        vectors = run.states()["fit"].vector
        order = torch.randperm(len(vectors), generator=torch_generator(run.settings.seed, "timed"))
        last: tuple[int, float] | None = None
        for n in (n for n in self.points if n <= len(vectors)):
            if last is not None and last[1] * max(n / last[0], 1) > self.max_seconds:
                break
            sample = vectors[order[:n]]
            seconds = []
            for repeat in range(self.repeats):
                start = time.perf_counter()
                mixture = fit_clustering(clustering, sample, self.timed_components, repeat)
                seconds.append(time.perf_counter() - start)
                if seconds[0] > self.max_seconds / 10:
                    break
            last = (n, sorted(seconds)[len(seconds) // 2])
            yield {
                "clustering": clustering,
                "points": n,
                "seconds": last[1],
                "states": mixture.n_components,
            }

    def _quality(self, run: FinishedRun, clustering: str) -> Iterator[dict[str, Any]]:
        at_most = self.mean_shift_points if clustering == Clustering.MEAN_SHIFT else None
        seeds = [run.settings.seed + i for i in range(self.seeds)]
        found: dict[str, list[tuple[float, float]]] = {features: [] for features in FEATURE_SETS}
        models = []
        for seed in seeds:
            model, traces = run.abstraction(
                self.n_components, clustering=clustering, at_most=at_most, seed=seed
            )
            models.append(model)
            n_steps = max(int(t.lengths.max()) for t in traces.values())
            tables = [feature_table(model.confidence, features) for features in FEATURE_SETS]
            simnn = fit_simnn(traces["fit"], torch.stack(tables), [seed] * len(tables), n_steps)
            accuracies = (simnn.accuracy(traces[split]).tolist() for split in ("val", "test"))
            for features, *both in zip(FEATURE_SETS, *accuracies, strict=True):
                found[features].append((both[0], both[1]))
        stability = pd.DataFrame([vars(model.stability) for model in models])
        for features, accuracy in found.items():
            val, test = torch.tensor(accuracy, dtype=torch.float64).T
            yield {
                "clustering": clustering,
                "features": features,
                "val": float(val.mean()),
                "test": float(test.mean()),
                "test_sd": float(test.std()) if self.seeds > 1 else 0.0,
                "rnn_test": traces["test"].accuracy,
                "fitted_on": len(run.sample()[:at_most]),
                "states": sum(model.n_states for model in models) / len(models),
                "n_empty": stability["n_empty"].mean(),
                "stability": stability["mean"].mean(),
                "stability_weighted": stability["weighted_mean"].mean(),
            }


def _enough_points(points: Sequence[int], timed_components: int) -> str | None:
    if min(points) >= timed_components:
        return None
    return f"expected at least timed_components={timed_components}, got {min(points)}"


def _conclusion(times: pd.DataFrame, quality: pd.DataFrame) -> list[str]:
    reach = times.groupby("clustering", sort=False)["points"].max()
    top = quality[quality["features"] == "RL_ID_CS"].sort_values("test", ascending=False)
    return [
        "Most states fitted in time: "
        + ", ".join(f"{name} {count:,}" for name, count in reach.items())
        + ".",
        "SimNN on all features, test: "
        + ", ".join(f"{row.clustering} {row.test:.2%}" for row in top.itertuples())
        + ".",
    ]
