"""A module whose states are read by hooks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from rnnrepair.network.calls import Call
from rnnrepair.network.outputs import Decoder
from rnnrepair.network.taps import Recorded, States, recording, states_of
from rnnrepair.sequences import SequenceBatch

# What a module raises that is given what it does not expect.
UNFIT = (RuntimeError, TypeError, AttributeError, IndexError, ValueError, KeyError)


@dataclass(frozen=True)
class Pass:
    """One call of a module with what its layers did.

    Attributes:
        batch: that was given.
        recorded: of each layer that ran, in the order of their first calls.
        states: of the same.
        tap: number of the layer whose states count.
        output: what the module returned.
    """

    batch: SequenceBatch
    recorded: Sequence[Recorded]
    states: Sequence[States]
    tap: int
    output: Any

    @property
    def hidden(self) -> Tensor:
        """(B, T', d) states of the tap."""
        return self.states[self.tap].hidden


class HookedModule:
    """Calls a module and watches its layers.

    Attributes:
        module: the network.
        tap: the layer whose outputs are the states.
        decoder: finds the logits of an output.
    """

    def __init__(
        self, module: nn.Module, call: Call, tap: nn.Module, layers: Sequence[nn.Module]
    ) -> None:
        """Take the module, how it is called, its tap, and all layers that are watched."""
        self.module = module
        self.tap = tap
        self.decoder = Decoder()
        self._call = call
        self._layers = layers
        self._made: dict[int, int] = {}

    def output(self, batch: SequenceBatch) -> Any:
        """Return what the module returns."""
        return called(self.module, self._call, batch)

    def logits(self, batch: SequenceBatch) -> Tensor:
        """Return the module's (B, C) answer."""
        return self.decoder(self.output(batch), len(batch))

    def run(self, batch: SequenceBatch) -> Pass:
        """Call the module and keep what its layers do."""
        with recording(self._layers) as recorded:
            output = self.output(batch)
        states = [states_of(r, len(batch)) for r in recorded]
        tap = next(i for i, r in enumerate(recorded) if r.layer is self.tap)
        return Pass(batch, recorded, states, tap, output)

    def lengths(self, seen: Pass) -> Tensor:
        """Return the (B,) steps of the tap that are real."""
        states, own = seen.states[seen.tap], seen.batch.lengths
        if states.lengths is not None:
            return states.lengths.to(own.device)
        if states.hidden.shape[1] == seen.batch.inputs.shape[1]:
            return own
        made = [self._steps_made(seen.batch, n) for n in own.tolist()]
        return torch.tensor(made, device=own.device)

    def inputs_needed(self, seen: Pass, n_steps: int) -> int:
        """Return the fewest input steps that make so many steps of the tap."""
        width = seen.batch.inputs.shape[1]
        if seen.hidden.shape[1] == width:
            return n_steps
        enough = (n for n in range(1, width + 1) if self._steps_made(seen.batch, n) >= n_steps)
        return next(enough, width)

    def _steps_made(self, batch: SequenceBatch, n_inputs: int) -> int:
        """Return how many steps the tap makes of so many input steps."""
        if n_inputs not in self._made:
            try:
                self._made[n_inputs] = self.run(batch.rows(slice(1), n_inputs)).hidden.shape[1]
            except UNFIT:  # too short for a convolution
                self._made[n_inputs] = 0
        return self._made[n_inputs]


def called(module: nn.Module, call: Call, batch: SequenceBatch) -> Any:
    """Call a module without compiled parts, which would run no hooks."""
    with torch.compiler.set_stance("force_eager"):
        return call(module, batch)
