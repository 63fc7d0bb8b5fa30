"""What a collate_fn does with items: whether it keeps all of them, and what it pads them with."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from rnnrepair.datamodules.sample_format import SampleFormat
from rnnrepair.datamodules.values import as_tensor
from rnnrepair.errors import DataError
from rnnrepair.tensors import tensors_in

Collate = Callable[[list[Any]], Any]


def check_collate(
    collate: Collate, items: Sequence[Any], form: SampleFormat, n_classes: int
) -> bool:
    """Refuse a collate_fn that drops or reorders samples; return whether that could be seen.

    Labels carry the numbers of the items, digit by digit, through a few batches.

    Args:
        collate: makes a batch of a list of items.
        items: n of them, of different lengths if there are.
        form: of the items.
        n_classes: C; a label is one of 0 .. C - 1.

    Raises:
        DataError: it fails, drops or reorders.
    """
    n_items, codes = len(items), None
    n_digits = next(d for d in range(2, 65) if n_classes**d >= n_items)
    for digit in range(n_digits):
        labels = [(number // n_classes**digit) % n_classes for number in range(n_items)]
        marked = [form.relabelled(i, label) for i, label in zip(items, labels, strict=True)]
        found = [leaf * n_classes**digit for leaf in _leaves(_collated(collate, marked, form))]
        if codes is None:
            codes = found
        elif [len(leaf) for leaf in codes] != [len(leaf) for leaf in found]:
            return False
        else:
            codes = [code + leaf for code, leaf in zip(codes, found, strict=True)]
    everyone = list(range(n_items))
    orders = [code.tolist() for code in codes or []]
    # Whatever is no label does not change with the labels, and so is no set of different numbers.
    orders = [o for o in orders if o and len(set(o)) == len(o) and set(o) <= set(everyone)]
    if not orders or everyone in orders:
        return everyone in orders
    order = max(orders, key=len)
    if len(order) < n_items:
        missing = sorted(set(everyone) - set(order))
        raise DataError(
            f"collate_fn drops samples: of {n_items} items it makes a batch of {len(order)}, and "
            f"numbers {missing} of them are missing. Leave out in the data set what is not to be "
            "trained on."
        )
    raise DataError(
        f"collate_fn reorders samples: items 0 .. {n_items - 1} come out as "
        f"{[int(number) for number in order]}. Keep the order (pack_padded_sequence sorts by "
        "itself with enforce_sorted=False)."
    )


def filling_of(collate: Collate, items: Sequence[Any], form: SampleFormat) -> float | None:
    """Return the number that a collate_fn puts behind shorter sequences.

    Args:
        collate: makes a batch of a list of items.
        items: of different lengths.
        form: of the items.

    Returns:
        None where that cannot be seen: all are of one length, or the batch does not hold them one
        below the other, or one beside the other, unchanged and from the first step on.
    """
    sequences = [form.read(item).sequence for item in items]
    if len({len(sequence) for sequence in sequences}) == 1:
        return None
    for leaf in tensors_in(_collated(collate, list(items), form)):
        for rows in (leaf, leaf.transpose(0, 1)) if leaf.dim() > 1 else ():
            filling = _behind(rows, sequences)
            if filling is not None:
                return filling
    return None


def _behind(rows: Tensor, sequences: Sequence[Tensor]) -> float | None:
    """Return the one number that stands behind each of the sequences, if rows begin with them."""
    features = sequences[0][0].numel()
    if len(rows) != len(sequences) or rows[0].numel() % features:
        return None
    steps = rows.reshape(len(rows), -1, features)
    tails = []
    for row, sequence in zip(steps, sequences, strict=True):
        head = row[: len(sequence)]
        if not torch.equal(head.to(sequence.dtype), sequence.reshape(-1, features)):
            return None
        tails.append(row[len(sequence) :].flatten())
    found = torch.cat(tails)
    if not len(found) or bool((found.nan_to_num(torch.pi) != found[0].nan_to_num(torch.pi)).any()):
        return None
    return float(found[0])


def _collated(collate: Collate, items: list[Any], form: SampleFormat) -> Any:
    try:
        return collate(items)
    except Exception as error:
        steps = sorted({form.read(item).n_steps for item in items})
        advice = "mend it" if len(steps) < 2 else "give a collate_fn that pads them to one length"
        raise DataError(
            f"collate_fn raised {type(error).__name__} on items of {steps} steps ({error}): "
            f"{advice}."
        ) from error


def _leaves(batch: Any) -> Iterator[Tensor]:
    """Yield the (m,) whole numbers in a batch, of whatever form it is."""
    parts: Any = ()
    if isinstance(batch, dict):
        parts = batch.values()
    elif isinstance(batch, tuple | list) and as_tensor(batch) is None:
        parts = batch
    elif hasattr(batch, "__dict__") and not isinstance(batch, Tensor):
        parts = vars(batch).values()
    else:
        found = as_tensor(batch)
        if found is not None and found.dim() == 2 and found.shape[1] == 1:
            found = found[:, 0]
        whole = None if found is None or found.dim() != 1 else found.double()
        if whole is not None and torch.equal(whole, whole.round()):
            yield whole
        return
    for part in parts:
        yield from _leaves(part)
