"""From what a module returns to logits of C classes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from enum import StrEnum
from typing import Any

import torch
from torch import Tensor

from rnnrepair.errors import ConfigurationError

# Keys under which modules return logits, in order of preference.
PREFERRED = (
    *("logits", "logit", "scores", "score", "probs", "probabilities", "y_hat", "y_pred"),
    *("output", "outputs", "out", "pred", "preds", "prediction", "predictions"),
)
# Rounding may carry a probability this far out of [0, 1].
ROUNDING = 1e-5
# How near to an end of [0, 1] a squashed number comes where its input is far away.
SATURATED = 0.05


class Meaning(StrEnum):
    """What the numbers of an output are."""

    LOGITS = "logits (or log-probabilities)"
    PROBABILITIES = "probabilities"
    ONE_LOGIT = "one logit of two classes"
    ONE_PROBABILITY = "one probability of two classes"


@dataclass(frozen=True)
class Decoder:
    """Takes logits out of what a module returns.

    Attributes:
        key: of a tuple, list, mapping or data class; None where the output is the tensor itself.
        meaning: of the numbers.
        n_classes: C.
    """

    key: int | str | None = None
    meaning: Meaning = Meaning.LOGITS
    n_classes: int = 2

    def __call__(self, output: Any, n_rows: int) -> Tensor:
        """Return (B, C) logits; their argmax is the class that the module's user decides for."""
        values = _entry(output, self.key)
        if self.meaning in {Meaning.ONE_LOGIT, Meaning.ONE_PROBABILITY}:
            one = values.reshape(n_rows)
            if self.meaning == Meaning.ONE_PROBABILITY:
                # Saturated ones stay finite: differences of infinite logits are no numbers.
                one = torch.logit(one, eps=torch.finfo(one.dtype).eps)
            return torch.stack([torch.zeros_like(one), one], 1)
        values = values.reshape(n_rows, self.n_classes)
        if self.meaning == Meaning.PROBABILITIES:
            return values.clamp_min(torch.finfo(values.dtype).tiny).log()
        return values

    @property
    def told(self) -> str:
        """What is read, for people."""
        where = "" if self.key is None else f"entry {self.key!r}: "
        return f"{where}{self.meaning.value}"


def find_decoder(
    output: Any,
    n_rows: int,
    n_classes: int,
    squashed: Sequence[Tensor],
    far: Callable[[], Any],
) -> Decoder:
    """Find the logits among what a module returns.

    Args:
        output: of the module.
        n_rows: B, different from the number of steps and of classes.
        n_classes: C.
        squashed: what sigmoids and softmaxes returned on the way to the output.
        far: makes the output of states far away: logits leave [0, 1] there, probabilities come to
            its ends.

    Raises:
        ConfigurationError: no entry is one row of C numbers a sequence, or several are.
    """
    entries = dict(_entries(output))
    several = {k: v for k, v in entries.items() if _is_row(v, n_rows, n_classes)}
    single = {k: v for k, v in entries.items() if n_classes == 2 and _is_row(v, n_rows, 1)}
    found = several or single
    if not found:
        raise ConfigurationError(_refusal(entries, n_rows, n_classes))
    key = _chosen(found)
    values = [found[key]]
    bounded = _in_unit_interval(values[0])
    if bounded and not any(_same_numbers(values[0], one) for one in squashed):
        values.append(_entry(far(), key))
        bounded = _in_unit_interval(values[1]) and _at_the_ends(values[1])
    if not several:
        return Decoder(key, Meaning.ONE_PROBABILITY if bounded else Meaning.ONE_LOGIT, 2)
    rows = [v.reshape(n_rows, n_classes) for v in values]
    sums_to_one = all(torch.allclose(r.sum(1), r.new_ones(()), atol=1e-3) for r in rows)
    meaning = Meaning.PROBABILITIES if bounded and sums_to_one else Meaning.LOGITS
    return Decoder(key, meaning, n_classes)


