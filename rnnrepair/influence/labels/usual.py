"""How often inputs speak against a label that is right, told by samples of which none is used."""

import torch
from scipy.stats import binom
from torch import Tensor

# Of a binomial test: training samples are denser than held-out ones beyond chance.
LEVEL = 0.001


def beyond_usual(against: Tensor, label: Tensor, usual: Tensor, usual_label: Tensor) -> Tensor:
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
        usual: (m,) the same of held-out samples, against what the network says of them.
        usual_label: (m,) int64 what it says.

    Returns:
        True where nothing is known of a class: nobody has said it of a held-out sample.
    """
    n_classes = 1 + int(torch.cat([label, usual_label]).max())
    here, there = (of.bincount(minlength=n_classes) for of in (label, usual_label))
    known = there[label] > 0
    asked, stands_for = against[known], (here / there.clamp_min(1))[usual_label].double()
    if len(asked) == 0:
        return ~known
    value, place = torch.cat([asked, usual]).unique(return_inverse=True)
    count = torch.zeros(2, len(value), dtype=torch.float64)
    count[0].index_add_(0, place[: len(asked)], torch.ones(len(asked), dtype=torch.float64))
    count[1].index_add_(0, place[len(asked) :], stands_for)
    found, expected = count.flip(1).cumsum(1).flip(1)
    best = int((found - 2 * expected).argmax())
    share = len(asked) / (len(asked) + len(usual))
    of_usual = float(expected[best]) * len(usual) / len(asked)
    by_chance = binom.sf(float(found[best]) - 1, round(float(found[best]) + of_usual), share)
    if found[best] <= 2 * expected[best] or by_chance > LEVEL:
        return ~known | (against > usual.max())
    return ~known | (against >= value[best])
