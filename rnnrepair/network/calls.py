"""How a batch is given to a module: as its training step does, or by the names of its arguments."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from rnnrepair.errors import ConfigurationError
from rnnrepair.sequences import SequenceBatch

# What a module is called with, and what it returns.
Call = Callable[[nn.Module, SequenceBatch], Any]
View = Callable[[SequenceBatch], Any]

# Arguments of forward, by the names that people give them; without underscores.
LENGTHS = frozenset(
    [
        *("length", "lengths", "len", "lens", "lengthsx", "nsteps", "numsteps", "steps"),
        *("seqlen", "seqlens", "seqlength", "seqlengths", "sequencelength", "sequencelengths"),
        *("inputlength", "inputlengths", "xlen", "xlens", "xlength", "xlengths"),
        *("textlen", "textlens", "textlength", "textlengths", "validlen", "validlens"),
        *("srclen", "srclens", "srclength", "srclengths", "sentlen", "sentlens", "sentlengths"),
    ]
)
MASKS = frozenset(["mask", "attentionmask", "inputmask", "srcmask", "sequencemask", "validmask"])
PADDING_MASKS = frozenset(["paddingmask", "padmask", "keypaddingmask", "srckeypaddingmask"])
STATES = frozenset(
    [
        *("hidden", "hiddenstate", "hiddenstates", "state", "states", "h", "hx", "h0", "hc", "hn"),
        *("initstate", "initialstate", "inithidden", "initialhidden", "prevstate", "prevhidden"),
        "carry",
    ]
)
LABELS = frozenset(["label", "labels", "y", "target", "targets"])

VIEWS: dict[str, View] = {
    "inputs": lambda b: b.inputs,
    "inputs, steps first": lambda b: b.inputs.transpose(0, 1),
    "inputs, steps last": lambda b: b.inputs.transpose(1, -1),
    "inputs, as one feature": lambda b: b.inputs.unsqueeze(-1),
    "inputs, as one channel": lambda b: b.inputs.unsqueeze(1),
    "inputs, flat": lambda b: b.inputs.flatten(1),
    "lengths": lambda b: b.lengths,
    "the mask of real steps": lambda b: b.mask,
    "the mask of padding": lambda b: ~b.mask,
    "the whole batch": lambda b: b,
}


class _Seen(BaseException):
    """Ends a training step where it calls the network."""

    def __init__(self, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
        super().__init__()
        self.arguments, self.options = arguments, options


@dataclass(frozen=True)
class FoundCall:
    """A call of ``forward`` that was found out.

    Attributes:
        arguments: views of the batch, by position.
        options: views of the batch, by name.
        told: what is given, for people.
    """

    arguments: tuple[View, ...]
    options: dict[str, View]
    told: str

    def __call__(self, module: nn.Module, batch: SequenceBatch) -> Any:
        """Call the module with a batch."""
        arguments = [view(batch) for view in self.arguments]
        return module(*arguments, **{name: view(batch) for name, view in self.options.items()})


def find_call(module: nn.Module, batch: SequenceBatch) -> FoundCall:
    """Find out how the module wants its batch.

    What its own ``training_step`` passes to ``forward`` counts most: that is what it is trained
    with. Where there is none, the names of forward's arguments say what they are; nothing but the
    first is ever given by position alone.

    Args:
        module: to be called.
        batch: with B, T and F all different, so that no view of it is taken for another.

    Raises:
        ConfigurationError: an argument that nobody can know.
    """
    seen = _seen_in_training(module, batch)
    return _recognised(module, seen, batch) if seen is not None else _by_name(module)


def _seen_in_training(module: nn.Module, batch: SequenceBatch) -> _Seen | None:
    """Return what ``training_step`` gives to ``forward``, None where it does not call it."""
    step = getattr(module, "training_step", None)
    if step is None:
        return None

    def forward(*arguments: Any, **options: Any) -> None:
        raise _Seen(arguments, options)

    own = module.__dict__.get("forward")
    module.forward = forward
    names = list(inspect.signature(step).parameters)
    try:
        step(batch, 0) if len(names) > 1 else step(batch)
    except _Seen as seen:
        return seen
    except Exception:
        return None
    finally:
        if own is None:
            del module.forward
        else:
            module.forward = own
    return None


def _recognised(module: nn.Module, seen: _Seen, batch: SequenceBatch) -> FoundCall:
    told: list[str] = []

    def view_of(value: Any, name: str) -> View:
        for what, view in VIEWS.items():
            for kind, cast in CASTS.items():
                chosen = _then(view, cast)
                if _same(value, partial(chosen, batch)):
                    told.append(f"{what}{kind}")
                    return chosen
        if value is None or isinstance(value, bool | int | float | str):
            told.append(f"{name}={value!r}")
            return _always(value)
        raise ConfigurationError(
            f"{type(module).__name__}.training_step gives forward an argument {name} that is no "
            "view of the batch that is known (inputs, lengths, a mask): say how the module is "
            "called with call=lambda module, batch: module(...)."
        )

    arguments = tuple(view_of(v, f"number {i + 1}") for i, v in enumerate(seen.arguments))
    options = {name: view_of(value, name) for name, value in seen.options.items()}
    return FoundCall(arguments, options, f"({', '.join(told)}), as in training_step")


CASTS: dict[str, Callable[[Any], Any]] = {
    "": lambda v: v,
    " as floats": lambda v: v.float(),
    " as whole numbers": lambda v: v.long(),
    " as int32": lambda v: v.int(),
    " on the CPU": lambda v: v.cpu(),
    " as a list": lambda v: v.tolist(),
}


def _then(view: View, cast: Callable[[Any], Any]) -> View:
    return lambda batch: cast(view(batch))


def _always(value: Any) -> View:
    return lambda _: value


def _same(value: Any, make: Callable[[], Any]) -> bool:
    """Whether a value is what ``make`` makes of the batch."""
    try:
        made = make()
    except (AttributeError, IndexError, RuntimeError, TypeError):
        return False
    if isinstance(value, Tensor) and isinstance(made, Tensor):
        alike = value.shape == made.shape and value.dtype == made.dtype
        return alike and value.device == made.device and torch.equal(value, made)
    return type(value) is type(made) and (value is made or (value == made) is True)


def _by_name(module: nn.Module) -> FoundCall:
    arguments: list[View] = []
    options: dict[str, View] = {}
    told, unknown = [], []
    for place, (name, parameter) in enumerate(inspect.signature(module.forward).parameters.items()):
        if parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}:
            continue
        what = _role(name, first=place == 0)
        required = parameter.default is parameter.empty
        if what is None and required:
            unknown.append(name)
        elif what == "None" and required:
            options[name] = _always(None)
        elif what in VIEWS:
            told.append(what if place == 0 else f"{name}={what}")
            if place == 0:
                arguments.append(VIEWS[what])
            else:
                options[name] = VIEWS[what]
    if unknown or not arguments:
        name = type(module).__name__
        reason = f"{name}.forward wants {unknown}, and nobody can know what to give it"
        raise ConfigurationError(
            f"{reason if unknown else f'{name} has no forward of its own'}: say how the network is "
            "called with call=lambda module, batch: module(...)."
        )
    return FoundCall(tuple(arguments), options, f"({', '.join(told)})")


def _role(name: str, *, first: bool) -> str | None:
    """Return the view that an argument of this name is given, ``None`` as text for nothing."""
    plain = name.replace("_", "").lower()
    if first:
        return "the whole batch" if plain == "batch" else "inputs"
    roles = (
        (LENGTHS, "lengths"),
        (MASKS, "the mask of real steps"),
        (PADDING_MASKS, "the mask of padding"),
        (STATES | LABELS, "None"),
    )
    return next((what for names, what in roles if plain in names), None)