def possible_decoders(output: Any, n_rows: int, n_classes: int) -> Iterator[Decoder]:
    """Yield every way to take an output, or an entry of it, for a row of C classes a sequence.

    Args:
        output: of a module.
        n_rows: B, different from the number of steps and of classes.
        n_classes: C.
    """
    for key, value in _entries(output):
        if not value.is_floating_point():
            continue
        if _is_row(value, n_rows, n_classes):
            yield Decoder(key, Meaning.LOGITS, n_classes)
            yield Decoder(key, Meaning.PROBABILITIES, n_classes)
        elif n_classes == 2 and _is_row(value, n_rows, 1):
            yield Decoder(key, Meaning.ONE_LOGIT)
            yield Decoder(key, Meaning.ONE_PROBABILITY)


def _entries(output: Any) -> Iterator[tuple[int | str | None, Tensor]]:
    if isinstance(output, Tensor):
        yield None, output
        return
    pairs: list[tuple[Any, Any]] = []
    if isinstance(output, Mapping):
        pairs = list(output.items())
    elif isinstance(output, tuple | list):
        names = getattr(output, "_fields", range(len(output)))  # a named tuple has names
        pairs = list(zip(names, output, strict=True))
    elif is_dataclass(output):
        pairs = [(field.name, getattr(output, field.name)) for field in fields(output)]
    yield from ((key, value) for key, value in pairs if isinstance(value, Tensor))


def _entry(output: Any, key: int | str | None) -> Tensor:
    entry: Tensor
    if key is None:
        entry = output
    elif is_dataclass(output) or (isinstance(output, tuple) and isinstance(key, str)):
        entry = getattr(output, str(key))
    else:
        entry = output[key]
    return entry


def _is_row(value: Tensor, n_rows: int, width: int) -> bool:
    """Whether a tensor is (B, width), with dimensions of one before, or none where width is 1."""
    shape = [*value.shape]
    while len(shape) > 2 and shape[0] == 1:
        shape = shape[1:]
    return shape == [n_rows, width] or (width == 1 and shape == [n_rows])


def _chosen(found: Mapping[int | str | None, Tensor]) -> int | str | None:
    named = next((name for name in PREFERRED if name in found), None)
    if named is None and len(found) > 1:
        raise ConfigurationError(
            f"The entries {list(found)} of what the module returns could all be its answer: pick "
            "one with call=lambda module, batch: module(...)[...]."
        )
    return next(iter(found)) if named is None else named


def _in_unit_interval(values: Tensor) -> bool:
    return bool(((values >= -ROUNDING) & (values <= 1 + ROUNDING)).all())


def _at_the_ends(values: Tensor) -> bool:
    """Whether some of the numbers come near to 0 or 1; a bounded logit stays where it is."""
    return bool(((values < SATURATED) | (values > 1 - SATURATED)).any())


def _same_numbers(values: Tensor, other: Tensor) -> bool:
    return values.numel() == other.numel() and torch.equal(values.flatten(), other.flatten())


def _refusal(entries: Mapping[int | str | None, Tensor], n_rows: int, n_classes: int) -> str:
    shapes: Any = {key: tuple(value.shape) for key, value in entries.items()}
    if len(shapes) == 1:
        (shapes,) = shapes.values()  # of a tensor by itself, or the only one
    told = (
        f"The module returns {shapes or 'no tensor'} for {n_rows} sequences, expected "
        f"({n_rows}, {n_classes}): one row of {n_classes} classes a sequence"
    )
    if n_classes == 2:
        told += ", or one number a sequence"
    widths = {v.shape[-1] for v in entries.values() if v.dim() == 2 and v.shape[0] == n_rows}
    if widths:
        return (
            f"{told}. The data have {n_classes} classes and its head has {widths.pop()} outputs: "
            "make them agree (num_classes of the data, the last layer of the network). Where "
            "forward leaves the head out: call=lambda module, batch: module.head(module(...))."
        )
    if any(v.dim() == 3 and v.shape[-1] == n_classes for v in entries.values()):
        return (
            f"{told}. It seems to return one row a step: labels per step are not supported; where "
            "the loss reads one step or a mean, do that in forward, or say it with call=."
        )
    return f"{told}. Return that, or pick it with call=lambda module, batch: module(...)[...]."
