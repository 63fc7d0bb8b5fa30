"""How often inputs speak against a label that is right, told by samples of which none is used."""

import torch
from scipy.stats import binom
from torch import Tensor

# Of a binomial test: training samples are denser than held-out ones beyond chance.
LEVEL = 0.001
# Held-out samples that tell something, at least: in all, and of a class.
FEWEST_HELD_OUT, FEWEST_OF_CLASS = 100, 20


def beyond_usual(
    against: Tensor, label: Tensor, usual: Tensor, usual_label: Tensor, alike: float = 1.0
) -> Tensor:
    """Return (n,) bool: evidence against a label that right labels do not explain as well.

    Votes of inputs that tell little speak against many right labels. How many, samples show that a
    network was not trained on: what it says of them owes nothing to their labels. Wrong labels are
    where training samples are more than twice as dense as those (class by class): above the
    evidence above which most are left when those are taken off, twice. Where that may be chance
    (binomial test), above all held-out evidence.

    Source: ours; a local false discovery rate of one half with an empirical null (Efron,
    "Large-Scale Simultaneous Hypothesis Testing", JASA 2004).

    Args:
        against: (n,) evidence against the labels of training samples, the larger the more.
        label: (n,) int64.
        usual: (m,) the same of held-out samples, against labels that are probably right.
        usual_label: (m,) int64 of those.
        alike: samples that tell as much as one, where they stand in groups.

    Returns:
        True where nothing is known: fewer than 100 held-out samples, or 20 of the class.
    """
    n_classes = 1 + int(torch.cat([label, usual_label]).max())
    here, there = (of.bincount(minlength=n_classes) for of in (label, usual_label))
    told = there >= FEWEST_OF_CLASS
    known, usable = told[label], told[usual_label]
    asked, usual, usual_label = against[known], usual[usable], usual_label[usable]
    if len(asked) == 0 or len(usual) < FEWEST_HELD_OUT * alike:
        return torch.ones_like(known)
    stands_for = (here / there.clamp_min(1))[usual_label].double()
    value, place = torch.cat([asked, usual]).unique(return_inverse=True)
    count = torch.zeros(2, len(value), dtype=torch.float64)
    count[0].index_add_(0, place[: len(asked)], torch.ones(len(asked), dtype=torch.float64))
    count[1].index_add_(0, place[len(asked) :], stands_for)
    found, expected = count.flip(1).cumsum(1).flip(1)
    best = int((found - 2 * expected).argmax())
    share = len(asked) / (len(asked) + len(usual))
    of_usual = float(expected[best]) * len(usual) / len(asked)
    n_found, n_usual = (round(n / alike) for n in (float(found[best]), of_usual))
    by_chance = binom.sf(n_found - 1, n_found + n_usual, share)
    if found[best] <= 2 * expected[best] or by_chance > LEVEL:
        return ~known | (against > usual.max())
    return ~known | (against >= value[best])
