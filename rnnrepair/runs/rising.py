"""Whether a network was still learning when its base training ended."""

import math
from collections.abc import Sequence


def still_rising(accuracies: Sequence[float], n: int) -> bool:
    """Return whether the last third of the looks is better than all before it, beyond chance.

    The best accuracy of the last third must exceed the best of the first two thirds by more than
    its own standard error. Of twice as many looks the best is higher by chance alone, so a flat
    curve is rarely called a rising one (docs/method.md 6.6).

    Args:
        accuracies: on one split, in the order of training.
        n: samples of the split.

    Example:
        >>> still_rising([0.5, 0.6, 0.7], n=400), still_rising([0.5, 0.7, 0.71], n=400)
        (True, False)
    """
    late = len(accuracies) // 3
    if late == 0 or n == 0:
        return False
    early, best = max(accuracies[:-late]), max(accuracies[-late:])
    return best - early > math.sqrt(best * (1 - best) / n)
