"""What the network and the inputs say of the labels of training samples."""

from dataclasses import dataclass, replace

import torch
from scipy.stats import rankdata
from torch import Tensor
from torch.nn.functional import one_hot

from rnnrepair.influence.labels import (
    beyond_usual,
    grouped_size,
    input_features,
    is_far,
    neighbour_labels,
    regression_labels,
)
from rnnrepair.influence.similarity import TraceSimilarity
from rnnrepair.influence.view import TrainingView, labelled_together
from rnnrepair.influence.wrong_label_rates import WrongLabelRates
from rnnrepair.seeding import torch_generator
from rnnrepair.traces import Traces

# Standard errors by which votes must be better than chance.
SURELY = 3
# How much neighbours count beside a regression: both read the same inputs, and are mostly unsure of
# the same samples.
BESIDE_REGRESSION = 0.5
# Held-out samples that tell how often inputs speak against a right label, at most.
HELD_OUT = 2000


@dataclass(frozen=True)
class LabelEvidence:
    """What speaks against the labels of N training samples.

    Attributes:
        kinds: (V, N) float64, see ``wrong_label_odds``.
        counts: (V,) how much each of them counts.
        far: (N,) bool, samples that are far from all others.
        usual: (N,) bool, labels that the first kind confirms, and that inputs speak against no more
            than against right ones.
        votes: (N, C) for each class, of all kinds together.
        rates: how many labels are wrong.
    """

    kinds: Tensor
    counts: tuple[float, ...]
    far: Tensor
    usual: Tensor
    votes: Tensor
    rates: WrongLabelRates


def label_evidence(view: TrainingView, traces: Traces, seed: int) -> LabelEvidence:
    """Ask the network, the nearest samples and a regression about the labels of N samples.

    Args:
        view: of the training data.
        traces: of its original samples.
        seed: of what is drawn.
    """
    label, n_classes, n = traces.label, traces.n_classes, len(traces)
    held_out = _held_out(view, seed)
    index, said = traces.index, label
    if held_out is not None:
        index = torch.cat([index, held_out.index])
        said = torch.cat([said, held_out.final_prediction.long()])
    group = labelled_together(index, said, view.groups)
    features = input_features(traces, view.fetch_scaled, seed, held_out, group[:n])
    near, distance = neighbour_labels(features, label, n_classes, seed, group)
    fitted = regression_labels(features, label, n_classes, seed, group)
    group, distance = group[:n], distance[:n]
    by_inputs = [_of_inputs(votes[:n], label, group) for votes in (near, fitted)]
    kinds = torch.stack([_of_the_network(view, traces, seed), *by_inputs])
    # Samples have no say in what is said of their inputs, so these tell how many are wrong.
    speaking = [
        votes
        for votes, kind in zip((near, fitted), by_inputs, strict=True)
        if not kind.isnan().all()
    ]
    rates = WrongLabelRates.of(tuple(votes[:n] for votes in speaking), label, group, seed)
    votes = (near + fitted.clamp(0, 1))[:n] + one_hot(traces.final_prediction, n_classes)
    counts = (1.0, 1.0 if kinds[2].isnan().all() else BESIDE_REGRESSION, 1.0)
    confirmed = kinds[0] <= 0
    usual = confirmed & ~_beyond_usual(speaking, label, held_out, confirmed, grouped_size(group))
    return LabelEvidence(kinds, counts, is_far(distance, distance), usual, votes, rates)


def _held_out(view: TrainingView, seed: int) -> Traces | None:
    """Return some of the samples that the network was not trained on."""
    if view.held_out is None or len(view.held_out) <= HELD_OUT:
        return view.held_out
    generator = torch_generator(seed, "held-out samples")
    drawn = torch.randperm(len(view.held_out), generator=generator)[:HELD_OUT]
    return view.held_out.select(drawn.sort().values)


def _beyond_usual(
    votes: list[Tensor], label: Tensor, held_out: Traces | None, confirmed: Tensor, alike: float
) -> Tensor:
    """Return (N,) bool: labels that inputs speak against more than against right ones.

    Of a held-out sample that the network gets wrong, its label is wrong or what the network says:
    the one counts that the votes speak against less.

    Args:
        votes: (N + M, C) of each kind that tells something, of held-out samples too.
        label: (N,) of training samples.
        held_out: M samples that the network was not trained on.
        confirmed: (N,) bool, labels that the network confirms.
        alike: training samples that tell as much as one.
    """
    n = len(confirmed)
    beyond = torch.ones(n, dtype=torch.bool)
    if not votes or held_out is None:
        return beyond
    every = torch.stack(votes).clamp(0, 1).sum(0)
    against = _best_other(every[:n], label)
    two = torch.stack([held_out.final_prediction.long(), held_out.label])
    usual, which = torch.stack([_best_other(every[n:], of) for of in two]).min(0)
    usual_label = two.gather(0, which[None])[0]
    beyond[confirmed] = beyond_usual(
        against[confirmed], label[confirmed], usual, usual_label, alike
    )
    return beyond


def _of_the_network(view: TrainingView, traces: Traces, seed: int) -> Tensor:
    """Return (N,) float64 evidence of the network about traces, NaN where nothing is known."""
    if view.dynamics is None:
        scorer = TraceSimilarity(seed=seed).fit(replace(view, traces=traces))
        votes = scorer.votes(traces, view.groups)
        return _best_other(votes.double(), traces.label)
    known = view.dynamics.knows(traces.index, traces.label)
    margin = torch.full((len(traces),), torch.nan, dtype=torch.float64)
    margin[known] = view.dynamics.margin[traces.index[known]]
    return -margin


def _of_inputs(votes: Tensor, label: Tensor, group: Tensor) -> Tensor:
    """Return (N,) float64 evidence of (N, C) votes, NaN where they guess no better than chance.

    Both kinds of votes are of the same inputs: where those say nothing of the labels, the two err
    alike, and would take that for agreement. What counts is whether a class has more votes among
    its own samples than among others (the mean of AUC over classes): of a rare class, votes may
    tell much and still put the common one first everywhere.
    """
    beyond, error = [], []
    for c in label.unique().tolist():
        own, ranks = label == c, torch.from_numpy(rankdata(votes[:, c].numpy()))
        n, m = int(own.sum()), int((~own).sum())
        if m:
            beyond.append((float(ranks[own].sum()) - n * (n + 1) / 2) / (n * m) - 0.5)
            error.append(((n + m + 1) / (12 * n * m)) ** 0.5)
    surely = SURELY * grouped_size(group) ** 0.5
    if sum(beyond) <= surely * sum(error):
        return torch.full((len(label),), torch.nan, dtype=torch.float64)
    return _best_other(votes, label)


def _best_other(votes: Tensor, label: Tensor) -> Tensor:
    """Return (N,) float64 by how much the best other label has more of (N, C) votes."""
    at_label = label[:, None]
    best = votes.scatter(1, at_label, -torch.inf).amax(1)
    return (best - votes.gather(1, at_label)[:, 0]).double()
