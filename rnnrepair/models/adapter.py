"""A foreign module with an nn.LSTM, nn.GRU or nn.RNN inside, seen as a ``RecurrentModule``."""

import inspect
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

from rnnrepair.errors import ConfigurationError
from rnnrepair.protocols import RecurrentModule
from rnnrepair.sequences import RecurrentOutput, SequenceBatch


class RecurrentAdapter:
    """Reads the top-layer states of a module by a forward hook, for the time of one call.

    The module's ``forward`` is called with the inputs, and with the lengths if it takes two
    arguments. The head must be a linear layer that takes one hidden state.
    """

    def __init__(self, module: nn.Module, rnn: str | None = None, head: str | None = None) -> None:
        """Find the recurrent layer and the head.

        Args:
            module: the foreign module.
            rnn: name of the recurrent layer, needed where there are several.
            head: name of the linear head, needed where several fit.

        Raises:
            ConfigurationError: nothing fits, or more than one.
        """
        self.module = module
        self.rnn = _pick(module, rnn, "rnn", lambda part: isinstance(part, nn.RNNBase))
        width = self.rnn.proj_size or self.rnn.hidden_size
        width *= 2 if self.rnn.bidirectional else 1
        self.head = _pick(
            module, head, "head", lambda p: isinstance(p, nn.Linear) and p.in_features == width
        )
        parameters = inspect.signature(module.forward).parameters.values()
        positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        needed = [p for p in parameters if p.kind in positional and p.default is p.empty]
        self._takes_lengths = len(needed) > 1

    def trace(self, batch: SequenceBatch) -> RecurrentOutput:
        """Run the module and return its logits, step logits and hidden states."""
        seen: list[Any] = []
        handle = self.rnn.register_forward_hook(lambda _m, _i, output: seen.append(output[0]))
        try:
            arguments = (batch.inputs, batch.lengths) if self._takes_lengths else (batch.inputs,)
            output = self.module(*arguments)
        finally:
            handle.remove()
        if len(seen) != 1:
            raise ConfigurationError(
                f"The recurrent layer ran {len(seen)} times in one forward pass, expected 1: give "
                "the module a method trace(batch) that returns a RecurrentOutput."
            )
        hidden = self._padded(seen[0], batch)
        step_logits = self.head(hidden)
        rows = torch.arange(len(hidden), device=hidden.device)
        logits = step_logits[rows, batch.lengths - 1]
        if isinstance(output, Tensor) and output.shape == logits.shape:
            # A module that ignores lengths classifies after the padding; full rows must agree.
            full = batch.lengths == batch.inputs.shape[1]
            self._check_agreement(output[full], logits[full])
        return RecurrentOutput(logits, step_logits, hidden, batch.lengths)

    def _check_agreement(self, output: Tensor, logits: Tensor) -> None:
        """Refuse a module that does more than the head to its last hidden state."""
        if not torch.allclose(output, logits, rtol=1e-3, atol=1e-4, equal_nan=True):
            raise ConfigurationError(
                f"{type(self.module).__name__} returns other values than its head makes of the "
                "last hidden state (it pools, normalises or adds a layer?), so its step "
                "predictions cannot be derived: give the module a method trace(batch) that "
                "returns a RecurrentOutput."
            )

    def _padded(self, output: Tensor | PackedSequence, batch: SequenceBatch) -> Tensor:
        if isinstance(output, PackedSequence):
            return pad_packed_sequence(
                output, batch_first=True, total_length=batch.inputs.shape[1]
            )[0]
        return output if self.rnn.batch_first else output.transpose(0, 1)


def _pick(module: nn.Module, name: str | None, key: str, fits: Any) -> Any:
    parts = {n: part for n, part in module.named_modules() if fits(part)}
    if name is not None:
        if name not in parts:
            raise ConfigurationError(
                f"TraceCollector({key}={name!r}) names no fitting layer of "
                f"{type(module).__name__}; those that fit are {sorted(parts)}."
            )
        return parts[name]
    if len(parts) != 1:
        raise ConfigurationError(
            f"{type(module).__name__} has {len(parts)} layers that could be the {key} "
            f"({sorted(parts)}), expected 1: name it by TraceCollector({key}=...), or give the "
            "module a method trace(batch) that returns a RecurrentOutput."
        )
    return next(iter(parts.values()))


def as_recurrent(
    module: nn.Module, rnn: str | None = None, head: str | None = None
) -> RecurrentModule:
    """Return the module itself if it can trace, else an adapter around it."""
    if isinstance(module, RecurrentModule):
        return module
    return RecurrentAdapter(module, rnn, head)
