"""Refuses to go on from a checkpoint with other settings than its rounds were made by."""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import pytorch_lightning as pl

from rnnrepair.errors import IncompatibleCheckpointError
from rnnrepair.made_with import described, differences, in_short

# Entry of a checkpoint.
MADE_WITH = "made_with"


@runtime_checkable
class Settled(Protocol):
    """A callback whose settings must stay as they are once a network has been analysed."""

    def made_with(self) -> dict[str, Any]:
        """Return those settings by argument: what decides on what is found and done."""
        ...


def has_analysed(checkpoint: Mapping[str, Any]) -> bool:
    """Return whether the run that wrote a checkpoint had analysed its network.

    Before that nothing has been found or done: what comes after may be chosen anew, as it is where
    runs share a base training.
    """
    states = checkpoint.get("callbacks", {}).values()
    return any(isinstance(s, Mapping) and s.get("analysed_epoch") is not None for s in states)


def enter_settings(trainer: pl.Trainer, checkpoint: dict[str, Any]) -> None:
    """Enter what the callbacks of the chain were made with into a checkpoint."""
    checkpoint[MADE_WITH] = _settings_of(trainer)


def check_settings_of(trainer: pl.Trainer, checkpoint: Mapping[str, Any]) -> None:
    """Refuse callbacks that were made with other settings than those of a checkpoint.

    Raises:
        IncompatibleCheckpointError: names all arguments that differ, with both values.
    """
    if not has_analysed(checkpoint):
        return
    if MADE_WITH not in checkpoint:
        raise IncompatibleCheckpointError(
            "The checkpoint does not say what its rounds were made with, so another version of "
            "rnnrepair has written it: start anew without ckpt_path."
        )
    now, told = _settings_of(trainer), []
    then = checkpoint[MADE_WITH]
    for name in dict.fromkeys([*then, *now]):
        found = differences(then.get(name, {}), now.get(name, {}))
        told += [f"{path}={in_short(new)} (it had {in_short(old)})" for path, old, new in found]
    if told:
        raise IncompatibleCheckpointError(
            "The checkpoint that training goes on from was written with other settings: "
            f"{', '.join(told)}. What was found and done until then would be told by the new "
            "ones: give the old values back, or start anew without ckpt_path."
        )


def _settings_of(trainer: pl.Trainer) -> dict[str, Any]:
    """Return what the callbacks of a trainer were made with, by the names of their classes."""
    callbacks = trainer.callbacks  # type: ignore[attr-defined]
    settled = {type(c).__name__: c.made_with() for c in callbacks if isinstance(c, Settled)}
    return {name: described(settings) for name, settings in settled.items() if settings}
