"""The training samples that failures resemble most, as people see or read them."""

from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from rnnrepair.errors import Fault, SettingsError
from rnnrepair.influence import TraceIndex, step_distance
from rnnrepair.protocols import names_of_samples
from rnnrepair.sequences import Kind, Names, SequenceBatch
from rnnrepair.settings import Count, check_settings
from rnnrepair.studies.faults import draw_benign
from rnnrepair.studies.finished_run import FinishedRun
from rnnrepair.studies.study import StudyResult
from rnnrepair.studies.yardsticks import last_states
from rnnrepair.traces import Traces


class InfluentialSamples:
    """For some failures of the test split, the most influential training samples.

    Traces of one step leave many training samples at the same distance. Those are put in the
    order of their distance in the reduced space that the states were found in.

    Source: student report, sections 5.4 and 6.5.
    """

    name = "influential"

    def __init__(self, n_components: Count = 30, top: Count = 20, failures: Count = 8) -> None:
        """Keep the settings.

        Args:
            n_components: K.
            top: training samples shown for each failure.
            failures: the first so many of the test split.

        Raises:
            SettingsError: a value out of range.
        """
        check_settings(InfluentialSamples, locals())
        self.n_components = n_components
        self.top = top
        self.failures = failures

    def check(self, run: FinishedRun) -> None:
        """Refuse more samples or states than there are."""
        run.check_sizes([self.n_components], "InfluentialSamples.n_components")
        n_fit = len(run.data.indices("fit"))
        if self.top > n_fit:
            told = f"{self.top} is more than the {n_fit} training samples: lower it"
            raise SettingsError("InfluentialSamples", [Fault("top", told)])

    def __call__(self, run: FinishedRun) -> StudyResult:
        """Rank the training samples for each failure."""
        run.check_distinct([self.n_components], "InfluentialSamples.n_components")
        model, traces = run.abstraction(self.n_components)
        fit, test = traces["fit"], traces["test"]
        wrong = (~test.correct).nonzero()[:, 0]
        if len(wrong) == 0:
            return StudyResult({}, ["The network has no failures on the test split."])
        n_steps = max(int(t.lengths.max()) for t in (fit, test))
        index_of_fit = TraceIndex(fit, step_distance(model, "aligned"), n_steps)
        ends = {split: last_states(run, split) for split in ("fit", "test")}

        def nearest_of(rows: Tensor) -> Tensor:
            distance = index_of_fit.distances(test.select(rows))
            return torch.stack(
                [
                    nearest(distance[:, i], ends["fit"], ends["test"][row], self.top)
                    for i, row in enumerate(rows.tolist())
                ]
            )

        shown, near = wrong[: self.failures], nearest_of(wrong)
        right = draw_benign(test, len(wrong), run.settings.seed)
        near_right = nearest_of(right)
        index = torch.cat(
            [
                torch.cat([test.index[row : row + 1], fit.index[near[i]]])
                for i, row in enumerate(shown.tolist())
            ]
        )
        samples = run.data.fetch(index)
        table = self._table(run, test.select(shown), index, samples)
        predicted = _agreement(fit.label[near], test.final_prediction[wrong])
        own = _agreement(fit.label[near], test.label[wrong])
        benign = _agreement(fit.label[near_right], test.label[right])
        return StudyResult(
            {"influential": table},
            [
                f"Of the {self.top} nearest training samples of {len(wrong)} test failures, "
                f"{predicted:.1%} carry the predicted label and {own:.1%} their own one; of those "
                f"of as many correctly classified inputs, {benign:.1%} carry their label."
            ],
            # Texts stand in the table.
            pictures={} if "text" in table else {"influential": samples.inputs},
        )

    def _table(
        self, run: FinishedRun, failures: Traces, index: Tensor, samples: SequenceBatch
    ) -> pd.DataFrame:
        """Return a row for each of the M failures, and one for each training sample behind it.

        Args:
            run: whose data say what samples and classes are called.
            failures: M.
            index: (M * (top + 1),) of each failure and its samples, in this order.
            samples: the same.
        """
        spec, called = run.data.spec, names_of_samples(run.data)
        names = Names.of(spec)
        of_failure = torch.arange(len(failures)).repeat_interleave(self.top + 1)
        label = {
            "label": samples.label,
            "true": failures.label[of_failure],
            "predicted": failures.final_prediction[of_failure],
        }
        failure = failures.index[of_failure]
        columns: dict[str, Any] = {
            "kind": spec.kind.value,
            "failure": failure.tolist(),
            "failure_name": called.of(failure),
            "rank": list(range(self.top + 1)) * len(failures),
            "sample": index.tolist(),
            "sample_name": called.of(index),
        }
        columns |= {name: number.tolist() for name, number in label.items()}
        columns |= {
            f"{name}_name": [names.of_class(c) for c in number.tolist()]
            for name, number in label.items()
        }
        columns |= {"n_steps": samples.lengths.tolist(), "picture": range(len(index))}
        if spec.kind == Kind.TOKENS:
            columns["text"] = [names.text_of(text) for text in samples.sequences()]
        return pd.DataFrame(columns)


def _agreement(label: Tensor, wanted: Tensor) -> float:
    """Return the share of (M, top) labels that are the wanted ones (M,)."""
    return float((label == wanted[:, None]).double().mean())


def nearest(distance: Tensor, ends: Tensor, end: Tensor, top: int) -> Tensor:
    """Return the (top,) rows of smallest distance, ties in the order of their ends.

    Args:
        distance: (N,) between traces.
        ends: (N, k) reduced states that the traces end in.
        end: (k,) that of the query.
        top: how many.
    """
    apart = (ends - end).square().sum(1)
    order = np.lexsort((apart.numpy(), distance.numpy()))
    return torch.from_numpy(order[:top])
