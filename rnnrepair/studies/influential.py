"""The training samples that failures resemble most, as pictures."""

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from rnnrepair.errors import ConfigurationError, Fault, SettingsError
from rnnrepair.influence import TraceIndex, step_distance
from rnnrepair.protocols import names_of_samples
from rnnrepair.sequences import Kind
from rnnrepair.settings import Count, check_settings
from rnnrepair.studies.faults import draw_benign
from rnnrepair.studies.finished_run import FinishedRun
from rnnrepair.studies.study import StudyResult
from rnnrepair.studies.yardsticks import last_states


class InfluentialImages:
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
        check_settings(InfluentialImages, locals())
        self.n_components = n_components
        self.top = top
        self.failures = failures

    def check(self, run: FinishedRun) -> None:
        """Refuse data that are no images."""
        run.check_sizes([self.n_components], "InfluentialImages.n_components")
        n_fit = len(run.data.indices("fit"))
        if self.top > n_fit:
            told = f"{self.top} is more than the {n_fit} training samples: lower it"
            raise SettingsError("InfluentialImages", [Fault("top", told)])
        if run.data.spec.kind == Kind.TOKENS:
            raise ConfigurationError(
                "InfluentialImages shows pictures, but the data are texts: the report of a run "
                "shows the training texts behind each failure."
            )

    def __call__(self, run: FinishedRun) -> StudyResult:
        """Rank the training samples for each failure."""
        run.check_distinct([self.n_components], "InfluentialImages.n_components")
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
        images, names = run.data.fetch(index), names_of_samples(run.data)
        table = pd.DataFrame(
            [
                {
                    "failure": int(test.index[row]),
                    "failure_name": names.of(test.index[row : row + 1])[0],
                    "rank": rank,
                    "sample": int(index[i * (self.top + 1) + rank]),
                    "sample_name": names.of(index[i * (self.top + 1) + rank].view(1))[0],
                    "label": int(images.label[i * (self.top + 1) + rank]),
                    "true": int(test.label[row]),
                    "predicted": int(test.final_prediction[row]),
                    "picture": i * (self.top + 1) + rank,
                }
                for i, row in enumerate(shown.tolist())
                for rank in range(self.top + 1)
            ]
        )
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
            pictures={"influential": images.inputs},
        )


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
