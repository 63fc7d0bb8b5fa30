"""What is told beside a pattern: why it may fail, and what else may be why."""

from collections.abc import Sequence

from torch import Tensor

from rnnrepair.patterns import Pattern

# How much rarer a group is in training than in the split, from which on that is told.
RARE = 0.5


def rare_in_training(found: Pattern, searched: int, n_split: int, split: str) -> str:
    """Say how few training samples are of a group or read a word, where these are few; else empty.

    Args:
        found: in a split.
        searched: training samples.
        n_split: samples of the split.
        split: its name.
    """
    # Of others, the training samples that have it are not counted.
    if found.kind not in ("group", "word"):
        return ""
    n = len(found.samples)
    here, there = n / searched, len(found.inside) / n_split
    if here > RARE * there:
        return ""
    has = "no sample has" if n == 0 else "1 sample has" if n == 1 else f"{n} samples have"
    return f"In training {has} it ({here:.1%}, {there:.1%} of {split})."


def or_wrong_labels(found: Pattern, index: Sequence[int], suspect: Tensor) -> str:
    """Say where wrong labels would explain most failures of a pattern as well, else empty.

    Args:
        found: in a split.
        index: of the M failures that are told.
        suspect: (M,) bool, whether anything speaks against their labels.
    """
    members = set(found.members.tolist())
    doubted = [bool(of) for i, of in zip(index, suspect.tolist(), strict=True) if i in members]
    # Of a few, their own lines say so.
    if not doubted or 2 * sum(doubted) < len(doubted):
        return ""
    return (
        f"Or wrong labels: {sum(doubted)} of its {len(doubted)} that are told look, as they are, "
        "like training samples of the class that was predicted."
    )
