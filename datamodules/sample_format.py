"""Where inputs, length and label stand in a user's items: read from there, and written back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import torch
from torch import Tensor

from rnnrepair.datamodules.values import are_readable, as_tensor, described, in_form_of
from rnnrepair.errors import DataError
from rnnrepair.sequences import Kind

# The place of a value in an item: a position, a key or the name of a field.
Key = int | str


class Ends(StrEnum):
    """How the length of a sequence is known: which of the steps of an item are read."""

    WHOLE = "all are read (no length, mask or padding was found)"
    LENGTH = "as many are read as its length says"
    MASK = "as many are read as its mask says"
    PADDING = "those before the padding are read"


@dataclass(frozen=True)
class Sample:
    """What an analysis reads of an item.

    Attributes:
        sequence: (T, F) float32 features, or (T,) int64 tokens, without padding.
        label: its class, a number.
        n_steps: steps of the item, padding included.
        static: further inputs by name.
        beside: (T, ...) further inputs by name.
    """

    sequence: Tensor
    label: float
    n_steps: int
    static: dict[str, Tensor]
    beside: dict[str, Tensor]


@dataclass(frozen=True)
class SampleFormat:
    """The form of a user's items; what it does not name stays in an item as it is.

    Attributes:
        kind: of the data.
        inputs: place of the sequence.
        label: place of the class.
        length: place of the number of steps, None without one.
        mask: place of what tells steps from padding, None without one.
        static: places of further inputs.
        beside: places of further inputs that have an entry for each step.
        ends: how lengths are known.
        padding: what stands behind the end.
        width: steps of every item, padding included; 0 where they differ.
        channel: whether inputs are (1, T, F).
        column: whether inputs are floats (T,), one a step.
        names: of further inputs that are not called by their places.
        steps_last: whether inputs are (F, T).
        in_front: token that shorter texts begin with; it is read like any other. None where nothing
            stands in front.
    """

    kind: Kind
    inputs: Key
    label: Key
    length: Key | None = None
    mask: Key | None = None
    static: tuple[Key, ...] = ()
    beside: tuple[Key, ...] = ()
    ends: Ends = Ends.WHOLE
    padding: float = 0
    width: int = 0
    channel: bool = False
    column: bool = False
    names: tuple[tuple[Key, str], ...] = ()
    steps_last: bool = False
    in_front: int | None = None

    def name_of(self, key: Key) -> str:
        """Return what a further input is called."""
        return dict(self.names).get(key, str(key))

    @property
    def told(self) -> str:
        """One line for people."""
        last = ", steps last" if self.steps_last else ""
        parts = [f"inputs {self.inputs!r} ({self.kind}{last})", f"label {self.label!r}"]
        parts += [f"length {self.length!r}"] if self.length is not None else []
        parts += [f"mask {self.mask!r}"] if self.mask is not None else []
        static, beside = (list(map(self.name_of, keys)) for keys in (self.static, self.beside))
        parts += [f"further inputs {static}"] if static else []
        parts += [f"further inputs a step {beside}"] if beside else []
        steps = f"of {self.width} steps" if self.width else "of any number of steps"
        unpadded = self.ends is Ends.WHOLE and (self.width or not self.padding)
        padded = "" if unpadded else f", padded with {self.padding:g}"
        told = f"{', '.join(parts)}; {steps}{padded}, {self.ends.value}"
        if self.in_front is not None:
            told += f"; texts are compared without the {self.in_front} that stand in front of them"
        return told

    def read(self, item: Any) -> Sample:
        """Return what an analysis reads of an item.

        Raises:
            DataError: it is not of this form; says what was expected, without naming the item.
        """
        steps = self._steps(numbers_at(item, self.inputs))
        length = self._length(item, steps)
        sequence = steps[:length]
        if length < 1:
            raise DataError("it has no steps; every sequence needs at least one: leave it out")
        if sequence.is_floating_point() and not bool(are_readable(sequence).all()):
            step, *feature = (~are_readable(sequence)).nonzero()[0].tolist()
            where = f"{sequence[(step, *feature)]:g} at step {step + 1}"
            where += f", feature {feature[0]}" if feature else ""
            raise DataError(
                f"its inputs hold {where}, before their end: fill it in, or leave the sequence out"
            )
        if not sequence.is_floating_point() and bool((sequence < 0).any()):
            step = int((sequence < 0).nonzero()[0, 0])
            raise DataError(
                f"its inputs hold {int(sequence[step])} at step {step + 1}, before their end: "
                "whole numbers are tokens, which begin at 0. Give readings of a series as floats "
                "(x.float(), numpy: x.astype('float32')), and pad tokens with 0 or more"
            )
        return Sample(
            sequence,
            _single(item, self.label, "label"),
            len(steps),
            {self.name_of(k): _floats(numbers_at(item, k)) for k in self.static},
            {self.name_of(k): self._beside(item, k, steps)[:length] for k in self.beside},
        )

    def write(
        self,
        item: Any,
        sequence: Tensor,
        label: int,
        static: Mapping[str, Tensor] | None = None,
        beside: Mapping[str, Tensor] | None = None,
    ) -> Any:
        """Return an item with other contents; what is not given is that of ``item``.

        Args:
            item: of this form.
            sequence: (T, F) features or (T,) tokens, without padding.
            label: its class.
            static: further inputs by name.
            beside: (T, ...) further inputs by name, padded or not.
        """
        length = len(sequence)
        width = max(self.width, length)
        changed = {self.inputs: self._shaped(padded(sequence, width, self.padding))}
        changed[self.label] = torch.tensor(label)
        if self.length is not None:
            changed[self.length] = torch.tensor(length)
        if self.mask is not None:
            changed[self.mask] = torch.arange(width) < length
        changed |= {key: static[self.name_of(key)] for key in self.static if static is not None}
        for key in self.beside if beside is not None else ():
            values = beside[self.name_of(key)]  # type: ignore[index]  # there is none without it
            changed[key] = padded(values[:width], width, 0)
        return with_values(item, changed)

    def relabelled(self, item: Any, label: int) -> Any:
        """Return an item with another label."""
        return with_values(item, {self.label: torch.tensor(label)})

    def _steps(self, values: Tensor) -> Tensor:
        """Return all (W, F) or (W,) steps of an item's inputs."""
        if self.channel:
            values = values.squeeze(0)
        if self.steps_last:
            values = values.mT
        if not values.is_floating_point():
            return values.long()
        return values.float()[:, None] if self.column else values.float()

    def _shaped(self, steps: Tensor) -> Tensor:
        steps = steps.squeeze(-1) if self.column else steps
        steps = steps.mT if self.steps_last else steps
        return steps[None] if self.channel else steps

    def _length(self, item: Any, steps: Tensor) -> int:
        if self.ends is Ends.WHOLE:
            return len(steps)
        if self.ends is Ends.MASK:
            return int((numbers_at(item, self.mask) != 0).sum())
        if self.ends is Ends.PADDING:
            return ends_at(steps, self.padding)
        if len(steps) == 0:
            return 0
        length = _single(item, self.length, "length")
        if length != round(length) or not 1 <= length <= len(steps):
            raise DataError(
                f"its length is {length:g}, and its input has {len(steps)} steps: a length is a "
                f"whole number from 1 to {len(steps)}"
            )
        return int(length)

    def _beside(self, item: Any, key: Key, steps: Tensor) -> Tensor:
        values = numbers_at(item, key)
        if len(values) != len(steps):
            raise DataError(
                f"its further input {key!r} has {len(values)} steps, its inputs {len(steps)}: "
                "expected as many"
            )
        return _floats(values)


