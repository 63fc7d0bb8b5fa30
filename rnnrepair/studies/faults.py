"""Whom a failure resembles: influential samples of its predicted and of its true label."""

from typing import Annotated, Any

import numpy as np
import pandas as pd
import torch
from scipy import stats
from torch import Tensor

from rnnrepair.errors import Fault, SettingsError
from rnnrepair.influence import Distance, TraceIndex, step_distance
from rnnrepair.seeding import derive_seed, torch_generator
from rnnrepair.settings import Count, Counts, check_settings, one_of
from rnnrepair.studies.finished_run import FinishedRun
from rnnrepair.studies.study import StudyResult
from rnnrepair.studies.yardsticks import RankedLabels, yardsticks
from rnnrepair.traces import Traces

BOOTSTRAPS = 1000
# What the rows of the trace distance say in the column ``yardstick``.
TRACE = "trace"
# Share of targets with a cut between equally near samples from which the reader is warned.
MANY_EQUALS = 0.2


class FaultMetrics:
    """Fault metrics 1 to 3, and a sign test of the paper's hypothesis for every failure.

    The hypothesis: a failure has more influential training samples of the predicted label than
    of its true one. Samples that are near by other yardsticks may show it too (see
    ``yardsticks``: the inputs alone, the last state as its k principal components, any sample
    with the same final prediction), so that the share among those stands beside it. Failures and
    benign inputs come from the test split; nothing is repaired or chosen by them.

    Source: RNNRepair, appendix A.3.2; student report, section 5.3; the yardsticks are ours.
    """

    name = "faults"

    def __init__(
        self,
        n_components: Counts = (7, 16, 25, 43, 61),
        top: Count = 100,
        benign: Count = 200,
        distance: Annotated[str, one_of(Distance)] = Distance.ALIGNED,
    ) -> None:
        """Keep the settings.

        Args:
            n_components: every K.
            top: influential samples looked at.
            benign: correctly classified inputs drawn for comparison.
            distance: see ``Distance``.

        Raises:
            SettingsError: a value out of range.
        """
        check_settings(FaultMetrics, locals())
        self.n_components = list(n_components)
        self.top = top
        self.benign = benign
        self.distance = distance

    def check(self, run: FinishedRun) -> None:
        """Refuse a K that cannot be fitted, and more samples than there are."""
        run.check_sizes(self.n_components, "FaultMetrics.n_components")
        n_fit = len(run.data.indices("fit"))
        if self.top >= n_fit:
            told = f"{self.top} leaves none of the {n_fit} training samples out: lower it"
            raise SettingsError("FaultMetrics", [Fault("top", told)])

    def __call__(self, run: FinishedRun) -> StudyResult:
        """Rank the training samples for every target, for every K."""
        run.check_distinct(self.n_components, "FaultMetrics.n_components")
        seed = run.settings.seed
        curves, hypothesis = [], []
        for n_components in run.progress(self.n_components, "Fault metrics"):
            model, traces = run.abstraction(n_components)
            fit, test = traces["fit"], traces["test"]
            failures = test.select(~test.correct)
            if len(failures) == 0:
                return StudyResult({}, ["The network has no failures on the test split."])
            n_steps = max(int(t.lengths.max()) for t in (fit, test))
            index = TraceIndex(fit, step_distance(model, self.distance), n_steps, seed)
            near = RankedLabels.of(index.rank(failures, self.top + 1), fit)
            benign = test.select(draw_benign(test, self.benign, seed))
            near_benign = RankedLabels.of(index.rank(benign, self.top + 1), fit)
            draws = derive_seed(seed, "faults", n_components)
            lines = {
                "fault_truth": _metrics(near, failures.label, draws),
                "fault_pred": _metrics(near, failures.final_prediction, draws),
                "benign_truth": _metrics(near_benign, benign.label, draws),
            }
            curves += [line.assign(K=n_components, line=name) for name, line in lines.items()]
            hypothesis += [
                {"K": n_components, "yardstick": TRACE} | row
                for row in _hypothesis(near, failures, draws)
            ]
        for name, near in yardsticks(run, self.top).items():
            # They know no K: the same for every one.
            rows = _hypothesis(near, failures, derive_seed(seed, "faults", name))
            hypothesis += [
                {"K": k, "yardstick": name} | row for k in self.n_components for row in rows
            ]
        table = pd.DataFrame(hypothesis)
        return StudyResult(
            {"faults": pd.concat(curves, ignore_index=True), "hypothesis": table},
            _conclusion(table, self.top),
        )


def draw_benign(test: Traces, n: int, seed: int) -> Tensor:
    """Draw the (n,) rows of correctly classified inputs, without replacement."""
    rows = test.correct.nonzero()[:, 0]
    order = torch.randperm(len(rows), generator=torch_generator(seed, "benign"))
    return rows[order[:n]].sort().values


def _metrics(near: RankedLabels, label: Tensor, seed: int) -> pd.DataFrame:
    """Metrics 1 to 3 for n = 1 .. top, with bootstrap intervals over targets.

    Metric 1: share of targets with at least one sample of the label among the n nearest; metric
    2: mean share of such samples; metric 3: mean distance of such samples, over the targets that
    have one.
    """
    of_label = (near.label == label[:, None]).double()
    count = of_label.cumsum(1)
    n = torch.arange(1, count.shape[1] + 1)
    found = (count > 0).double()
    mean_distance = (of_label * near.distance[:, :-1]).cumsum(1) / count.clamp_min(1)
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


def _hypothesis(near: RankedLabels, failures: Traces, seed: int) -> list[dict[str, Any]]:
    """Share of failures with more samples of the predicted label, for several n."""
    predicted = (near.label == failures.final_prediction[:, None]).cumsum(1)
    true = (near.label == failures.label[:, None]).cumsum(1)
    rng = np.random.default_rng(seed)
    rows = []
    for n in sorted({1, 10, 50, near.top}):
        if n > near.top:
            continue
        margin = (predicted[:, n - 1] - true[:, n - 1]).numpy()
        holds = margin > 0
        draws = rng.integers(len(holds), size=(BOOTSTRAPS, len(holds)))
        low, high = np.quantile(holds[draws].mean(1), [0.025, 0.975])
        rows.append(
            {
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
    by_trace = rows[rows["yardstick"] == TRACE]
    told = [
        f"K = {row.K}: among the {top} most influential samples, {_share(row)} of the "
        f"{row.failures} failures have more of the predicted than of their own label, "
        f"{row.opposite:.1%} fewer (sign test p = {row.p:.2g})."
        for row in by_trace.itertuples()
    ]
    others = rows[rows["yardstick"] != TRACE].drop_duplicates("yardstick")
    told.append(
        f"The same among {top} samples that are chosen without traces: "
        + "; ".join(f"{row.yardstick}: {_share(row)}" for row in others.itertuples())
        + ". What they show as well, traces do not explain."
    )
    equals = by_trace["cut_between_equals"].max()
    if equals > MANY_EQUALS:
        told.append(
            f"CAUTION: for up to {equals:.0%} of the failures the {top}-th sample and the next are "
            "equally near, so that chance decides which are counted. Traces of one step share "
            "their prediction with most of what is near, whatever the labels."
        )
    return told


def _share(row: Any) -> str:
    return f"{row.holds:.1%} ({row.low:.1%} .. {row.high:.1%})"
