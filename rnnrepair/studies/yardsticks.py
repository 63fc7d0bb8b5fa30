"""What a ranking by traces has to beat: rankings that know no trace, for the same failures."""

from dataclasses import dataclass

import torch
from torch import Tensor

from rnnrepair.influence import Ranking, input_distances, nearest_by, tie_order
from rnnrepair.protocols import Split
from rnnrepair.seeding import torch_generator
from rnnrepair.sequences import fetching_scaled
from rnnrepair.studies.finished_run import FinishedRun
from rnnrepair.traces import Traces


@dataclass(frozen=True)
class RankedLabels:
    """Labels of the nearest training samples of M targets.

    Attributes:
        label: (M, top) int64 labels, -1 where there are no more.
        distance: (M, top + 1) float32 ascending distances, infinite where there are no more; the
            last is that of the sample that comes next, to see where a cut falls between equals.
    """

    label: Tensor
    distance: Tensor

    @classmethod
    def of(cls, ranking: Ranking, fit: Traces) -> "RankedLabels":
        """Take them from a ranking of the training traces, one more than are wanted."""
        row = ranking.row[:, :-1]
        return cls(torch.where(row >= 0, fit.label[row], -1), ranking.distance)

    @property
    def top(self) -> int:
        """Number of samples looked at."""
        return self.label.shape[1]

    def cut_between_equals(self, n: int) -> float:
        """Return the share of targets whose n-th and next sample are equally near."""
        last, following = self.distance[:, n - 1], self.distance[:, n]
        return float(((last == following) & last.isfinite()).double().mean())


def yardsticks(run: FinishedRun, top: int) -> dict[str, RankedLabels]:
    """Return the nearest training samples of the test failures, by the name of each yardstick.

    - The inputs, which know no network: Euclidean distance of the padded features, or one minus
      the cosine of the counts of tokens.
    - The last state: Euclidean distance of the last hidden states, reduced to the k principal
      components in which abstract states are found.
    - Training samples with the same final prediction, drawn at random.

    None of them depends on the number of abstract states. Failures are those of the test split in
    order of index; ties are broken as for traces.
    """
    seed = run.settings.seed
    fit, test = (without_states(run, split) for split in ("fit", "test"))
    wrong = ~test.correct
    failures = test.select(wrong)
    order = tie_order(fit.index, seed)
    name = "inputs" if fit.token is None else "bag of words"
    fetch = fetching_scaled(run.data.fetch, run.data.spec.scale)
    to_failures = input_distances(fit, failures, fetch)
    ends, last = last_states(run, "fit"), last_states(run, "test")[wrong]
    rankings = {
        name: nearest_by(to_failures, order, top + 1),
        f"last state, {last.shape[1]} principal components": nearest_by(
            lambda rows: torch.cdist(ends[rows], last), order, top + 1
        ),
        "same prediction, at random": _drawn_alike(fit, failures, top + 1, seed),
    }
    return {name: RankedLabels.of(ranking, fit) for name, ranking in rankings.items()}


def last_states(run: FinishedRun, split: Split) -> Tensor:
    """Return the (N, k) reduced states that the sequences of a split end in."""
    states = run.states()[split]
    return states.vector[states.last_step]


def without_states(run: FinishedRun, split: Split) -> Traces:
    """Return traces of one abstract state: what the network predicts and reads, no more."""
    states = run.states()[split]
    return states.with_states(torch.zeros(len(states.vector)), 1, run.n_classes)


def _drawn_alike(fit: Traces, failures: Traces, top: int, seed: int) -> Ranking:
    """Draw training samples with the final prediction of each failure, all at distance 0."""
    row = torch.full((len(failures), top), -1)
    distance = torch.full(row.shape, torch.inf)
    predicted = fit.final_prediction
    alike = {c: (predicted == c).nonzero()[:, 0] for c in failures.final_prediction.tolist()}
    for m, label in enumerate(failures.final_prediction.tolist()):
        generator = torch_generator(seed, "same prediction", int(failures.index[m]))
        drawn = torch.randperm(len(alike[label]), generator=generator)[:top]
        row[m, : len(drawn)] = alike[label][drawn]
        distance[m, : len(drawn)] = 0
    return Ranking(row, distance)
