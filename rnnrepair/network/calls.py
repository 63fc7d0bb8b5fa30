"""How a batch is given to a module: as its training step does, or by the names of its arguments."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import nn

from rnnrepair.errors import ConfigurationError
from rnnrepair.network.arguments import arguments_of
from rnnrepair.network.given_views import given_views, views_by_key
from rnnrepair.network.snapshot import unchanged
from rnnrepair.network.training_call import Given, first_of_layers, given_in_training
from rnnrepair.network.unknown_argument import likeness
from rnnrepair.network.views import (
    View,
    always,
    recognise,
    same_value,
    unlike_each,
    views_of,
)
from rnnrepair.sequences import SequenceBatch

# How a call was found out, where names are not all there is.
SEEN = ", as in training_step"
BESIDE = ", while its training_step calls its layers itself"

# What a module is called with, and what it returns.
Call = Callable[[nn.Module, SequenceBatch], Any]

# What training is given for some sequences, and how these are fetched; see ``RepairableData``.
Form = Callable[[SequenceBatch], tuple[Any, SequenceBatch]]

# Views that tell where sequences end.
ENDS = ("lengths", "the longest length", "the mask")

SAY = "say how the network is called with call=lambda module, batch: module(...)."


@dataclass(frozen=True)
class FoundCall:
    """A call of ``forward`` that was found out.

    Attributes:
        arguments: views of the batch, by position.
        options: views of the batch, by name.
        names: what each is, by position or name; for people.
        how: it was found out, for people.
    """

    arguments: tuple[View, ...]
    options: Mapping[str, View]
    names: Mapping[int | str, str]
    how: str = ""

    def __call__(self, module: nn.Module, batch: SequenceBatch) -> Any:
        """Call the module with a batch."""
        arguments = [view(batch) for view in self.arguments]
        return module(*arguments, **{name: view(batch) for name, view in self.options.items()})

    @property
    def told(self) -> str:
        """What is given, for people."""
        given = [n if isinstance(key, int) else f"{key}={n}" for key, n in self.names.items()]
        return f"({', '.join(given)}){self.how}"

    def with_view(self, key: int | str, name: str, view: View) -> "FoundCall":
        """Return the call with another view for one argument."""
        names = {**self.names, key: name}
        if isinstance(key, str):
            return replace(self, options={**self.options, key: view}, names=names)
        arguments = (*self.arguments[:key], view, *self.arguments[key + 1 :])
        return replace(self, arguments=arguments, names=names)


def as_it_is(batch: SequenceBatch) -> tuple[SequenceBatch, SequenceBatch]:
    """Return the form of training that is given what an analysis is given."""
    return batch, batch


def find_call(module: nn.Module, batch: SequenceBatch, form: Form = as_it_is) -> FoundCall:
    """Find out how the module wants its batch.

    What its own ``training_step`` passes to ``forward`` counts most: that is what it is trained
    with. Where there is none, the names of forward's arguments say what they are; nothing but the
    first is ever given by position alone.

    Args:
        module: to be called.
        batch: with B, T and F all different, so that no view of it is taken for another.
        form: in which training is given a batch.

    Raises:
        ConfigurationError: an argument that nobody can know, or a training step that fails before
            it calls the network.
    """
    if not hasattr(module, "training_step"):
        return _of_plain(module, batch, form)
    try:
        trained_on, fetched = form(batch)
        given = given_in_training(module, trained_on)
    except Exception as error:
        found = _by_name(module, batch)
        if [*found.names.values()] == ["the whole batch"]:
            return found
        raise ConfigurationError(
            f"{type(module).__name__}.training_step raised {type(error).__name__} ({error}) before "
            f"it called the network, so nobody can know what it gives to forward: {SAY}"
        ) from error
    if given is None:
        return _beside_training(module, fetched, form)
    return _recognised(module, given, fetched, form)


def _of_plain(module: nn.Module, batch: SequenceBatch, form: Form) -> FoundCall:
    """Return the call of a module without a training step: as the user's batches are, by name.

    Raises:
        ConfigurationError: they hold other inputs than the module would be given.
    """
    name = type(module).__name__
    try:
        held = given_views(batch, form)
        keys = views_by_key(batch, form)
    except Exception as error:
        raise ConfigurationError(
            f"What makes batches of items (collate_fn) raised {type(error).__name__} ({error}), so "
            f"nobody can know what {name} was trained with: {SAY}"
        ) from error
    if held is None:
        return _by_name(module, batch)
    # A network that need not be told where sequences end is not, where batches do not tell.
    ends = any(what.startswith(ENDS) for what in held)
    found = _by_name(module, batch, ends=ends, keys=keys)
    key = next((key for key, what in found.names.items() if what == "inputs"), None)
    if key is None:
        return found
    given = next(((what, view) for what, view in held.items() if what.startswith("inputs")), None)
    if given is None:
        raise ConfigurationError(
            f"{name}{found.told} would be given its sequences one below the other, padded behind "
            "with what stands behind the others, and the batches that are made of items "
            "(collate_fn) hold nothing of the kind. Where they pad with another number, give it "
            "as padding=...; where they pad in front, or change the numbers, move that into "
            f"forward or a training_step, or {SAY}"
        )
    as_held = found.with_view(key, *given)
    return as_held if _works(module, as_held, batch) or not _works(module, found, batch) else found


def _works(module: nn.Module, call: FoundCall, batch: SequenceBatch) -> bool:
    try:
        with torch.no_grad(), unchanged(module):
            call(module, batch)
    except Exception:
        return False
    return True


def _beside_training(module: nn.Module, batch: SequenceBatch, form: Form) -> FoundCall:
    """Return the call of a module whose training step calls its parts and not its forward.

    Raises:
        ConfigurationError: the first part is given something else than forward gives it.
    """
    found = _by_name(module, batch)
    trained = first_of_layers(module, form(batch)[0])
    if trained is None:
        return found  # it trains nothing, as that of a bare LightningModule
    other, again = _again(module, batch, form, lambda each: first_of_layers(module, each))
    for each, given in ((batch, trained), (other, again)):
        read = first_of_layers(module, each, partial(found, module, each))
        if read is None or not same_value(vars(given), vars(read)):
            name = type(module).__name__
            raise ConfigurationError(
                f"{name}.training_step does not call forward, and gives the layers of the network "
                f"something else than {name}{found.told} does: {SAY}"
            )
    return replace(found, how=BESIDE)


def _recognised(module: nn.Module, given: Given, batch: SequenceBatch, form: Form) -> FoundCall:
    """Compare what forward is given with views of the batch, on two that have nothing in common."""
    other, again = _again(module, batch, form, lambda each: given_in_training(module, each))
    views: dict[int | str, View] = {}
    names: dict[int | str, str] = {}
    first, second = ({**dict(enumerate(g.arguments)), **g.options} for g in (given, again))
    if first.keys() != second.keys():
        raise ConfigurationError(
            f"{type(module).__name__}.training_step calls forward in one way for one batch, and in "
            f"another for another: {SAY}"
        )
    own = {id(value) for value in (*module.parameters(), *module.buffers())}
    for key, value in first.items():
        found = recognise([value, second[key]], [batch, other])
        if value is second[key] and id(value) in own:
            found = "a parameter of its own", always(value)
        if found is None:
            raise ConfigurationError(
                f"{type(module).__name__}.training_step gives forward an argument "
                f"{f'number {key + 1}' if isinstance(key, int) else key} that is no view of every "
                "batch that is known (inputs, lengths, a mask, further inputs; unchanged numbers). "
                f"{likeness(value, batch)}Or {SAY}"
            )
        names[key], views[key] = found
    arguments = tuple(view for key, view in views.items() if isinstance(key, int))
    options = {key: view for key, view in views.items() if isinstance(key, str)}
    return FoundCall(arguments, options, names, SEEN)


def _again(
    module: nn.Module, batch: SequenceBatch, form: Form, given_to: Callable[[Any], Given | None]
) -> tuple[SequenceBatch, Given]:
    """Return the batch most unlike this one that training works on, with what is given for it."""
    reason: Exception | None = None
    for other in unlike_each(batch):
        try:
            trained_on, other = form(other)
            again = given_to(trained_on)
        except Exception as error:
            reason = error
            continue
        if again is not None:
            return other, again
    raise ConfigurationError(
        f"{type(module).__name__}.training_step works on a batch of {tuple(batch.inputs.shape)} "
        f"and on no other ({reason}), so nobody can know what it gives to forward: {SAY}"
    )


def _by_name(
    module: nn.Module,
    batch: SequenceBatch,
    *,
    ends: bool = True,
    keys: Mapping[str, tuple[str, View]] | None = None,
) -> FoundCall:
    """Return the call that names tell.

    Args:
        module: to be called.
        batch: see ``find_call``.
        ends: whether options may say where sequences end.
        keys: see ``arguments_of``.
    """
    views = views_of(batch)
    arguments: list[View] = []
    options: dict[str, View] = {}
    names: dict[int | str, str] = {}
    unknown = []
    parameters = inspect.signature(module.forward).parameters
    for place, given in enumerate(arguments_of(parameters, views, keys or {})):
        if given.what is None or given.view is None:
            if given.required and given.what is None:
                unknown.append(given.name)
            elif given.required:
                options[given.name] = always(None)
        elif given.what.startswith(ENDS) and not (given.required or ends):
            continue
        elif place == 0 and not given.keyword_only:
            arguments, names[0] = [given.view], given.what
        else:
            options[given.name], names[given.name] = given.view, given.what
    if unknown or not names:
        name = type(module).__name__
        if unknown:
            raise ConfigurationError(
                f"{name}.forward wants {unknown}, and nobody can know what to give it. Where the "
                "data do not hold that yet, give it to them: static= and static_test= of "
                f"ArrayDataModule, or an entry of this name in each item. Else {SAY}"
            )
        part = next((part for part, _ in module.named_children()), "network")
        raise ConfigurationError(
            f"{name} has no forward of its own: say what is called, such as "
            f"call=lambda module, batch: module.{part}(batch.inputs)."
        )
    return FoundCall(tuple(arguments), options, names)
