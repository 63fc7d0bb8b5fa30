"""Which layer of a network is made for another number of features than the data have."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from rnnrepair.network.calls import Call
from rnnrepair.network.hooked import UNFIT, called
from rnnrepair.network.snapshot import unchanged
from rnnrepair.network.training_call import before_parts
from rnnrepair.sequences import SequenceBatch

# What torch's layers call the width of their inputs, and which dimension of these it is.
WIDTHS = {"input_size": -1, "in_features": -1, "in_channels": 1}


@dataclass(frozen=True)
class Misfit:
    """A layer that is given the features of the data, and wants another number of them.

    Attributes:
        layer: its name and type, for people.
        argument: of the layer, that says how many it wants.
        wanted: so many.
        width: F, features a step of the data.
        squeezed: whether it wants that one feature, and was given sequences without a place for it.
    """

    layer: str
    argument: str
    wanted: int
    width: int
    squeezed: bool = False

    @property
    def reason(self) -> str:
        """What went wrong."""
        if self.squeezed:
            return (
                f"its layer {self.layer} reads one feature a step ({self.argument}=1), and was "
                "given (sequences, steps), as the items of the data are"
            )
        return (
            f"its layer {self.layer} reads {self.wanted} features a step "
            f"({self.argument}={self.wanted}), and the data have {self.width}"
        )

    @property
    def mend(self) -> str:
        """What to change."""
        if self.squeezed:
            return (
                "Give the data a last dimension of one feature, (sequences, steps, 1): "
                "x[..., None]; items of a Dataset (steps, 1)."
            )
        return (
            f"Make the layer with {self.argument}={self.width}, or, where it is trained already, "
            "give it data as it was trained on; or say what it is given of the data "
            "(call=lambda module, batch: module(...))."
        )


def misfit(module: nn.Module, call: Call, batch: SequenceBatch) -> Misfit | None:
    """Return the layer at which a call breaks off because the data are wider or narrower.

    Args:
        module: that raises when it is called with the batch; it is left as it was.
        call: calls it.
        batch: of series; None is returned for tokens.
    """
    if batch.inputs.dim() != 3:
        return None
    # What breaks off is the part that was called last: those before it have returned.
    last: list[tuple[nn.Module, Any]] = []

    def note(part: nn.Module, arguments: tuple[Any, ...], options: dict[str, Any]) -> None:
        last[:] = [(part, next(iter((*arguments, *options.values())), None))]

    with unchanged(module), before_parts(module, note):
        try:
            called(module, call, batch)
        except UNFIT:
            pass
        else:
            return None
    return _of(module, *last[0], batch) if last else None


def _of(module: nn.Module, part: nn.Module, given: Any, batch: SequenceBatch) -> Misfit | None:
    """Return the part's misfit, None where something else is wrong with what it was given."""
    if isinstance(given, nn.utils.rnn.PackedSequence):
        given = given.data
    if not isinstance(given, torch.Tensor) or given.dim() < 2:
        return None
    width = batch.inputs.shape[2]
    squeezed = width == 1 and given.shape == batch.inputs.shape[:2]
    for argument, dimension in WIDTHS.items():
        wanted = getattr(part, argument, None)
        if not isinstance(wanted, int):
            continue
        if given.shape[dimension] == width != wanted or (squeezed and wanted == 1):
            name = next(name for name, each in module.named_modules() if each is part)
            layer = f"{name} ({type(part).__name__})"
            return Misfit(layer, argument, wanted, width, squeezed=squeezed and wanted == 1)
    return None
