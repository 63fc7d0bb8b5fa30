"""What a network would answer after each step: its own code behind the tap, on recorded states."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from rnnrepair.network.cells import run_cells
from rnnrepair.network.hooked import HookedModule, Pass
from rnnrepair.network.taps import Part, Recorded, playing
from rnnrepair.sequences import SequenceBatch

# Rows that are replayed at a time where every state is a sequence of its own.
ROWS = 20_000


class Replay:
    """Runs a module on recorded states instead of new ones.

    Attributes:
        network: the module with its hooks.
        reads_all_layers: whether the module reads more of a layer than the states of its top one.
    """

    def __init__(self, network: HookedModule, *, reads_all_layers: bool = False) -> None:
        """Take the module with its hooks."""
        self.network = network
        self.reads_all_layers = reads_all_layers

    def every_prefix(self, seen: Pass, lengths: Tensor) -> Tensor:
        """Return (B, T', C) logits after each step, in T' calls; 0 on padding."""
        n_rows, n_steps, _ = seen.hidden.shape
        table = seen.hidden.new_zeros(n_rows, n_steps, self.network.decoder.n_classes)
        for n in range(1, int(lengths.max()) + 1):
            rows = (lengths >= n).nonzero()[:, 0]
            table[rows, n - 1] = self.prefix(seen, n, rows).to(table.dtype)
        return table

    def prefix(self, seen: Pass, n_steps: int, rows: Tensor) -> Tensor:
        """Return the (b, C) logits of some sequences after their first ``n_steps`` tap steps."""
        n_inputs = self.network.inputs_needed(seen, n_steps)
        parts = []
        for number, (recorded, states) in enumerate(zip(seen.recorded, seen.states, strict=True)):
            n_own = _own_steps(seen, number, n_steps, n_inputs)
            if n_own is not None:
                hidden = states.hidden[rows, :n_own]
                backward = first_backward(recorded.layer, states.hidden[rows])
                final = self._final(recorded, seen, n_own, rows)
                parts.append((recorded.layer, Part(hidden, backward, final, states.one_by_one)))
        return self._logits(seen.batch.rows(rows, n_inputs), parts)

    def every_state(self, seen: Pass) -> Tensor:
        """Return (B, T', C) logits, each state taken for the last of a sequence of one step."""
        n_rows, n_steps, _ = seen.hidden.shape
        rows = torch.arange(n_rows).repeat_interleave(n_steps)
        step = torch.arange(n_steps).repeat(n_rows)
        logits = [
            self._states(seen, rows[part], step[part])
            for part in torch.arange(len(rows)).split(ROWS)
        ]
        return torch.cat(logits).view(n_rows, n_steps, -1)

    def _states(self, seen: Pass, rows: Tensor, step: Tensor) -> Tensor:
        batch, n_steps = seen.batch, seen.hidden.shape[1]
        if batch.inputs.shape[1] == n_steps:
            inputs = batch.inputs[rows, step][:, None]
        else:
            inputs = batch.inputs[rows, : self.network.inputs_needed(seen, 1)]
        lengths = torch.full_like(batch.lengths[rows], inputs.shape[1])
        parts = []
        for recorded, states in zip(seen.recorded, seen.states, strict=True):
            if states.hidden.shape[1] == n_steps:
                hidden = states.hidden[rows, step][:, None]
                backward = first_backward(recorded.layer, states.hidden)
                backward = None if backward is None else backward[rows]
                parts.append((recorded.layer, Part(hidden, backward, None, states.one_by_one)))
        points = SequenceBatch(batch.index[rows], inputs, lengths, batch.label[rows])
        return self._logits(points, parts)

    def _logits(self, batch: SequenceBatch, parts: Sequence[tuple[nn.Module, Part]]) -> Tensor:
        with playing(parts):
            return self.network.logits(batch)

    def _final(
        self, recorded: Recorded, seen: Pass, n_steps: int, rows: Tensor
    ) -> tuple[Tensor, ...] | None:
        """Return the final states of all layers after so many steps, where they are read."""
        layer = recorded.layer
        if not self.reads_all_layers or not isinstance(layer, nn.RNNBase):
            return None
        inputs, lengths = _inputs_of(layer, recorded.inputs[0][0], seen.batch)
        every = run_cells(layer, inputs, lengths)
        directions = 2 if layer.bidirectional else 1
        last = [
            0 if layer.bidirectional and i % directions else n_steps - 1 for i in range(len(every))
        ]
        hidden = torch.stack([s.hidden[rows, t] for s, t in zip(every, last, strict=True)])
        if not isinstance(layer, nn.LSTM):
            return (hidden,)
        cells = [s.cell[rows, t] for s, t in zip(every, last, strict=True) if s.cell is not None]
        return hidden, torch.stack(cells)


def first_backward(layer: nn.Module, hidden: Tensor) -> Tensor | None:
    """Return the (B, d/2) state of the backward direction when it has read everything."""
    if not isinstance(layer, nn.RNNBase) or not layer.bidirectional:
        return None
    return hidden[:, 0, hidden.shape[2] // 2 :]


def _own_steps(seen: Pass, number: int, n_steps: int, n_inputs: int) -> int | None:
    """Return the steps of a layer that belong to a prefix, None where nobody can know."""
    width = seen.states[number].hidden.shape[1]
    if width == seen.hidden.shape[1]:
        return n_steps
    return n_inputs if width == seen.batch.inputs.shape[1] else None


def _inputs_of(layer: nn.RNNBase, given: Any, batch: SequenceBatch) -> tuple[Tensor, Tensor]:
    """Return the (B, T, F) inputs of a layer and their lengths."""
    if isinstance(given, PackedSequence):
        inputs, lengths = pad_packed_sequence(given, batch_first=True)
        return inputs, lengths.to(inputs.device)
    inputs = given if layer.batch_first else given.transpose(0, 1)
    return inputs, torch.full_like(batch.lengths, inputs.shape[1])
