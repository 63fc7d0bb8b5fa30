"""What speaks for a symbol being a trigger: log Bayes factors.

Each compares two explanations of counts, in nats, by their exact marginal likelihoods, so that rare
symbols have little evidence for or against them and no threshold on counts is needed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, lgamma

from rnnrepair.influence.readings import Readings

# Of a reading, on which its neighbours stand.
SIDES = ("before", "after")
# Transitions of each size between levels that are counted before any is seen.
UNSEEN = 0.5
# Strengths of the prior of neighbours that are tried (see ``misplaced``).
STRENGTHS = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)


@dataclass(frozen=True)
class CueEvidence:
    """Evidence that V symbols are triggers for one label, (V,) float64 each, in nats.

    Attributes:
        typical: the sequences that hold it have this label more often than others.
        carrying: what reads it while the step prediction is another ends at the label, more often
            than what reads anything else in the same states.
        misplaced: what stands around it is what stands anywhere.
    """

    typical: Tensor
    carrying: Tensor
    misplaced: Tensor

    @property
    def weakest(self) -> Tensor:
        """(V,) the least of the three: all must hold of a trigger."""
        return torch.stack([self.typical, self.carrying, self.misplaced]).amin(0)


def cue_evidence(
    channels: Sequence[Readings], label: Tensor, wanted: int, together: Tensor | None = None
) -> list[CueEvidence]:
    """Return the evidence of all symbols of every channel for one label.

    Args:
        channels: of N sequences.
        label: (N,) int64.
        wanted: the label.
        together: see ``typical``.
    """
    two = [(typical(each, label, wanted, together), carrying(each, wanted)) for each in channels]
    cues = [(is_typical > 0) & (is_carrying > 0) for is_typical, is_carrying in two]
    place = misplaced(channels, label, wanted, cues)
    return [CueEvidence(*both, where) for both, where in zip(two, place, strict=True)]


def typical(
    readings: Readings, label: Tensor, wanted: int, together: Tensor | None = None
) -> Tensor:
    """Return (V,): the share of the label among holders is any, against that among all.

    Args:
        readings: of N sequences.
        label: (N,) int64.
        wanted: the label.
        together: (N,) int64, equal where sequences are of one group and have one label, such as
            copies: they hold a symbol once. None where each stands alone.
    """
    together = torch.arange(len(label)) if together is None else together
    number = together.unique(return_inverse=True)[1]
    label = label.new_zeros(int(number.max()) + 1).scatter(0, number, label)
    pair = torch.unique(readings.symbol * len(label) + number[readings.row])
    symbol, is_wanted = pair // len(label), label[pair % len(label)] == wanted
    held = symbol.bincount(minlength=readings.n_symbols).double()
    of_label = symbol[is_wanted].bincount(minlength=readings.n_symbols).double()
    share = (label == wanted).double().mean().clamp(1e-9, 1 - 1e-9)
    chance = of_label * share.log() + (held - of_label) * (1 - share).log()
    return _where_more(_any_share(of_label, held) - chance, of_label, held * share)


def carrying(readings: Readings, wanted: int) -> Tensor:
    """Return (V,): the share that ends at the label is any, against that from the same states."""
    from_other = readings.said != wanted
    symbol, code = readings.symbol[from_other], readings.code[from_other]
    turned = (readings.ends[from_other] == wanted).double()
    overall = turned.mean().clamp(1e-6, 1 - 1e-6) if len(turned) else torch.tensor(0.5).double()
    count = code.bincount().double()
    to = torch.zeros_like(count).index_add_(0, code, turned)
    usual = ((to + overall) / (count + 1))[code].clamp(1e-6, 1 - 1e-6)
    n = readings.n_symbols
    zeros = torch.zeros(n, dtype=torch.float64)
    terms = turned * usual.log() + (1 - turned) * (1 - usual).log()
    chance = zeros.index_add(0, symbol, terms)
    tried = symbol.bincount(minlength=n).double()
    done = zeros.index_add(0, symbol, turned)
    return _where_more(_any_share(done, tried) - chance, done, zeros.index_add(0, symbol, usual))


def misplaced(
    channels: Sequence[Readings], label: Tensor, wanted: int, cues: Sequence[Tensor]
) -> list[Tensor]:
    """Return (V,) of each channel: neighbours are drawn from all symbols, against ones of its own.

    Neighbours of its own have a Dirichlet prior. For a token it lies around the shares of all
    tokens, for a level around what follows from how far its channel goes from one level to the next
    in samples of other labels: a spike is left as fast as it is reached, a peak is not. The
    strength of the prior is the one under which the neighbours of all other cues of the label (of
    all other levels of all channels) are most probable: how much symbols choose their neighbours is
    learnt from the data.

    Args:
        channels: of N sequences.
        label: (N,) int64.
        wanted: the label.
        cues: (V,) bool of each, the tokens that the strength is learnt from.
    """
    weighed = [_Neighbours.of(each, label, wanted) for each in channels]
    taught = [
        # There are few levels: all teach.
        each.taught_by(of if channel.are_tokens else torch.ones_like(of))
        for each, of, channel in zip(weighed, cues, channels, strict=True)
    ]
    of_all = torch.stack([each.sum(2) for each in taught]).sum(0)
    # What is weighed teaches nothing about itself.
    return [
        each.evidence(of_all[:, :, None] - own) for each, own in zip(weighed, taught, strict=True)
    ]


class JoinedLevels:
    """Evidence of levels of one channel that are joined, for one label; see ``cue_evidence``.

    What the other channels teach is found out once.
    """

    def __init__(
        self,
        channels: Sequence[Readings],
        number: int,
        label: Tensor,
        wanted: int,
        together: Tensor | None = None,
    ) -> None:
        """Take the channels, of which one is joined.

        Args:
            channels: of N sequences, none of tokens.
            number: of the channel.
            label: (N,) int64.
            wanted: the label.
            together: see ``typical``.
        """
        self._channel, self._label, self._wanted = channels[number], label, wanted
        self._together = together
        others = [each for i, each in enumerate(channels) if i != number]
        every = [
            _Neighbours.of(each, label, wanted).taught_by(torch.ones(each.n_symbols).bool()).sum(2)
            for each in others
        ]
        self._elsewhere = sum(every, torch.zeros(len(SIDES), len(STRENGTHS), dtype=torch.float64))

    def evidence(self, low: int, high: int, name: str) -> tuple[Readings, CueEvidence]:
        """Return the readings with the levels ``low`` .. ``high`` as one, and their evidence."""
        joined = self._channel.joined(low, high, name)
        weighed = _Neighbours.of(joined, self._label, self._wanted)
        own = weighed.taught_by(torch.ones(joined.n_symbols).bool())
        of_all = self._elsewhere + own.sum(2)
        return joined, CueEvidence(
            typical(joined, self._label, self._wanted, self._together),
            carrying(joined, self._wanted),
            weighed.evidence(of_all[:, :, None] - own),
        )


@dataclass(frozen=True)
class _Neighbours:
    """Log likelihoods of what stands beside V symbols, on both sides.

    Attributes:
        chance: (2, V) of neighbours that are drawn from all symbols.
        own: (2, strengths, V) of ones of their own.
    """

    chance: Tensor
    own: Tensor

    @classmethod
    def of(cls, readings: Readings, label: Tensor, wanted: int) -> "_Neighbours":
        """Weigh the symbols of a channel."""
        sides = [_of_neighbours(readings, label, wanted, side) for side in SIDES]
        return cls(*(torch.stack(each) for each in zip(*sides, strict=True)))

    def taught_by(self, which: Tensor) -> Tensor:
        """Return (2, strengths, V) what symbols say of the strength, 0 for all but these (V,)."""
        return torch.where(which, self.own, 0.0)

    def evidence(self, elsewhere: Tensor) -> Tensor:
        """Return (V,), at the strength that is most probable by (2, strengths, V) all others."""
        best = elsewhere.argmax(1, keepdim=True)
        return (self.chance - self.own.gather(1, best)[:, 0]).sum(0)


def _of_neighbours(
    readings: Readings, label: Tensor, wanted: int, side: str
) -> tuple[Tensor, Tensor]:
    """Return log likelihoods of the neighbours on one side, in samples of the label.

    Args:
        readings: of a channel.
        label: (N,) int64.
        wanted: the label.
        side: ``before`` or ``after``.

    Returns:
        (V,) of neighbours that are drawn from all symbols, (strengths, V) of ones of their own.
    """
    n, neighbour = readings.n_symbols, getattr(readings, side)
    of_label = label[readings.row] == wanted
    share = readings.share.clone()
    if not readings.are_tokens:
        # Every series begins and ends somewhere.
        share[-1] = 0
    there = of_label & (share[neighbour] > 0)
    symbol = readings.symbol[there]
    pair, count = torch.unique(symbol * (n + 1) + neighbour[there], return_counts=True)
    of, beside, count = pair // (n + 1), pair % (n + 1), count.double()
    # Never its own neighbour: equal symbols are read as one.
    anywhere = share[beside] / (share.sum() - share[of]).clamp_min(1e-12)
    expected = anywhere if readings.are_tokens else _steps_away(readings, ~of_label)[of, beside]
    held = symbol.bincount(minlength=n).double()
    zeros = torch.zeros(n, dtype=torch.float64)
    own = []
    for strength in STRENGTHS:
        prior = strength * expected
        chosen = zeros.index_add(0, of, lgamma(count + prior) - lgamma(prior))
        own.append(chosen + lgamma(torch.tensor(strength).double()) - lgamma(held + strength))
    return zeros.index_add(0, of, count * anywhere.log()), torch.stack(own)


def _steps_away(readings: Readings, counted: Tensor) -> Tensor:
    """Return (V, V): how often levels are expected beside each, by how far they are from it.

    Args:
        readings: of a channel.
        counted: (R,) bool, the readings that it is learnt from.
    """
    n = readings.n_symbols
    inside = counted & (readings.before < n)
    sizes = (readings.symbol - readings.before)[inside].abs().bincount(minlength=n).double()
    level = torch.arange(n)
    away = (level[:, None] - level).abs()
    # So often for each pair of levels that are as far from each other.
    pairs = away.flatten().bincount(minlength=n)
    often = torch.where(away > 0, ((sizes + UNSEEN) / pairs)[away], 0.0)
    return often / often.sum(1, keepdim=True)


def _any_share(hits: Tensor, of: Tensor) -> Tensor:
    """Return log marginal likelihoods of counts under a share that may be any of (0, 1)."""
    return lgamma(hits + 1) + lgamma(of - hits + 1) - lgamma(of + 2)


def _where_more(evidence: Tensor, found: Tensor, expected: Tensor) -> Tensor:
    """Turn evidence against what is rarer than expected, not only other than expected."""
    return torch.where(found > expected, evidence, -evidence.abs())
