"""Whom a failure resembles: influential samples of its predicted and of its true label."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy import stats
from torch import Tensor

from rnnrepair.analysis.finished_run import FinishedRun
from rnnrepair.analysis.study import StudyResult
from rnnrepair.errors import ConfigurationError
from rnnrepair.influence import Distance, TraceIndex, step_distance
from rnnrepair.seeding import derive_seed, torch_generator
from rnnrepair.traces import Traces

BOOTSTRAPS = 1000
# Share of targets with a cut between equally near samples from which the reader is warned.
MANY_EQUALS = 0.2


class FaultMetrics:
    """Fault metrics 1 to 3, and a sign test of the paper's hypothesis for every failure.

    The hypothesis: a failure has more influential training samples of the predicted label than
    of its true one. Failures and benign inputs come from the test split; nothing is repaired or
    chosen by them.

    Source: RNNRepair, appendix A.3.2; seed report, section 5.3; experiments reference 5.
    """

    name = "faults"

    def __init__(
        self,
        n_components: Sequence[int] = (7, 16, 25, 43, 61),
        top: int = 100,
        benign: int = 200,
        distance: str = Distance.PAPER,
    ) -> None:
        """Set up the study.

        Args:
            n_components: every K.
            top: influential samples looked at.
            benign: correctly classified inputs drawn for comparison.
            distance: see ``Distance``.

        Raises:
            ConfigurationError: a value out of range.
        """
        if not n_components or min(n_components) < 1 or top < 1 or benign < 1:
            raise ConfigurationError(
                "study.faults.n_components, .top and .benign must be at least 1, got "
                f"{list(n_components)}, {top} and {benign}."
            )
        if distance not in set(Distance):
            raise ConfigurationError(
                f"study.faults.distance must be one of {[d.value for d in Distance]}, got "
                f"{distance!r}."
            )
        self.n_components = list(n_components)
        self.top = top
        self.benign = benign
        self.distance = distance

    def check(self, run: FinishedRun) -> None:
        """Refuse a K that cannot be fitted, and more samples than there are."""
        run.check_sizes(self.n_components, "study.faults.n_components")
        n_fit = len(run.data.split_index("fit"))
        if self.top >= n_fit:
            raise ConfigurationError(
                f"study.faults.top={self.top} leaves none of the {n_fit} training samples out: "
                "lower it."
            )

    def __call__(self, run: FinishedRun) -> StudyResult:
        """Rank the training samples for every target, for every K."""
        run.check_distinct(self.n_components, "study.faults.n_components")
        curves, hypothesis = [], []
        for n_components in run.progress(self.n_components, "Fault metrics"):
            model, traces = run.abstraction(n_components)
            test = traces["test"]
            n_steps = max(int(t.lengths.max()) for t in traces.values())
            index = TraceIndex(traces["fit"], step_distance(model, self.distance), n_steps)
            failures = test.select(~test.correct)
            if len(failures) == 0:
                return StudyResult({}, ["The network has no failures on the test split."])
            near = _Neighbours.of(index, failures, self.top)
            seed = derive_seed(run.settings.seed, "faults", n_components)
            lines = {
                "fault_truth": _metrics(near, failures.label, seed),
                "fault_pred": _metrics(near, failures.final_prediction, seed),
            }
            drawn = test.select(draw_benign(test, self.benign, run.settings.seed))
            lines["benign_truth"] = _metrics(
                _Neighbours.of(index, drawn, self.top), drawn.label, seed
            )
            curves += [line.assign(K=n_components, line=name) for name, line in lines.items()]
            hypothesis += _hypothesis(near, failures, n_components, seed)
        table = pd.DataFrame(hypothesis)
        return StudyResult(
            {"faults": pd.concat(curves, ignore_index=True), "hypothesis": table},
            _conclusion(table, self.top),
        )


class _Neighbours:
    """Labels and distances of the nearest training samples of M targets."""

    def __init__(self, label: Tensor, distance: Tensor, beyond: Tensor) -> None:
        self.label = label
        self.distance = distance
        # Distances of the samples that come next, to see where a cut falls between equals.
        self.beyond = beyond

    @classmethod
    def of(cls, index: TraceIndex, targets: Traces, top: int) -> "_Neighbours":
        ranking = index.rank(targets, top + 1)
        return cls(
            index.traces.label[ranking.row[:, :top]],
            ranking.distance[:, :top],
            ranking.distance[:, 1:],
        )

    def cut_between_equals(self, n: int) -> float:
        """Return the share of targets whose n-th and next sample are equally near."""
        return float((self.distance[:, n - 1] == self.beyond[:, n - 1]).double().mean())


def draw_benign(test: Traces, n: int, seed: int) -> Tensor:
    """Draw the (n,) rows of correctly classified inputs, without replacement."""
    rows = test.correct.nonzero()[:, 0]
    order = torch.randperm(len(rows), generator=torch_generator(seed, "benign"))
    return rows[order[:n]].sort().values


def _metrics(near: _Neighbours, label: Tensor, seed: int) -> pd.DataFrame:
    """Metrics 1 to 3 for n = 1 .. top, with bootstrap intervals over targets.

    Metric 1: share of targets with at least one sample of the label among the n nearest; metric
    2: mean share of such samples; metric 3: mean distance of such samples, over the targets that
    have one.
    """
    of_label = (near.label == label[:, None]).double()
    count = of_label.cumsum(1)
    n = torch.arange(1, count.shape[1] + 1)
    found = (count > 0).double()
    mean_distance = (of_label * near.distance).cumsum(1) / count.clamp_min(1)
    values = {
        "metric_1": (found, torch.ones_like(found)),
        "metric_2": (count / n, torch.ones_like(found)),
        "metric_3": (mean_distance * found, found),
    }
    columns: dict[str, Any] = {"n": n.numpy()}
    rng = np.random.default_rng(seed)
    draws = torch.from_numpy(rng.multinomial(len(label), [1 / len(label)] * len(label), BOOTSTRAPS))
    for name, (value, weight) in values.items():
        columns[name] = (value.sum(0) / weight.sum(0)).numpy()
        # A resampling is a weight for every target: all of them are one matrix product.
        resampled = (draws.double() @ value) / (draws.double() @ weight)
        low, high = np.nanquantile(resampled.numpy(), [0.025, 0.975], axis=0)
        columns |= {f"{name}_low": low, f"{name}_high": high}
    return pd.DataFrame(columns)


def _hypothesis(
    near: _Neighbours, failures: Traces, n_components: int, seed: int
) -> list[dict[str, Any]]:
    """Share of failures with more samples of the predicted label, for several n."""
    predicted = (near.label == failures.final_prediction[:, None]).cumsum(1)
    true = (near.label == failures.label[:, None]).cumsum(1)
    rng = np.random.default_rng(seed)
    rows = []
    for n in sorted({1, 10, 50, near.label.shape[1]}):
        if n > near.label.shape[1]:
            continue
        margin = (predicted[:, n - 1] - true[:, n - 1]).numpy()
        holds = margin > 0
        draws = rng.integers(len(holds), size=(BOOTSTRAPS, len(holds)))
        low, high = np.quantile(holds[draws].mean(1), [0.025, 0.975])
        rows.append(
            {
                "K": n_components,
                "n": n,
                "failures": len(holds),
                "holds": holds.mean(),
                "low": low,
                "high": high,
                "ties": (margin == 0).mean(),
                "opposite": (margin < 0).mean(),
                "margin": (margin / n).mean(),
                "cut_between_equals": near.cut_between_equals(n),
                "p": sign_test(int(holds.sum()), int((margin < 0).sum())),
            }
        )
    return rows


def sign_test(more: int, less: int) -> float:
    """Return the two-sided p-value of a sign test; ties are left out.

    Example:
        >>> sign_test(9, 1)
        0.021484375
    """
    return float(stats.binomtest(more, more + less).pvalue) if more + less else 1.0


def _conclusion(table: pd.DataFrame, top: int) -> list[str]:
    rows = table[table["n"] == top]
    told = [
        f"K = {row.K}: among the {top} most influential samples, {row.holds:.1%} "
        f"({row.low:.1%} .. {row.high:.1%}) of the {row.failures} failures have more of the "
        f"predicted than of the true label, {row.opposite:.1%} fewer (sign test p = {row.p:.2g})."
        for row in rows.itertuples()
    ]
    equals = rows["cut_between_equals"].max()
    if equals > MANY_EQUALS:
        told.append(
            f"CAUTION: for up to {equals:.0%} of the failures the {top}-th sample and the next are "
            "equally near, so that the order of the data decides which are counted. Traces of one "
            "step share their prediction with most of what is near, whatever the labels."
        )
    return told
