"""Finds out how the length of a user's sequences is known, and what they are padded with."""

from collections.abc import Mapping

import torch
from torch import Tensor

from rnnrepair.datamodules.sample_format import Ends, Key, ends_at
from rnnrepair.errors import DataError


def find_ends(
    sequences: list[Tensor],
    numbers: Mapping[Key, list[Tensor]],
    length: Key | None,
    mask: Key | None,
    padding: float | None,
) -> tuple[Ends, float]:
    """Return how lengths are known, and what stands behind the end.

    Args:
        sequences: (W, F) or (W,) steps of some items, padding included.
        numbers: of those items, by their places.
        length: place of the number of steps, None without one.
        mask: place of what tells steps from padding, None without one.
        padding: what stands behind the end where nothing else tells it; found where None.
    """
    if length is not None:
        lengths = [int(value) for value in numbers[length]]
        tails = [s[n:] for n, s in zip(lengths, sequences, strict=True) if 0 < n < len(s)]
        return Ends.LENGTH, _filling(tails, padding)
    if mask is not None:
        lengths = [int((value != 0).sum()) for value in numbers[mask]]
        tails = [s[n:] for n, s in zip(lengths, sequences, strict=True)]
        return Ends.MASK, _filling([tail for tail in tails if len(tail)], padding)
    if padding is not None:
        return Ends.PADDING, padding
    if any(s.is_floating_point() and bool(s[-1].isnan().all()) for s in sequences):
        return Ends.PADDING, torch.nan
    found = _constant_tail(sequences)
    return (Ends.WHOLE, 0) if found is None else (Ends.PADDING, found)


def refuse_padded(parts: Mapping[str, list[Tensor]]) -> None:
    """Refuse arrays that are padded, but not all to the same number of steps.

    Their rows would be sequences of different lengths, and padding would be read as steps.

    Args:
        parts: sequences by the name of their array, padding included.

    Raises:
        DataError: names the array, and what to give.
    """
    for name, sequences in parts.items():
        padding = _constant_tail(sequences)
        if padding is not None:
            raise DataError(
                f"{name} is padded with {padding:g} to {len(sequences[0])} steps, and not all "
                "sequences have as many, so padding would be read as steps: give lengths= and "
                "lengths_test=, or pad x and x_test to the same number of steps."
            )


def token_in_front(sequences: list[Tensor]) -> int | None:
    """Return the token that most texts begin with, and that stands nowhere else; None without one.

    Args:
        sequences: (W, F) or (W,) steps of some items.
    """
    if any(s.is_floating_point() or s.dim() > 1 for s in sequences):
        return None
    found = _constant_tail([s.flip(0) for s in sequences if len(s.unique()) > 1])
    return None if found is None else int(found)


def _filling(tails: list[Tensor], padding: float | None) -> float:
    if padding is not None or not tails:
        return padding or 0
    first = tails[0].flatten()[0]
    return float(first) if first.is_floating_point() else int(first)


def _constant_tail(sequences: list[Tensor]) -> float | None:
    """Return the number that fills the ends of most items, and no step before them."""
    if len({len(s) for s in sequences}) > 1 or len(sequences) < 3:
        return None
    last = [s[-1].flatten() for s in sequences]
    constant = [float(v[0]) for v in last if bool((v == v[0]).all())]
    if len(constant) < len(sequences) / 2:
        return None
    common = float(torch.tensor(constant, dtype=torch.float64).mode().values)
    ends = [ends_at(s, common) for s in sequences]
    tails = {len(s) - n for s, n in zip(sequences, ends, strict=True) if n < len(s)}
    inside = [s[:n] for s, n in zip(sequences, ends, strict=True)]
    occurs = any(bool((s.flatten(1) == common).all(1).any()) for s in map(_columns, inside))
    padded = sum(n < len(s) for s, n in zip(sequences, ends, strict=True))
    if occurs or len(tails) < 3 or padded < len(sequences) / 2 or 0 in ends:
        return None
    return common if sequences[0].is_floating_point() else int(common)


def _columns(steps: Tensor) -> Tensor:
    return steps if steps.dim() > 1 else steps[:, None]
