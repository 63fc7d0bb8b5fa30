"""Views of a batch that a module may be given, and how they are recognised."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from rnnrepair.sequences import SequenceBatch

View = Callable[[SequenceBatch], Any]

# Given for a loss; no answer may depend on them.
LABELS = "the labels"

VIEWS: dict[str, View] = {
    "inputs": lambda b: b.inputs,
    "inputs, steps first": lambda b: b.inputs.transpose(0, 1),
    "inputs, steps last": lambda b: b.inputs.transpose(1, -1),
    "inputs, as one feature": lambda b: b.inputs.unsqueeze(-1),
    "inputs, the one feature": lambda b: b.inputs.squeeze(-1),
    "inputs, the one feature, steps first": lambda b: b.inputs.squeeze(-1).transpose(0, 1),
    "inputs, as one channel": lambda b: b.inputs.unsqueeze(1),
    "inputs, flat": lambda b: b.inputs.flatten(1),
    "inputs, 0 for NaN": lambda b: b.inputs.nan_to_num(),
    "inputs, the one feature, 0 for NaN": lambda b: b.inputs.nan_to_num().squeeze(-1),
    "lengths": lambda b: b.lengths,
    "the longest length": lambda b: int(b.lengths.max()),
    "the longest length, a tensor": lambda b: b.lengths.max(),
    "the number of steps": lambda b: b.inputs.shape[1],
    "the number of sequences": lambda b: b.inputs.shape[0],
    "the mask of real steps": lambda b: b.mask,
    "the mask of padding": lambda b: ~b.mask,
    "where inputs are not 0": lambda b: b.inputs != 0,
    "where inputs are 0": lambda b: b.inputs == 0,
    "where inputs are NaN": lambda b: b.inputs.isnan(),
    "where inputs are not NaN": lambda b: ~b.inputs.isnan(),
    "the whole batch": lambda b: b,
    LABELS: lambda b: b.label,
}

# What a batch holds beside its sequences, by name.
FURTHER = ("static", "beside")

CASTS: dict[str, Callable[[Any], Any]] = {
    "": lambda v: v,
    " as floats": lambda v: v.float(),
    " as doubles": lambda v: v.double(),
    " as whole numbers": lambda v: v.long(),
    " as int32": lambda v: v.int(),
    " on the CPU": lambda v: v.cpu(),
    " as a list": lambda v: v.tolist(),
    " as a column": lambda v: v.unsqueeze(-1),
    " as a column of floats": lambda v: v.float().unsqueeze(-1),
}


def views_of(batch: SequenceBatch) -> dict[str, View]:
    """Return all views of a batch by name, those of its further inputs too."""

    def further(kind: str, name: str) -> View:
        return lambda b: getattr(b, kind)[name]

    more = {further_input(n): further(kind, n) for kind in FURTHER for n in getattr(batch, kind)}
    return VIEWS | more


def further_input(name: str) -> str:
    """Return what the view of a further input is called."""
    return f"further input {name!r}"


# What numbers of the other batch are multiplied with, and added to them where they are whole.
FACTOR, SHIFT = 1000, 1_000_003


def recognise(values: Sequence[Any], batches: Sequence[SequenceBatch]) -> tuple[str, View] | None:
    """Return what a value is, with its name: the same view of every batch, or always the same.

    Args:
        values: for each batch.
        batches: unlike each other, see ``unlike``.
    """
    if all(isinstance(value, tuple | list) for value in values):
        return _recognise_each(values, batches)
    if all(isinstance(value, dict) for value in values):
        return _recognise_named(values, batches)
    for what, view in views_of(batches[0]).items():
        for kind, cast in CASTS.items():
            chosen = then(view, cast)
            if all(_same(v, partial(chosen, b)) for v, b in zip(values, batches, strict=True)):
                return f"{what}{kind}", chosen
    first = values[0]
    if first is None or isinstance(first, bool | int | float | str):
        same = all(type(value) is type(first) and value == first for value in values)
        return (repr(first), always(first)) if same else None
    if isinstance(first, Tensor) and all(value is first for value in values):
        return "always the same tensor", always(first)
    return _filled(values, batches)


def unlike_each(batch: SequenceBatch) -> Iterator[SequenceBatch]:
    """Yield batches with less and less unlike a batch, for code that checks what it is given."""
    for longer in (True, False):
        for wild in (True, False):
            yield unlike(batch, wild=wild, longer=longer)


def unlike(batch: SequenceBatch, *, wild: bool = True, longer: bool = True) -> SequenceBatch:
    """Return a batch of other sizes, lengths and numbers, longest first, wider than the longest.

    Args:
        batch: of which the numbers are.
        wild: whether the numbers go far beyond those of the data; those of the padding too.
        longer: whether it has more steps.
    """
    # No multiple of T rows: code that has T in it would fold others into it.
    n = next(n for n in (len(batch) + 2, len(batch) + 3) if n % max(batch.inputs.shape[1], 2))
    rows = torch.arange(n, device=batch.index.device).roll(1) % len(batch)

    # Real steps again where padding stands: what is told from padding by its numbers stays so.
    again = torch.arange(batch.inputs.shape[1], device=rows.device) % batch.lengths[:, None]

    def other(values: Tensor) -> Tensor:
        given = values[rows[:, None], again[rows]]
        steps = torch.cat([given.flip(0), given, given[:, :1]], 1) if longer else given.flip(0)
        return _far_off(steps) if wild else steps

    inputs = other(batch.inputs)
    lengths = (inputs.shape[1] - 1 - torch.arange(n).to(batch.lengths)).clamp_min(1)
    return SequenceBatch(
        batch.index[rows],
        inputs,
        lengths,
        batch.label[rows],
        {k: _far_off(v[rows]) if wild else v[rows] for k, v in batch.static.items()},
        {k: other(v) for k, v in batch.beside.items()},
    )


def _far_off(values: Tensor) -> Tensor:
    """Return numbers that the data do not have; truth values stay as they are."""
    if values.is_floating_point():
        signs = torch.ones(len(values), device=values.device, dtype=values.dtype)
        signs[::2] = -1
        return FACTOR * values * signs.view(-1, *[1] * (values.dim() - 1))
    return values + SHIFT if values.dtype in {torch.int32, torch.int64} else values


def same_value(left: Any, right: Any) -> bool:
    """Whether two values are the same numbers, NaN too, of the same type, shape and device."""
    if type(left) is not type(right):
        return False
    if isinstance(left, Tensor):
        alike = left.shape == right.shape and left.dtype == right.dtype
        return alike and left.device == right.device and _equal(left, right)
    if isinstance(left, SequenceBatch):
        return same_value(vars(left), vars(right))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same_value(v, right[k]) for k, v in left.items())
    if isinstance(left, tuple | list):
        same_number = len(left) == len(right)
        return same_number and all(same_value(*pair) for pair in zip(left, right, strict=True))
    return left is right or bool(left == right)


def _equal(left: Tensor, right: Tensor) -> bool:
    if torch.equal(left, right):
        return True
    floats = left.is_floating_point()
    return floats and torch.allclose(left, right, rtol=0, atol=0, equal_nan=True)


def always(value: Any) -> View:
    """Return the view that does not look at the batch."""
    return lambda _: value


def then(view: View, cast: Callable[[Any], Any]) -> View:
    """Return the view that is cast."""
    return lambda batch: cast(view(batch))


def _recognise_each(
    values: Sequence[Any], batches: Sequence[SequenceBatch]
) -> tuple[str, View] | None:
    kind = type(values[0])
    # A list of all lengths is one view, not one a sequence.
    for what, view in views_of(batches[0]).items():
        chosen = then(view, CASTS[" as a list"])
        if all(_same(v, partial(chosen, b)) for v, b in zip(values, batches, strict=True)):
            return f"{what} as a list", chosen
    if len({len(value) for value in values}) > 1:
        return None
    parts = [recognise(each, batches) for each in zip(*values, strict=True)]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    views = [view for _, view in known]
    made = kind._make if hasattr(kind, "_make") else kind  # named tuples
    return f"({', '.join(what for what, _ in known)})", lambda b: made(v(b) for v in views)


def _recognise_named(
    values: Sequence[dict[Any, Any]], batches: Sequence[SequenceBatch]
) -> tuple[str, View] | None:
    if len({tuple(value) for value in values}) > 1:
        return None
    parts = {key: recognise([value[key] for value in values], batches) for key in values[0]}
    known = {key: part for key, part in parts.items() if part is not None}
    if len(known) < len(parts):
        return None
    told = ", ".join(f"{key}: {what}" for key, (what, _) in known.items())
    return f"{{{told}}}", lambda b: {key: view(b) for key, (_, view) in known.items()}


def _filled(values: Sequence[Any], batches: Sequence[SequenceBatch]) -> tuple[str, View] | None:
    """Recognise a tensor of one number, such as an initial state of zeros, with B or T rows."""
    if not all(isinstance(value, Tensor) and value.numel() for value in values):
        return None
    first = values[0]
    if any(value.dim() != first.dim() for value in values):
        return None
    number = first.flatten()[0]
    if any(v.dtype != first.dtype or bool((v != number).any()) for v in values):
        return None
    sizes: list[View] = []
    for each in zip(*[value.shape for value in values], strict=True):
        size = recognise(each, batches)
        if size is None:
            return None
        sizes.append(size[1])
    fill, dtype = number.item(), first.dtype
    return f"all {fill:g}", lambda b: torch.full(
        [size(b) for size in sizes], fill, dtype=dtype, device=b.inputs.device
    )


def _same(value: Any, make: Callable[[], Any]) -> bool:
    """Whether a value is what ``make`` makes of the batch."""
    try:
        return same_value(value, make())
    except (AttributeError, IndexError, RuntimeError, TypeError):
        return False
