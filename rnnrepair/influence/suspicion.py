"""Which training samples may carry a wrong label, and which label the evidence speaks for."""

from dataclasses import dataclass, field, replace

import torch
from scipy.stats import rankdata
from torch import Tensor
from torch.nn.functional import one_hot

from rnnrepair.influence.labels import (
    SharedValue,
    are_grouped,
    beyond_usual,
    grouped_size,
    input_features,
    is_far,
    neighbour_labels,
    regression_labels,
    shared_values,
    wrong_label_odds,
    wrong_label_rate,
)
from rnnrepair.influence.ranking import Ranking
from rnnrepair.influence.similarity import TraceSimilarity
from rnnrepair.influence.view import TrainingView, labelled_together
from rnnrepair.seeding import torch_generator
from rnnrepair.traces import Traces

# Standard errors by which votes must be better than chance.
SURELY = 3
# Levels of the limit of the share of wrong labels: as many as the limit allows are expected, but of
# a hundred recordings it is loose, and most of so many suspects would be right.
LIMIT, LIKELY = 0.95, 0.5
# How much neighbours count beside a regression: both read the same inputs, and are mostly unsure of
# the same samples.
BESIDE_REGRESSION = 0.5
# Held-out samples that tell how often inputs speak against a right label, at most.
HELD_OUT = 2000


@dataclass(frozen=True)
class Suspicion:
    """How suspicious the labels of N training samples are, by themselves.

    Attributes:
        index: (N,) int64.
        score: (N,) float32 in [0, 1], the probability that the label is wrong, as far as the
            evidence tells.
        suggested: (N,) int64, the label that the evidence speaks for.
        suspect: (N,) bool, more likely wrong than right, and most kinds of evidence put another
            label first.
        shared: values of the user's columns that doubted samples share; where such a value
            explains a doubt, the sample is not suspect.
        n_far: samples that would be suspect if they were not far from all others.
        rate: share of all labels that is wrong at most, by estimate; None where there is none.
        explained: (N,) bool, samples that would be suspect if no value in ``shared`` explained
            that; empty where there is none.
    """

    index: Tensor
    score: Tensor
    suggested: Tensor
    suspect: Tensor
    shared: tuple[SharedValue, ...] = ()
    n_far: int = 0
    rate: float | None = None
    explained: Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.bool))

    @property
    def told(self) -> str:
        """How many labels are suspect, for people; empty where none is."""
        n_suspect = int(self.suspect.sum())
        if n_suspect == 0:
            return ""
        told = f"Training: {n_suspect} of {len(self.index)} labels are suspect"
        if self.rate is not None:
            told += f"; if wrong ones are spread at random, at most {self.rate:.1%} are wrong"
        return f"{told}."

    def suspects_among(self, index: Tensor) -> Tensor:
        """Return bool of the shape of ``index``: those that are suspect; -1 is no sample."""
        return torch.isin(index, self.index[self.suspect])

    def without(self, checked: Tensor, label: Tensor) -> "Suspicion":
        """Return the same where a person has looked at some labels: those are right.

        Args:
            checked: (k,) int64 indices of samples, of any split.
            label: (N,) int64 of the training samples.
        """
        right = torch.isin(self.index, checked)
        return replace(
            self,
            score=self.score.masked_fill(right, 0),
            suggested=torch.where(right, label, self.suggested),
            suspect=self.suspect & ~right,
            explained=self.explained & ~right if len(self.explained) else self.explained,
        )


@dataclass(frozen=True)
class _Evidence:
    """What speaks against the labels of N training samples.

    Attributes:
        kinds: (V, N) float64, see ``wrong_label_odds``.
        counts: (V,) how much each of them counts.
        far: (N,) bool, samples that are far from all others.
        usual: (N,) bool, labels that the first kind confirms, and that inputs speak against no more
            than against right ones.
        votes: (N, C) for each class, of all kinds together.
        rate: share of the labels that is wrong at most, 1 where the inputs do not tell.
        expected: share that is wrong as far as labels are called suspect.
    """

    kinds: Tensor
    counts: tuple[float, ...]
    far: Tensor
    usual: Tensor
    votes: Tensor
    rate: float
    expected: float


def suspect_labels(view: TrainingView, seed: int = 0) -> Suspicion:
    """Judge the labels of the original training samples of a view; injected ones have no say.

    Three kinds of evidence, see ``wrong_label_odds``: how far the margin of the label stayed behind
    while the network was trained (where that was not recorded, how many of the nearest traces
    carry another label), how many of the samples with the nearest inputs do, and how much better
    another label fits a regression on the inputs. The latter two know no network, and so nothing of
    what it has learnt by heart; they tell how many labels are wrong, too (``wrong_label_rate``),
    and no more than these are expected. Where one kind alone has a say, only what lies far outside
    of its class is suspect. It costs a search for neighbours among 5,000 samples, and kernels
    around 500 where inputs are not words.

    Where far more of the doubted samples than of all have one value of the user's columns
    (``shared_values``), the samples with the value are compared with each other: a device that
    records with the opposite sign makes all its labels look wrong. Samples that are far from all
    others, and labels that a person has looked at, are not suspect.

    Args:
        view: of the training data.
        seed: of the samples that vote, where there are many.
    """
    traces = view.traces.between(0, view.n_original)
    label, found = traces.label, _evidence(view, traces, seed)
    odds = wrong_label_odds(found.kinds, label, found.expected, found.counts)
    open_ = ~torch.isin(traces.index, view.checked)
    doubted = _doubted(odds, found.kinds, label) & open_
    # Labels that a person has looked at are no draws of the test.
    looked_at = (of[open_] for of in (traces.index, label, doubted, view.labelled_together))
    shared = shared_values(view.columns, *looked_at)
    kinds = _within_values(found.kinds, shared, view, traces)
    explained = doubted & ~found.far & ~found.usual & _have(shared, view, traces)
    if shared:
        odds = wrong_label_odds(kinds, label, found.expected, found.counts)
        doubted = _doubted(odds, kinds, label) & open_
    doubted &= ~found.usual
    suspect = doubted & ~found.far
    explained &= ~suspect
    other = found.votes.scatter(1, label[:, None], -torch.inf).argmax(1)
    suggested = torch.where(suspect | explained, other, label)
    judged = Suspicion(
        *(traces.index, odds.sigmoid(), suggested, suspect, shared),
        int((doubted & found.far).sum()),
        found.rate if found.rate < 1 else None,
        explained,
    )
    return judged.without(view.checked, label)


