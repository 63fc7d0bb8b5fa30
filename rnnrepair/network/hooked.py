"""A module whose states are read by hooks."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from rnnrepair.errors import ConfigurationError
from rnnrepair.network.calls import Call
from rnnrepair.network.outputs import Decoder
from rnnrepair.network.snapshot import unchanged
from rnnrepair.network.taps import Layout, Recorded, States, recording, states_of
from rnnrepair.sequences import SequenceBatch

# What a module raises that is given what it does not expect.
UNFIT = (
    *(RuntimeError, TypeError, AttributeError, IndexError, ValueError, KeyError),
    AssertionError,
)


@dataclass(frozen=True)
class Pass:
    """One call of a module with what its layers did.

    Attributes:
        batch: that was given.
        recorded: of each layer that ran, in the order of their first calls.
        states: of the same; None of one whose outputs are no states.
        tap: states of the tap.
        output: what the module returned.
    """

    batch: SequenceBatch
    recorded: Sequence[Recorded]
    states: Sequence[States | None]
    tap: States
    output: Any

    @property
    def hidden(self) -> Tensor:
        """(B, T', d) states of the tap."""
        return self.tap.hidden


class HookedModule:
    """Calls a module and watches its layers; every call leaves its attributes and buffers alone.

    Attributes:
        module: the network.
        tap: the layer whose outputs are the states.
        decoder: finds the logits of an output.
        around: what every call happens in.
    """

    def __init__(
        self, module: nn.Module, call: Call, tap: nn.Module, layers: Sequence[nn.Module]
    ) -> None:
        """Take the module, how it is called, its tap, and all layers that are watched."""
        self.module = module
        self.tap = tap
        self.decoder = Decoder()
        self.around: AbstractContextManager[Any] = nullcontext()
        self._call = call
        self._layers = layers
        self._layouts: dict[nn.Module, Layout] = {}
        self._made: dict[int, int] = {}

    def output(self, batch: SequenceBatch) -> Any:
        """Return what the module returns."""
        with unchanged(self.module, numbers=False), self.around:
            return called(self.module, self._call, batch)

    def logits(self, batch: SequenceBatch) -> Tensor:
        """Return the module's (B, C) answer."""
        return self.decoder(self.output(batch), len(batch))

    def run(self, batch: SequenceBatch) -> Pass:
        """Call the module and keep what its layers do.

        Raises:
            ConfigurationError: the outputs of the tap are not what they were, or no states.
        """
        with recording(self._layers) as recorded:
            output = self.output(batch)
        states = [self._states(r, len(batch)) for r in recorded]
        tap = next((s for r, s in zip(recorded, states, strict=True) if r.layer is self.tap), None)
        if tap is None:
            raise ConfigurationError(
                f"The layer {type(self.tap).__name__} whose states are read did not run on "
                f"sequences {batch.index.tolist()[:3]} ...: name one that always does with tap=."
            )
        return Pass(batch, recorded, states, tap, output)

    def learn_layouts(self, batch: SequenceBatch) -> None:
        """Find out how the outputs of all layers are laid out, once and for all.

        Raises:
            ConfigurationError: the outputs of the tap are no states.
        """
        for extra in (0, 1):  # with another number of sequences, it is not that of steps
            rows = torch.arange(len(batch) + extra, device=batch.index.device) % len(batch)
            self._layouts.clear()
            seen = self.run(batch.rows(rows))
            pairs = list(zip(seen.recorded, seen.states, strict=True))
            if not any(s and not s.layout.flat and _square(r) for r, s in pairs):
                break
        self._layouts = {r.layer: states.layout for r, states in pairs if states is not None}

    def lengths(self, seen: Pass) -> Tensor:
        """Return the (B,) steps of the tap that are real."""
        own = seen.batch.lengths
        if seen.tap.lengths is not None:
            return seen.tap.lengths.to(own.device)
        if seen.hidden.shape[1] == seen.batch.inputs.shape[1]:
            return own
        made = [self.steps_made(seen.batch, n) for n in own.tolist()]
        return torch.tensor(made, device=own.device)

    def inputs_needed(self, seen: Pass, n_steps: int) -> int:
        """Return the fewest input steps that make so many steps of the tap."""
        width = seen.batch.inputs.shape[1]
        if seen.hidden.shape[1] == width:
            return n_steps
        enough = (n for n in range(1, width + 1) if self.steps_made(seen.batch, n) >= n_steps)
        return next(enough, width)

    def steps_made(self, batch: SequenceBatch, n_inputs: int) -> int:
        """Return how many steps the tap makes of so many input steps."""
        if n_inputs not in self._made:
            try:
                self._made[n_inputs] = self.run(batch.rows(slice(1), n_inputs)).hidden.shape[1]
            except UNFIT:  # too short for a convolution
                self._made[n_inputs] = 0
        return self._made[n_inputs]

    @property
    def steps_grow(self) -> bool:
        """Whether the steps of the tap follow those of the inputs, by all that were tried."""
        return len({made for made in self._made.values() if made}) > 1

    def _states(self, recorded: Recorded, n_rows: int) -> States | None:
        try:
            return states_of(recorded, n_rows, self._layouts.get(recorded.layer))
        except ConfigurationError:
            if recorded.layer is self.tap:
                raise
            return None


def called(module: nn.Module, call: Call, batch: SequenceBatch) -> Any:
    """Call a module without compiled parts, which would run no hooks."""
    with torch.compiler.set_stance("force_eager"):
        return call(module, batch)


def _square(recorded: Recorded) -> bool:
    output = recorded.calls[0]
    return isinstance(output, Tensor) and output.dim() == 3 and output.shape[0] == output.shape[1]
