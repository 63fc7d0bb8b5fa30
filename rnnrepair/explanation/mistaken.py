"""Which classes a network takes for which others."""

from torch import Tensor

from rnnrepair.sequences import Names

# Confusions told in a line.
TOLD = 3


def mistaken(confused: Tensor, names: Names) -> str:
    """Tell the most frequent confusions in a line, empty where there are none.

    Args:
        confused: (C, C) int64, see ``rnnrepair.scores.confusion``.
        names: of the classes.

    Example:
        >>> import torch
        >>> mistaken(torch.tensor([[8, 2], [1, 9]]), Names(("walk", "run")))
        'Most often mistaken: walk for run (2 of 10), run for walk (1 of 10).'
    """
    size, n_classes = confused.sum(1).tolist(), len(confused)
    wrong = (confused - confused.diag().diag()).flatten()
    frequent = wrong.argsort(descending=True, stable=True)[:TOLD].tolist()
    found = [
        f"{names.of_class(pair // n_classes)} for {names.of_class(pair % n_classes)} "
        f"({int(wrong[pair])} of {size[pair // n_classes]})"
        for pair in frequent
        if wrong[pair] > 0
    ]
    return f"Most often mistaken: {', '.join(found)}." if found else ""
