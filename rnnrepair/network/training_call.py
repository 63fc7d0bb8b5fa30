"""What a module's own training step gives to its forward."""

import copy
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from rnnrepair.network.snapshot import unchanged

# What a training step may do before it calls the network, and nobody needs while it is watched.
IDLE = ("log", "log_dict", "print", "optimizers", "lr_schedulers", "toggle_optimizer")

# What Lightning makes of a batch before the step sees it.
HOOKS = ("on_before_batch_transfer", "on_after_batch_transfer")


@dataclass(frozen=True)
class Given:
    """Arguments of one call of forward.

    Attributes:
        arguments: by position.
        options: by name.
    """

    arguments: tuple[Any, ...]
    options: dict[str, Any]


class _Called(BaseException):
    """Ends what runs where it calls the network; no ``except Exception`` stops it."""

    def __init__(self, given: Given) -> None:
        super().__init__()
        self.given = given


class _Idle:
    """Stands in for an optimizer: whatever is asked of it, it does nothing."""

    def __call__(self, *_: Any, **__: Any) -> "_Idle":
        return self

    def __getattr__(self, name: str) -> "_Idle":
        if name.startswith("__"):
            raise AttributeError(name)
        return self


def given_in_training(module: nn.Module, batch: Any) -> Given | None:
    """Return what ``training_step`` gives to ``forward``, None where it does not call it.

    The step ends there; the module is left as it was.

    Args:
        module: with a training step.
        batch: in the form in which training gives it.

    Raises:
        Exception: whatever the step raises before it calls the network or a part of it.
    """
    parts: list[nn.Module] = []

    def forward(*arguments: Any, **options: Any) -> None:
        raise _Called(Given(arguments, options))

    with unchanged(module), before_parts(module, lambda part, *_: parts.append(part)):
        module.forward = forward
        try:
            _train(module, batch)
        except _Called as called:
            return called.given
        except Exception:
            if not parts:
                raise
    return None


def first_of_layers(
    module: nn.Module, batch: Any, run: Callable[[], Any] | None = None
) -> Given | None:
    """Return what the first part of a module that is called is given, the part itself in front.

    Args:
        module: that is left as it was.
        batch: for the training step.
        run: what runs instead of that.
    """

    def end(part: nn.Module, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
        raise _Called(Given((part, *arguments), options))

    with unchanged(module), before_parts(module, end):
        try:
            _train(module, batch) if run is None else run()
        except _Called as called:
            return called.given
    return None


def watch_training(module: nn.Module, batch: Any, saw: Callable[[nn.Module, Any], None]) -> None:
    """Run ``training_step``, and show what the module and its parts return, as soon as they do.

    What fails after the network was called (a loss, an optimizer that is not there yet) ends the
    step, and no more. The module is left as it was.

    Args:
        module: with a training step.
        batch: in the form in which training gives it.
        saw: is given each part and what it returns; a part after those that it calls itself.
    """

    def hook(part: nn.Module, _: Any, output: Any) -> None:
        saw(part, output)

    # Parts that are compiled would run no hooks.
    eager = torch.compiler.set_stance("force_eager")
    with unchanged(module), eager, suppress(Exception):
        handles = [part.register_forward_hook(hook) for part in module.modules()]
        try:
            _train(module, batch)
        finally:
            for handle in handles:
                handle.remove()


@contextmanager
def before_parts(module: nn.Module, hook: Callable[..., None]) -> Iterator[None]:
    """Call ``hook(part, arguments, options)`` before every part of the module runs."""
    parts = [part for name, part in module.named_modules() if name]
    handles = [part.register_forward_pre_hook(hook, with_kwargs=True) for part in parts]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _train(module: nn.Module, batch: Any) -> None:
    """Run the training step on what the module's own hooks make of a batch."""
    for name in IDLE:
        if hasattr(module, name):
            setattr(module, name, _Idle())
    # A copy: what a step or a hook changes in place must be seen as a change.
    given = copy.deepcopy(batch)
    for name in HOOKS:
        if hasattr(module, name):
            given = getattr(module, name)(given, 0)
    step: Any = module.training_step
    step(given, 0) if len(inspect.signature(step).parameters) > 1 else step(given)
