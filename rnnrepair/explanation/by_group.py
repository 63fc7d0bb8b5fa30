"""Which recordings, people or machines the failures of a split are of."""

from collections import Counter
from collections.abc import Mapping, Sequence

from torch import Tensor

# Groups that are told in a line, and samples of a group on average, from which on it is one.
TOLD, LEAST_OF_GROUP = 3, 3
# Pairs of a group and a value, for each of them, up to which a column says what groups are.
NEARLY = 1.25


def failures_by_group(
    index: Tensor, failed: Tensor, groups: Tensor | None, columns: Mapping[str, Sequence[str]]
) -> str:
    """Tell in a line which groups of a split have most failures; empty where there are none.

    The column is told whose values part the split as the groups do: samples of one group belong
    together, so that no test can tell what they share from what else is the same within the group.

    Args:
        index: (n,) int64 samples of the split.
        failed: (n,) bool, which of them are failures.
        groups: what each sample of all splits belongs to, looked up by index; None where each
            stands alone.
        columns: what the user's data say of each sample, by the name of the column; looked up by
            index.

    Example:
        >>> import torch
        >>> people = ["ann"] * 4 + ["bob"] * 4 + ["cho"] * 4
        >>> failed = torch.tensor([1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0]).bool()
        >>> groups = torch.arange(12) // 4
        >>> failures_by_group(torch.arange(12), failed, groups, {"person": people})
        'Failures by person: ann 3 of 4, cho 1 of 4; 1 other of 3 has none.'
    """
    if groups is None or not bool(failed.any()):
        return ""
    group = groups[index].tolist()
    own = {name: [values[i] for i in index.tolist()] for name, values in columns.items()}
    column = next((name for name, values in own.items() if _parts_as(values, group)), None)
    if column is None:
        return ""
    size = Counter(own[column])
    wrong = Counter(v for v, f in zip(own[column], failed.tolist(), strict=True) if f)
    first = sorted(wrong, key=lambda value: (-wrong[value], value))
    told = ", ".join(f"{value} {wrong[value]} of {size[value]}" for value in first[:TOLD])
    more = f", and {len(first) - TOLD} more" if len(first) > TOLD else ""
    left = len(size) - len(first)
    none = f"; {left} other of {len(size)} {'has' if left == 1 else 'have'} none" if left else ""
    return f"Failures by {column}: {told}{more}{none}."


def _parts_as(values: Sequence[str], group: Sequence[int]) -> bool:
    """Return whether a column parts samples as their groups do.

    Nearly: copies of one recording join the groups of two people.
    """
    n_groups, n_values = len(set(group)), len(set(values))
    n_pairs = len(set(zip(group, values, strict=True)))
    several = n_groups > 1 and len(group) >= LEAST_OF_GROUP * n_values
    return several and n_pairs <= NEARLY * min(n_groups, n_values)
