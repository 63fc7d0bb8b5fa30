"""Which part of a trace tells a network's behaviour: SimNN on feature sets and thresholds."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import pandas as pd

from rnnrepair.settings import Counts, ProperShare, at_least, check_settings
from rnnrepair.studies.feature_sets import FEATURE_SETS, Threshold, feature_table
from rnnrepair.studies.finished_run import FinishedRun
from rnnrepair.studies.simnn import fit_simnn
from rnnrepair.studies.study import StudyResult


class FeatureComparison:
    """SimNN on every feature set, with and without a confidence threshold, over seeds.

    Source: RNNRepair, section 4.1; student report, sections 5.1 and 6.1; docs/method.md 4.4
    and 4.5.
    """

    name = "features"

    def __init__(
        self,
        n_components: Counts = (7, 43),
        thresholds: Sequence[ProperShare] = (0.3,),
        seeds: Annotated[int, at_least(2)] = 10,
    ) -> None:
        """Choose what is compared.

        Args:
            n_components: every K.
            thresholds: confidences below are cut off, see ``Threshold``; besides none.
            seeds: SimNN classifiers for every setting.

        Raises:
            SettingsError: a value out of range.
        """
        check_settings(FeatureComparison, locals())
        self.n_components = list(n_components)
        self.thresholds = [
            Threshold(),
            *(
                Threshold(value, renormalise)
                for value in thresholds
                for renormalise in (False, True)
            ),
        ]
        self.seeds = seeds

    def check(self, run: FinishedRun) -> None:
        """Refuse a K that cannot be fitted."""
        run.check_sizes(self.n_components, "FeatureComparison.n_components")

    def __call__(self, run: FinishedRun) -> StudyResult:
        """Train SimNN on every setting."""
        settings = [
            (n_components, features, threshold)
            for n_components in self.n_components
            for features, columns in FEATURE_SETS.items()
            for threshold in self.thresholds
            # A threshold changes confidences only.
            if threshold.value == 0 or "CS" in columns
        ]
        run.check_distinct(self.n_components, "FeatureComparison.n_components")
        rows = list(self._rows(run, settings))
        table = pd.DataFrame(rows)
        return StudyResult({"features": table}, _conclusion(table))

    def _rows(
        self, run: FinishedRun, settings: Sequence[tuple[int, str, Threshold]]
    ) -> Iterator[dict[str, Any]]:
        known: int | None = None
        for n_components, features, threshold in run.progress(settings, "SimNN"):
            if n_components != known:
                known = n_components
                model, traces = run.abstraction(n_components)
                n_steps = max(int(t.lengths.max()) for t in traces.values())
            simnn = fit_simnn(
                traces["fit"],
                feature_table(model.confidence, features, threshold).expand(self.seeds, -1, -1),
                [run.settings.seed + i for i in range(self.seeds)],
                n_steps,
            )
            row: dict[str, Any] = {
                "K": n_components,
                "features": features,
                "threshold": threshold.name,
                "train": float(simnn.train_accuracy.mean()),
            }
            for split in ("val", "test"):
                accuracy = simnn.accuracy(traces[split])
                row |= {
                    split: float(accuracy.mean()),
                    f"{split}_sd": float(accuracy.std()),
                    f"rnn_{split}": traces[split].accuracy,
                }
            yield row


def _conclusion(table: pd.DataFrame) -> list[str]:
    told = []
    for n_components, part in table.groupby("K"):
        best = part.loc[part["val"].idxmax()]
        cut = "" if best["threshold"] == "none" else f" (threshold {best['threshold']})"
        told.append(
            f"K = {n_components}: {best['features']}{cut} is best on val, with {best['test']:.2%} "
            f"(sd {best['test_sd']:.2%}) on test; the network itself has {best['rnn_test']:.2%}."
        )
    return told
