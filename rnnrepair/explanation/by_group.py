"""Which recordings, people or machines the failures of a split are of."""

from collections import Counter
from collections.abc import Mapping, Sequence

from torch import Tensor

# Groups that are told in a line, and samples of a group on average, from which on it is one.
TOLD, LEAST_OF_GROUP = 3, 3


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
    size = Counter(group)
    if len(size) < 2 or len(group) < LEAST_OF_GROUP * len(size):
        return ""
    column = next((name for name, v in columns.items() if _parts_as(v, index, group)), None)
    if column is None:
        return ""
    called = dict(zip(group, (columns[column][i] for i in index.tolist()), strict=True))
    wrong = Counter(g for g, f in zip(group, failed.tolist(), strict=True) if f)
    first = sorted(wrong, key=lambda g: (-wrong[g], called[g]))
    told = ", ".join(f"{called[g]} {wrong[g]} of {size[g]}" for g in first[:TOLD])
    more = f", and {len(first) - TOLD} more" if len(first) > TOLD else ""
    left = len(size) - len(first)
    none = f"; {left} other of {len(size)} {'has' if left == 1 else 'have'} none" if left else ""
    return f"Failures by {column}: {told}{more}{none}."


def _parts_as(values: Sequence[str], index: Tensor, group: list[int]) -> bool:
    """Return whether each group has one value, and no two the same."""
    pairs = set(zip(group, (values[i] for i in index.tolist()), strict=True))
    return len(pairs) == len({g for g, _ in pairs}) == len({value for _, value in pairs})