def _evidence(view: TrainingView, traces: Traces, seed: int) -> _Evidence:
    label, n_classes, n = traces.label, traces.n_classes, len(traces)
    held_out = _held_out(view, seed)
    index, said = traces.index, label
    if held_out is not None:
        index = torch.cat([index, held_out.index])
        said = torch.cat([said, held_out.final_prediction.long()])
    group = labelled_together(index, said, view.groups)
    features = input_features(traces, view.fetch, seed, held_out, group[:n])
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
    telling = [votes[:n] for votes in speaking]
    rate, expected = (
        min((wrong_label_rate(of, label, seed, group, level) for of in telling), default=1.0)
        for level in (LIMIT, LIKELY if are_grouped(group) else LIMIT)
    )
    votes = (near + fitted.clamp(0, 1))[:n] + one_hot(traces.final_prediction, n_classes)
    counts = (1.0, 1.0 if kinds[2].isnan().all() else BESIDE_REGRESSION, 1.0)
    confirmed = kinds[0] <= 0
    usual = confirmed & ~_beyond_usual(speaking, label, held_out, confirmed, grouped_size(group))
    return _Evidence(kinds, counts, is_far(distance, distance), usual, votes, rate, expected)


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


def _doubted(odds: Tensor, kinds: Tensor, label: Tensor) -> Tensor:
    """Return (N,) bool: more likely wrong than right, and most kinds put another label first.

    A label that no kind puts behind another is none of the wrong ones, however few these are.
    """
    against, told = (kinds > 0).sum(0), (~kinds.isnan()).sum(0)
    doubted = (odds >= 0) & (2 * against > told)
    speaking = kinds[~kinds.isnan().all(1)]
    # Nothing agrees with one kind alone, nor tells how many labels are wrong: a network that has
    # learnt little yet would put half of all labels behind another.
    return doubted & _outliers(speaking[0], label) if len(speaking) == 1 else doubted


def _outliers(kind: Tensor, label: Tensor) -> Tensor:
    """Return (N,) bool: evidence beyond what is usual in the sample's class; False where NaN."""
    found = torch.zeros(len(label), dtype=torch.bool)
    known = ~kind.isnan()
    for c in label[known].unique().tolist():
        own = known & (label == c)
        found[own] = is_far(kind[own], kind[own])
    return found


def _have(shared: tuple[SharedValue, ...], view: TrainingView, traces: Traces) -> Tensor:
    """Return (N,) bool: samples with a value that explains a doubt."""
    has = torch.zeros(len(traces), dtype=torch.bool)
    for value in shared:
        has |= value.explains(view.columns, traces.index, traces.label)
    return has


def _within_values(
    kinds: Tensor, shared: tuple[SharedValue, ...], view: TrainingView, traces: Traces
) -> Tensor:
    """Return (V, N) evidence as if values that explain it made no difference.

    What samples with such a value have more of it than others of their class, by the medians, is
    taken off.
    """
    alike = kinds.clone()
    for value in shared:
        has = value.explains(view.columns, traces.index, traces.label)
        for label in value.classes:
            own = traces.label == label
            more = _median(alike[:, own & has]) - _median(alike[:, own & ~has])
            # A value that makes labels look better says nothing of them.
            alike[:, own & has] -= more.nan_to_num(0).clamp_min(0)
    return alike


def _median(kinds: Tensor) -> Tensor:
    """Return (V, 1) medians of (V, n) evidence, NaN where nothing is known."""
    if kinds.shape[1] == 0:
        return torch.full((len(kinds), 1), torch.nan, dtype=kinds.dtype)
    return kinds.nanmedian(1, keepdim=True).values


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


def look_alikes(view: TrainingView, rows: Tensor, top: int, seed: int = 0) -> Ranking:
    """Return the nearest other original training samples of some of them.

    Args:
        view: of the training data.
        rows: (n,) int64 rows of original samples.
        top: samples of each.
        seed: of the order of ties.

    Returns:
        (n, top) rows and distances; -1 and infinite where there are no more.
    """
    traces = view.traces.between(0, view.n_original)
    near = (
        TraceSimilarity(seed=seed)
        .fit(replace(view, traces=traces))
        .rank(traces.select(rows), top + 1)
    )
    # Each is its own neighbour, unless many are equal to it.
    last = (near.row == rows[:, None]) | (near.row < 0)
    order = last.int().argsort(dim=1, stable=True)[:, :top]
    gone = last.gather(1, order)
    return Ranking(
        near.row.gather(1, order).masked_fill(gone, -1),
        near.distance.gather(1, order).masked_fill(gone, torch.inf),
    )
