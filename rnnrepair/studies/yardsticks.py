"""What a ranking by traces has to beat: rankings that know no trace, for the same failures."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor

from rnnrepair.influence import Ranking, smallest, tie_order
from rnnrepair.protocols import Split
from rnnrepair.seeding import torch_generator
from rnnrepair.sequences import steps_of
from rnnrepair.studies.finished_run import FinishedRun
from rnnrepair.traces import Traces

# Training samples compared at a time with all failures: distances of all of them would take 90 MB
# for 25,000 reviews and 900 failures, their padded inputs far more.
BLOCK = 2000


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
    fit, test = (_without_states(run, split) for split in ("fit", "test"))
    wrong = ~test.correct
    failures = test.select(wrong)
    order = tie_order(fit.index, seed)
    if fit.token is None or failures.token is None:
        name, to_failures = "inputs", _euclidean_of_inputs(run, fit, failures)
    else:
        name, to_failures = (
            "bag of words",
            _cosine_of_counts(fit.token, fit.offsets, failures.token, failures.offsets),
        )
    ends, last = last_states(run, "fit"), last_states(run, "test")[wrong]
    rankings = {
        name: _nearest(order, to_failures, top + 1),
        f"last state, {last.shape[1]} principal components": _nearest(
            order, lambda rows: torch.cdist(ends[rows], last), top + 1
        ),
        "same prediction, at random": _drawn_alike(fit, failures, top + 1, seed),
    }
    return {name: RankedLabels.of(ranking, fit) for name, ranking in rankings.items()}


def last_states(run: FinishedRun, split: Split) -> Tensor:
    """Return the (N, k) reduced states that the sequences of a split end in."""
    states = run.states()[split]
    return states.vector[states.last_step]


def _without_states(run: FinishedRun, split: Split) -> Traces:
    """Return traces of one abstract state: what the network predicts and reads, no more."""
    states = run.states()[split]
    return states.with_states(torch.zeros(len(states.vector)), 1, run.n_classes)


def _nearest(order: Tensor, to_failures: Callable[[Tensor], Tensor], top: int) -> Ranking:
    """Rank training samples block by block.

    Args:
        order: (N,) rows of the training samples, in the order of ties.
        to_failures: (n,) rows to their (n, M) distances to M failures.
        top: how many to return.
    """
    rows, distances = [], []
    for block in order.split(BLOCK):
        found = smallest(to_failures(block), top)
        rows.append(torch.where(found.row >= 0, block[found.row], -1))
        distances.append(found.distance)
    row, distance = torch.cat(rows, 1), torch.cat(distances, 1)
    # Blocks come in the order of ties, and a stable sort keeps it.
    first = distance.argsort(dim=1, stable=True)[:, :top]
    return Ranking(row.gather(1, first), distance.gather(1, first))


def _euclidean_of_inputs(
    run: FinishedRun, fit: Traces, failures: Traces
) -> Callable[[Tensor], Tensor]:
    there = run.data.fetch(failures.index).inputs

    def distances(rows: Tensor) -> Tensor:
        here = run.data.fetch(fit.index[rows]).inputs
        n_steps = max(here.shape[1], there.shape[1])
        return torch.cdist(_flat(here, n_steps), _flat(there, n_steps))

    return distances


def _flat(inputs: Tensor, n_steps: int) -> Tensor:
    """Return (B, T' * F) of (B, T, F) inputs, padded behind with zeros to T' steps."""
    missing = n_steps - inputs.shape[1]
    return torch.nn.functional.pad(inputs, (0, 0, 0, missing)).flatten(1)


def _cosine_of_counts(
    token: Tensor, offsets: Tensor, other_token: Tensor, other_offsets: Tensor
) -> Callable[[Tensor], Tensor]:
    """Compare the training texts with M others, each given as tokens and where texts start."""
    n_tokens = 1 + max(int(token.max()), int(other_token.max()))
    there = _bags(other_token, other_offsets, n_tokens).T.tocsr()

    def distances(rows: Tensor) -> Tensor:
        steps, own = steps_of(offsets, rows)
        return 1 - torch.from_numpy((_bags(token[steps], own, n_tokens) @ there).toarray())

    return distances


def _bags(token: Tensor, offsets: Tensor, n_tokens: int) -> csr_array:
    """Return (N, V) counts of tokens as rows of length 1."""
    # Copies: duplicates are summed in place.
    columns, starts = token.numpy().copy(), offsets.numpy().copy()
    counts = csr_array(
        (np.ones(len(columns), np.float32), columns, starts), (len(starts) - 1, n_tokens)
    )
    counts.sum_duplicates()
    norm = np.sqrt(counts.power(2).sum(1))
    counts.data /= norm.repeat(np.diff(counts.indptr))
    return counts


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
