"""How many labels are wrong at most, from votes that know no label of the sample they judge."""

import numpy as np
import torch
from scipy.stats import chi2
from torch import Tensor

from rnnrepair.influence.labels.parts import are_grouped, grouped_size
from rnnrepair.seeding import derive_seed

# How much of what wrong labels look like is left out at most, so that hard samples are out of it,
# and samples that would be left, at least, if all labels were wrong: fewer tell nothing.
LEFT_OUT = 0.75
TAIL = 100
# The same where samples stand in groups: groups that would be left.
TAIL_OF_GROUPS = 25
STEPS = 30
# Repetitions until shares of wrong labels by class agree with each other.
FIXED_POINT = 20
# Of the upper limit of a count.
LEVEL = 0.95


def wrong_label_rate(
    votes: Tensor,
    label: Tensor,
    seed: int = 0,
    group: Tensor | None = None,
    level: float = LEVEL,
) -> float:
    """Return the share of the labels that is wrong at most, in [0, 1].

    A wrong label is one that another class's sample has been given: votes prefer that class to it
    by as much as they usually do for a sample of that class. Of samples with the label y that
    votes call c, the place of "c more than y" is looked up among the samples with the label c. For
    wrong labels it is uniform, whatever the classes; hard samples with right labels stand low, for
    votes hardly prefer anything to their label. Wrong labels among those that are looked up stand
    lowest of all and raise the others, so of a share w of wrong ones w(1 - s) / (1 - w') lies above
    s, with w' the share among those that are looked up, class by class. Every s gives a bound for w
    by the share that does lie above it (its 95 % limit, as counts vary). The smallest is taken.

    It holds where wrong labels are given to easy and hard samples alike. Where only hard ones have
    them it is too low, and fewer are found.

    Source: ours; estimating the proportion of a mixture of which one component is known, after
    Blanchard, Lee and Scott, "Semi-Supervised Novelty Detection", JMLR 2010.

    Args:
        votes: (N, C) for each class; the sample's own label has no say in them, nor those of its
            group.
        label: (N,) int64.
        seed: of the order of equal votes.
        group: (N,) int64, equal where samples belong together: labels of one group are wrong
            together, and counts vary more. None where each stands alone.
        level: of the limit; at .5 it is as often too high as too low.

    Returns:
        1, which tells nothing, for 100 samples and fewer, or 25 groups and fewer.
    """
    n = len(label)
    group = torch.arange(n) if group is None else group
    alike, tail = grouped_size(group), TAIL_OF_GROUPS if are_grouped(group) else TAIL
    furthest = min(LEFT_OUT, 1 - tail * alike / max(n, 1))
    if furthest <= 0:
        return 1.0
    place, preferred = _places(votes.double().numpy(), label.numpy(), seed)
    left_out = np.linspace(0, furthest, STEPS)
    above = n - np.searchsorted(np.sort(place), left_out)
    # Of few wrong labels none may lie above by chance: the limit of what as few would still show.
    limit = alike * chi2.ppf(level, 2 * (above / alike + 1)) / 2
    seen = limit / (n * (1 - left_out))
    least = int(seen.argmin())
    shown = place > left_out[least]
    pure = _pure(shown, label.numpy(), preferred, votes.shape[1], 1 - left_out[least])
    return float(min(seen[least] * pure, 1.0))


def _pure(
    shown: np.ndarray, label: np.ndarray, preferred: np.ndarray, n_classes: int, share: float
) -> float:
    """Return how much of what lies above is there whether labels of the preferred class are or not.

    Wrong labels among the samples that are looked up stand lowest, and raise all others.

    Args:
        shown: (N,) bool, samples above.
        label: (N,) int64.
        preferred: (N,) int64 classes that they were looked up among.
        n_classes: C.
        share: of the wrong labels that lie above.
    """
    if not shown.any():
        return 1.0
    size = np.bincount(label, minlength=n_classes).clip(1) * share
    weight = np.ones(len(label))
    for _ in range(FIXED_POINT):
        wrong = np.bincount(label[shown], weight[shown], n_classes) / size
        weight = 1 - wrong.clip(0, 0.5)[preferred]
    return float(weight[shown].mean())


def _places(votes: np.ndarray, label: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return (N,) places in (0, 1) of each sample among those of the class that votes prefer.

    And (N,) int64 these classes.
    """
    n, n_classes = votes.shape
    rows = np.arange(n)
    others = votes.copy()
    others[rows, label] = -np.inf
    # Nothing could be looked up among the samples of a class that has none.
    others[:, np.bincount(label, minlength=n_classes) == 0] = -np.inf
    preferred = others.argmax(1)
    by = votes[rows, preferred] - votes[rows, label]
    # Equal ones by chance: shares of 20 neighbours are often equal, and places must be uniform.
    chance = np.random.default_rng(derive_seed(seed, "equal votes")).random((n,))
    place = np.zeros(n)
    pair = label * n_classes + preferred
    for told in np.unique(pair):
        y, c = divmod(int(told), n_classes)
        usual = np.sort(votes[label == c, c] - votes[label == c, y])
        own = pair == told
        below, up_to = (np.searchsorted(usual, by[own], side) for side in ("left", "right"))
        place[own] = (below + chance[own] * (up_to - below + 1)) / (len(usual) + 1)
    return place, preferred
