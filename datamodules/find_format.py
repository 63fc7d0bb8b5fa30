"""Finds out where inputs, length and label stand in a user's items, by trying."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from rnnrepair.datamodules.item_form import check_form, form_of, item_described
from rnnrepair.datamodules.precision import tell_merged
from rnnrepair.datamodules.sample_format import Ends, Key, SampleFormat, keys_of, value_at
from rnnrepair.datamodules.sequence_ends import find_ends, token_in_front
from rnnrepair.datamodules.values import as_tensor, described
from rnnrepair.errors import DataError
from rnnrepair.sequences import Kind

log = logging.getLogger(__name__)

# Names of places, in small letters without underscores.
INPUTS = {"x", "xs", "input", "inputs", "inputids", "ids", "tokens", "data", "features", "seq"}
INPUTS |= {"sequence", "series", "signal", "text", "words", "image", "values"}
LABELS = {"y", "label", "labels", "target", "targets", "class", "cls", "classid"}
LENGTHS = {"length", "lengths", "len", "seqlen", "seqlength", "nsteps", "numsteps", "inputlength"}
MASKS = {"mask", "attentionmask", "inputmask", "validmask", "sequencemask"}
ROLES = ("inputs", "label", "length", "mask")

# Share of the items that are tried which must agree with what a place is taken for: one that is
# broken is refused by its index when all are read, and must not turn a length into an input.
MOST = 0.8

SAY = "say where they stand with fields=dict(inputs=..., label=..., length=...)"

Items = Sequence[Any]
Numbers = dict[Key, list[Tensor]]


def find_format(
    items: Items,
    index: Sequence[int],
    places: Sequence[str],
    kind: Kind | str | None = None,
    fields: Mapping[str, Key] | None = None,
    padding: float | None = None,
    *,
    steps_last: bool = False,
) -> SampleFormat:
    """Find out the form of items.

    Args:
        items: some, of different lengths if there are.
        index: of each in the training set.
        places: what messages call each.
        kind: of the data; tokens where inputs are whole numbers, else series, where None.
        fields: places of inputs, label, length or mask that are known, and of further inputs by the
            names that they shall have.
        padding: what stands behind the end of sequences that do not tell their length.
        steps_last: whether inputs are (F, T).

    Raises:
        DataError: there is no sequence or no label, or items of several forms; says what to write.
    """
    numbers = _numbers(items, places)
    _check_fields(fields or {}, numbers)
    told = {name: key for name, key in (fields or {}).items() if name in ROLES}
    named = {key: name for name, key in (fields or {}).items() if name not in ROLES}
    open_ones = {key: values for key, values in numbers.items() if key not in told.values()}
    inputs = told["inputs"] if "inputs" in told else _inputs(open_ones, items[0])
    sequences = _as_steps(numbers[inputs], inputs, steps_last=steps_last)
    free = [key for key in numbers if key not in {inputs, *told.values()}]
    mask = told.get("mask", _first(free, lambda key: _is_mask(key, numbers[key], sequences)))
    free = [key for key in free if key != mask]
    several = sum(numbers[key][0].numel() == 1 for key in free) > 1
    length = told.get(
        "length", _first(free, lambda key: _is_length(key, numbers[key], sequences, several))
    )
    own = [key for key in _indices(free, numbers, index) if key not in named]
    free = [key for key in free if key not in {length, *own}]
    unnamed = [key for key in free if key not in named]
    label = told["label"] if "label" in told else _label(unnamed, numbers, items[0])
    free = [key for key in free if key != label]
    _check_names(named, free)
    beside = tuple(key for key in free if _goes_beside(numbers[key], sequences))
    if mask is None:
        _tell_of_masks([key for key in beside if _masks_in_front(key, numbers[key])])
    tell_merged(sequences, f"inputs {inputs!r}")
    ends, padded_with = find_ends(sequences, numbers, length, mask, padding)
    first = numbers[inputs][0]
    return SampleFormat(
        _kind(kind, first, inputs),
        inputs,
        label,
        length,
        mask,
        tuple(key for key in free if key not in beside),
        beside,
        ends,
        padded_with,
        width=0 if len({len(s) for s in sequences}) > 1 else len(sequences[0]),
        channel=first.dim() == 3,
        column=first.dim() == 1 and first.is_floating_point(),
        names=tuple(named.items()),
        steps_last=steps_last,
        in_front=token_in_front(sequences) if ends is Ends.WHOLE else None,
    )


def _numbers(items: Items, places: Sequence[str]) -> Numbers:
    """Return the numbers at each place that holds any, of all items."""
    keys = []
    for item, place in zip(items, places, strict=True):
        try:
            keys.append(keys_of(item))
        except DataError as error:
            raise DataError(f"{place}: {error}.") from error
    first = form_of(items[0])
    for item, place in zip(items, places, strict=True):
        check_form(first, items[0], places[0], item, place)
    every = {key: [as_tensor(value_at(item, key)) for item in items] for key in keys[0]}
    found = {k: [v for v in values if v is not None] for k, values in every.items()}
    return {key: values for key, values in found.items() if len(values) == len(items)}


def _check_fields(fields: Mapping[str, Key], numbers: Numbers) -> None:
    missing = {name: key for name, key in fields.items() if key not in numbers}
    if missing:
        raise DataError(
            f"fields: {missing} hold no numbers in the items, which have {list(numbers)}."
        )


def _check_names(named: Mapping[Key, str], further: list[Key]) -> None:
    wrong = {name: key for key, name in named.items() if key not in further}
    if wrong:
        raise DataError(
            f"fields: {wrong} name further inputs, which stand at {further}; the other names are "
            f"{list(ROLES)}."
        )


def _inputs(numbers: Numbers, example: Any) -> Key:
    """Return the place of the sequence: by its name, else the first with steps and features."""
    arrays = [
        key
        for key, values in numbers.items()
        if values[0].dim() and any(value.numel() > 1 for value in values)
    ]
    named = [key for key in arrays if _plain(key) in INPUTS]
    wide = [key for key in arrays if numbers[key][0].dim() > 1]
    ragged = [key for key in arrays if len({len(v) for v in numbers[key]}) > 1]
    found = next(iter([*named, *wide, *ragged, *arrays]), None)
    if found is None:
        raise DataError(
            f"items have no sequence: expected an array or a list of steps, got "
            f"{item_described(example)}; {SAY}."
        )
    return found


def _as_steps(values: list[Tensor], key: Key, *, steps_last: bool) -> list[Tensor]:
    """Return the (W, F) or (W,) steps of every item, and refuse what has none."""
    first = values[0]
    shape = tuple(first.shape)
    if first.dim() == 3 and first.shape[0] == 1:
        values = [value.squeeze(0) for value in values]
    elif first.dim() not in {1, 2}:
        raise DataError(
            f"inputs {key!r} have shape {shape}: expected steps, or (steps, features), or (1, "
            "rows, columns) of an image; reshape them in the data set."
        )
    if values[0].dim() == 2 and not first.is_floating_point():
        raise DataError(
            f"inputs {key!r} are {first.dtype} {shape}: expected floats (steps, features), or "
            "whole numbers, tokens (steps,). Readings are made floats by x.astype(np.float32) or "
            "x.float(), pixels of 0 to 255 by x.float() / 255."
        )
    if steps_last and values[0].dim() != 2:
        raise DataError(
            f"steps_last: inputs {key!r} have shape {shape}, expected (features, steps): there is "
            "nothing to turn; leave it out."
        )
    return [value.mT for value in values] if steps_last else values


def _masks_in_front(key: Key, values: list[Tensor]) -> bool:
    """Whether values are called a mask, and are 0 on the first steps of items and 1 behind them."""
    if _plain(key) not in MASKS or any(value.dim() != 1 for value in values):
        return False
    flags = [value.to(torch.uint8) for value in values]
    rising = all(bool(f[-1:].any()) and bool((f[1:] >= f[:-1]).all()) for f in flags)
    return rising and any(bool((f[:1] == 0).any()) for f in flags)


def _tell_of_masks(keys: Sequence[Key]) -> None:
    """Warn of masks of padding that stands in front."""
    for key in keys:
        log.warning(
            "%r is called a mask, and its zeros stand in front of the steps of a sequence. It is "
            "read as a further input of each step, and what it masks as readings: edits change "
            "these too, and an edited sample keeps the mask of the one that it was made from. Pad "
            "behind the sequences, and give their mask or length.",
            key,
        )


def _is_mask(key: Key, values: list[Tensor], sequences: list[Tensor]) -> bool:
    """Whether values are 1 on the first steps of every item and 0 behind them."""
    if any(v.shape != s.shape[:1] for v, s in zip(values, sequences, strict=True)):
        return False
    is_prefix = all(
        bool(((v == 0) | (v == 1)).all()) and bool(v[:1].any()) and bool((v[1:] <= v[:-1]).all())
        for v in (value.to(torch.uint8) if value.dtype == torch.bool else value for value in values)
    )
    return is_prefix and (_plain(key) in MASKS or values[0].dtype == torch.bool)


def _is_length(key: Key, values: list[Tensor], sequences: list[Tensor], several: bool) -> bool:
    """Whether single numbers are the lengths of the sequences, of most of them.

    Args:
        key: their place.
        values: the numbers.
        sequences: of the same items.
        several: whether there are other single numbers, one of which can be the label.
    """
    if any(value.numel() != 1 for value in values) or values[0].dtype == torch.bool:
        return False
    length = [float(value) for value in values]
    if _plain(key) in LENGTHS:
        return True
    pairs = list(zip(length, sequences, strict=True))
    inside = [(int(n), s) for n, s in pairs if n == int(n) and 1 <= n <= len(s)]
    tails = [s[n:] for n, s in inside if n < len(s)]
    if len(inside) < MOST * len(pairs):
        return False
    if not tails:  # all are whole: then one number alone may be a class that is always the same
        return several or len(set(length)) > 1
    filled = torch.stack([tail.flatten()[0] for tail in tails]).double()
    common = float(filled.nan_to_num(torch.inf).mode().values)
    constant = [bool((tail.double().nan_to_num(torch.inf) == common).all()) for tail in tails]
    return sum(constant) >= MOST * len(constant)


def _indices(keys: list[Key], numbers: Numbers, index: Sequence[int]) -> list[Key]:
    """Return the places of numbers that are the index of the item."""
    single = [key for key in keys if all(value.numel() == 1 for value in numbers[key])]
    own = torch.tensor(list(index), dtype=torch.float64)
    return [
        key
        for key in single
        if len(own) > 2
        and int(own.max()) > 2
        and torch.equal(torch.stack([v.reshape(()).double() for v in numbers[key]]), own)
    ]


def _label(keys: list[Key], numbers: Numbers, example: Any) -> Key:
    """Return the place of the class: by its name, else the last whole number of a tuple.

    An item whose entries have names says nothing by their order.
    """
    named = [key for key in keys if _plain(key) in LABELS]
    single = [
        key
        for key in keys
        if all(v.numel() == 1 and float(v) == round(float(v)) for v in numbers[key])
    ]
    # A float that happens to be whole, such as a weight of 1.0, is a class only where no other is.
    whole = [key for key in single if not numbers[key][0].is_floating_point()]
    if not named and (len(whole) > 1 or (len(single) > 1 and isinstance(single[0], str))):
        raise DataError(
            f"items have several whole numbers, at {single}, and nothing says which is the class "
            f"(no place is called label, y or target): {SAY}."
        )
    found = next(iter([*named, *reversed(whole or single)]), None)
    if found is None:
        raise DataError(
            f"items have no label: expected one whole number a sequence, got "
            f"{item_described(example)}; make classes numbers in the data set (one-hot: "
            f"y.argmax()), or {SAY}."
        )
    if any(value.numel() != 1 for value in numbers[found]):
        raise DataError(
            f"label {found!r} is {described(value_at(example, found))}: expected one whole number "
            "a sequence, neither one-hot (give y.argmax()) nor a label a step."
        )
    return found


def _goes_beside(values: list[Tensor], sequences: list[Tensor]) -> bool:
    return all(v.dim() > 0 and len(v) == len(s) > 1 for v, s in zip(values, sequences, strict=True))


def _kind(kind: Kind | str | None, first: Tensor, key: Key) -> Kind:
    if kind is None:
        if first.dim() == 3:
            return Kind.IMAGE
        return Kind.SERIES if first.is_floating_point() else Kind.TOKENS
    if (Kind(kind) is Kind.TOKENS) == first.is_floating_point():
        raise DataError(
            f"kind={kind}, and inputs {key!r} are {first.dtype}: tokens are whole numbers, series "
            "and images are floats (pixels of 0 to 255: x.float() / 255 in the data set)."
        )
    return Kind(kind)


def _plain(key: Key) -> str:
    return str(key).replace("_", "").lower()


def _first(keys: list[Key], test: Callable[[Key], bool]) -> Key | None:
    return next((key for key in keys if test(key)), None)
