"""What a network would answer after each step: its own code behind the tap, on recorded states."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from rnnrepair.network.cells import run_cells
from rnnrepair.network.hooked import HookedModule, Pass
from rnnrepair.network.player import Part, playing
from rnnrepair.network.taps import Recorded, States
from rnnrepair.sequences import SequenceBatch

# Rows that are replayed at a time where every state is a sequence of its own.
ROWS = 20_000


class Replay:
    """Runs a module on recorded states instead of new ones.

    Attributes:
        network: the module with its hooks.
        reads_all_layers: whether the module reads more of a layer than the states of its top one.
        cuts_inputs: whether inputs are cut where states are; not where the module takes sequences
            of one length only.
    """

    def __init__(
        self, network: HookedModule, *, reads_all_layers: bool = False, cuts_inputs: bool = True
    ) -> None:
        """Take the module with its hooks."""
        self.network = network
        self.reads_all_layers = reads_all_layers
        self.cuts_inputs = cuts_inputs

    def every_prefix(self, seen: Pass, lengths: Tensor) -> Tensor:
        """Return (B, T', C) logits after each step, in T' calls; 0 on padding."""
        n_rows, n_steps, _ = seen.hidden.shape
        table = seen.hidden.new_zeros(n_rows, n_steps, self.network.decoder.n_classes)
        for n in range(1, int(lengths.max()) + 1):
            rows = (lengths >= n).nonzero()[:, 0]
            table[rows, n - 1] = self.prefix(seen, n, rows).to(table.dtype)
        return table

    def prefix(
        self, seen: Pass, n_steps: int, rows: Tensor, only: Collection[nn.Module] | None = None
    ) -> Tensor:
        """Return the (b, C) logits of some sequences after their first ``n_steps`` tap steps.

        Args:
            seen: of the whole sequences.
            n_steps: of the prefix.
            rows: (b,) sequences that have so many.
            only: layers whose states are played, the others run; all where None.
        """
        n_inputs = self.network.inputs_needed(seen, n_steps)
        parts = []
        for recorded, states in zip(seen.recorded, seen.states, strict=True):
            n_own = None if states is None else _own_steps(seen, states, n_steps, n_inputs)
            if states is None or n_own is None or (only is not None and recorded.layer not in only):
                continue
            part = Part(
                states.hidden[rows, :n_own],
                states.layout,
                states.one_by_one,
                None if states.cell is None else states.cell[rows, :n_own],
                first_backward(recorded.layer, states.hidden[rows]),
                self._final(recorded, states, seen.batch, n_own, rows),
            )
            parts.append((recorded.layer, part))
        return self._logits(seen.batch.rows(rows, n_inputs if self.cuts_inputs else None), parts)

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
        if not self.cuts_inputs:
            points = batch.rows(rows)
        elif batch.inputs.shape[1] == n_steps:
            points = batch.single_steps(rows, step)
        else:
            points = batch.rows(slice(None), self.network.inputs_needed(seen, 1)).rows(rows)
        points = replace(points, lengths=torch.full_like(points.lengths, points.inputs.shape[1]))
        parts = []
        for recorded, states in zip(seen.recorded, seen.states, strict=True):
            if states is not None and states.hidden.shape[1] == n_steps:
                backward = first_backward(recorded.layer, states.hidden)
                part = Part(
                    states.hidden[rows, step][:, None],
                    states.layout,
                    states.one_by_one,
                    None if states.cell is None else states.cell[rows, step][:, None],
                    None if backward is None else backward[rows],
                )
                parts.append((recorded.layer, part))
        return self._logits(points, parts)

    def _logits(self, batch: SequenceBatch, parts: Sequence[tuple[nn.Module, Part]]) -> Tensor:
        with playing(parts):
            return self.network.logits(batch)

    def _final(
        self, recorded: Recorded, states: States, batch: SequenceBatch, n_steps: int, rows: Tensor
    ) -> tuple[Tensor, ...] | None:
        """Return the final states of all layers after so many steps, where they are read."""
        layer = recorded.layer
        if not self.reads_all_layers or not isinstance(layer, nn.RNNBase):
            return None
        if states.one_by_one:  # each call has returned them
            final = recorded.calls[n_steps - 1][1]
            return tuple(f[:, rows] for f in (final if isinstance(final, tuple) else (final,)))
        inputs, lengths = inputs_of(layer, recorded.inputs[0][0], batch)
        every = run_cells(layer, inputs, lengths, _initial(recorded))
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


def _own_steps(seen: Pass, states: States, n_steps: int, n_inputs: int) -> int | None:
    """Return the steps of a layer that belong to a prefix, None where nobody can know."""
    width = states.hidden.shape[1]
    if width == seen.hidden.shape[1]:
        return n_steps
    return n_inputs if width == seen.batch.inputs.shape[1] else None


def inputs_of(layer: nn.RNNBase, given: Any, batch: SequenceBatch) -> tuple[Tensor, Tensor]:
    """Return the (B, T, F) inputs of a layer and their (B,) lengths."""
    if isinstance(given, PackedSequence):
        inputs, lengths = pad_packed_sequence(given, batch_first=True)
        return inputs, lengths.to(inputs.device)
    inputs = given if layer.batch_first else given.transpose(0, 1)
    return inputs, torch.full_like(batch.lengths, inputs.shape[1])


def _initial(recorded: Recorded) -> tuple[Tensor, ...] | None:
    """Return the (layers * directions, B, d) states that a layer was given to start from."""
    given = recorded.inputs[0][1] if len(recorded.inputs[0]) > 1 else recorded.options[0].get("hx")
    return (given,) if isinstance(given, Tensor) else given