def value_at(item: Any, key: Key | None) -> Any:
    """Return a value of an item."""
    return getattr(item, key) if _is_named(item) else item[key]  # type: ignore[arg-type]


def keys_of(item: Any) -> list[Key]:
    """Return the places of an item's values.

    Raises:
        DataError: it is neither a tuple, a list, a named tuple nor a dict.
    """
    if isinstance(item, dict):
        return list(item)
    if _is_named(item):
        return list(item._fields)
    if isinstance(item, tuple | list):
        return list(range(len(item)))
    raise DataError(
        f"it is {described(item)}: expected (inputs, label), (inputs, length, label), a dict or a "
        "named tuple"
    )


def numbers_at(item: Any, key: Key | None) -> Tensor:
    """Return the numbers at a place of an item.

    Raises:
        DataError: there is nothing, or no numbers.
    """
    try:
        value = value_at(item, key)
    except (AttributeError, IndexError, KeyError) as error:
        raise DataError(f"it has no {key!r}") from error
    found = as_tensor(value)
    if found is None:
        raise DataError(f"its {key!r} is {described(value)}: expected numbers")
    return found


def with_values(item: Any, changed: Mapping[Key, Tensor]) -> Any:
    """Return a copy of an item with other numbers, each in the type of what it takes the place of.

    A single number keeps the shape of the one before.
    """
    new: dict[Any, Any] = {}
    for key, numbers in changed.items():
        before = value_at(item, key)
        single = numbers.dim() == 0 and isinstance(as_tensor(before), Tensor)
        shape = as_tensor(before).shape if single else numbers.shape  # type: ignore[union-attr]
        new[key] = in_form_of(before, numbers.reshape(shape))
    if isinstance(item, dict):
        return {**item, **new}
    if _is_named(item):
        return item._replace(**new)
    return type(item)(new.get(key, value) for key, value in enumerate(item))


def padded(steps: Tensor, width: int, padding: float) -> Tensor:
    """Return (T, ...) steps as (``width``, ...)."""
    if len(steps) == width:
        return steps
    behind = torch.full((width - len(steps), *steps.shape[1:]), padding).to(steps.dtype)
    return torch.cat([steps, behind])


def ends_at(steps: Tensor, padding: float) -> int:
    """Return how many of (W, ...) steps stand before a tail of padding."""
    values = steps.flatten(1) if steps.dim() > 1 else steps[:, None]
    is_padding = values.isnan() if padding != padding else values == padding
    real = (~is_padding.all(1)).nonzero()
    return int(real[-1]) + 1 if len(real) else 0


def stacked(values: Sequence[Tensor], width: int | None = None, padding: float = 0) -> Tensor:
    """Return tensors that may differ in their first dimension as one, padded to the longest."""
    if values[0].dim() == 0:
        return torch.stack(list(values))
    longest = max(len(value) for value in values)
    width = longest if width is None else max(width, longest)
    return torch.stack([padded(value, width, padding) for value in values])


def _is_named(item: Any) -> bool:
    return isinstance(item, tuple) and hasattr(item, "_fields")


def _single(item: Any, key: Key | None, what: str) -> float:
    values = numbers_at(item, key)
    if values.numel() != 1:
        raise DataError(
            f"its {what} {key!r} is {described(value_at(item, key))}: expected one number"
        )
    return float(values)


def _floats(values: Tensor) -> Tensor:
    """Return floats in single precision, other numbers as they are."""
    return values.float() if values.is_floating_point() else values
