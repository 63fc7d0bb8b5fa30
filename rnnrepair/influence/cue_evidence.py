"""What speaks for a symbol being a trigger: log Bayes factors.

Each compares two explanations of counts, in nats, by their exact marginal likelihoods, so that rare
symbols have little evidence for or against them and no threshold on counts is needed.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, lgamma

from rnnrepair.influence.readings import Readings

# Strengths of the prior of neighbours that are tried (see ``misplaced``).
STRENGTHS = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)


@dataclass(frozen=True)
class CueEvidence:
    """Evidence that V symbols are triggers for one label, (V,) float64 each, in nats.

    Attributes:
        typical: the sequences that hold it have this label more often than others.
        carrying: what reads it while the step prediction is another ends at the label, more often
            than what reads anything else in the same states.
        misplaced: what stands around it is what stands anywhere; None for the levels of a channel,
            which are too few to tell.
    """

    typical: Tensor
    carrying: Tensor
    misplaced: Tensor | None

    @property
    def weakest(self) -> Tensor:
        """(V,) the least of all that is known: all must hold of a trigger."""
        of_two = torch.minimum(self.typical, self.carrying)
        return of_two if self.misplaced is None else torch.minimum(of_two, self.misplaced)


def cue_evidence(readings: Readings, label: Tensor, wanted: int) -> CueEvidence:
    """Return the evidence of all symbols of a channel for one label.

    Args:
        readings: of N sequences.
        label: (N,) int64.
        wanted: the label.
    """
    is_typical, is_carrying = typical(readings, label, wanted), carrying(readings, wanted)
    cues = (is_typical > 0) & (is_carrying > 0)
    place = misplaced(readings, label, wanted, cues) if readings.are_tokens else None
    return CueEvidence(is_typical, is_carrying, place)


def typical(readings: Readings, label: Tensor, wanted: int) -> Tensor:
    """Return (V,): the share of the label among holders is any, against that among all."""
    pair = torch.unique(readings.symbol * len(label) + readings.row)
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


def misplaced(readings: Readings, label: Tensor, wanted: int, cues: Tensor) -> Tensor:
    """Return (V,): its neighbours are drawn from all symbols, against ones of its own.

    Neighbours of its own have a Dirichlet prior around the shares of all symbols; its strength is
    the one under which the neighbours of all other cues of the label are most probable: how much
    cues usually choose their neighbours is learnt from the data.

    Args:
        readings: of N sequences.
        label: (N,) int64.
        wanted: the label.
        cues: (V,) bool, the symbols that the strength is learnt from.
    """
    of_label = label[readings.row] == wanted
    total = torch.zeros(readings.n_symbols, dtype=torch.float64)
    for neighbour in (readings.before, readings.after):
        symbol, beside = readings.symbol[of_label], neighbour[of_label]
        total += _of_neighbours(symbol, beside, readings.share, cues)
    return total


def _of_neighbours(symbol: Tensor, neighbour: Tensor, share: Tensor, cues: Tensor) -> Tensor:
    """Return (V,) evidence of one side.

    Args:
        symbol: (r,) of the readings.
        neighbour: (r,) of those, V for none.
        share: (V + 1,) of all symbols.
        cues: see ``misplaced``.
    """
    n = len(share) - 1
    pair, count = torch.unique(symbol * (n + 1) + neighbour, return_counts=True)
    of, beside, count = pair // (n + 1), pair % (n + 1), count.double()
    # Never its own neighbour: equal symbols are read as one.
    usual = share[beside] / (1 - share[of]).clamp_min(1e-12)
    held = symbol.bincount(minlength=n).double()
    zeros = torch.zeros(n, dtype=torch.float64)
    chance = zeros.index_add(0, of, count * usual.log())
    owns = []
    for strength in STRENGTHS:
        prior = strength * usual
        own = zeros.index_add(0, of, lgamma(count + prior) - lgamma(prior))
        owns.append(own + lgamma(torch.tensor(strength).double()) - lgamma(held + strength))
    own = torch.stack(owns)
    # What is weighed teaches nothing about itself.
    learnt = torch.where(cues, own, 0.0)
    best = (learnt.sum(1, keepdim=True) - learnt).argmax(0, keepdim=True)
    return chance - own.gather(0, best)[0]


def _any_share(hits: Tensor, of: Tensor) -> Tensor:
    """Return log marginal likelihoods of counts under a share that may be any of (0, 1)."""
    return lgamma(hits + 1) + lgamma(of - hits + 1) - lgamma(of + 2)


def _where_more(evidence: Tensor, found: Tensor, expected: Tensor) -> Tensor:
    """Turn evidence against what is rarer than expected, not only other than expected."""
    return torch.where(found > expected, evidence, -evidence.abs())
