"""What a module's own training step gives to its forward."""

import inspect
from dataclasses import dataclass
from typing import Any

from torch import nn

from rnnrepair.network.snapshot import unchanged
from rnnrepair.sequences import SequenceBatch

# What a training step may do before it calls the network, and nobody needs while it is watched.
IDLE = ("log", "log_dict", "print", "optimizers", "lr_schedulers", "toggle_optimizer")


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
    """Ends a training step where it calls the network; no ``except Exception`` stops it."""

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


def given_in_training(module: nn.Module, batch: SequenceBatch) -> Given | None:
    """Return what ``training_step`` gives to ``forward``, None where it does not call it.

    The step ends there; the module is left as it was.

    Raises:
        Exception: whatever the step raises before.
    """
    step = getattr(module, "training_step", None)
    if step is None:
        return None

    def forward(*arguments: Any, **options: Any) -> None:
        raise _Called(Given(arguments, options))

    with unchanged(module):
        for name in IDLE:
            if hasattr(module, name):
                setattr(module, name, _Idle())
        module.forward = forward
        try:
            step(batch, 0) if len(inspect.signature(step).parameters) > 1 else step(batch)
        except _Called as called:
            return called.given
    return None
