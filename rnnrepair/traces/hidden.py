"""Functional collection: a stream of hidden states and step predictions, never kept whole."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rnnrepair.errors import NonFiniteError
from rnnrepair.sequences import RecurrentOutput, SequenceBatch


@dataclass(frozen=True)
class HiddenBatch:
    """Hidden states of one batch with padding removed (n = sum of lengths).

    Attributes:
        hidden: (n, d) float32, sequence after sequence.
        prediction: (n,) int64, argmax of the head at every step.
        lengths: (B,) int64.
        index: (B,) int64.
        label: (B,) int64.
        token: (n,) int32, what was read at every step, None where inputs are features.
    """

    hidden: Tensor
    prediction: Tensor
    lengths: Tensor
    index: Tensor
    label: Tensor
    token: Tensor | None = None


def device_of(module: nn.Module) -> torch.device:
    """Return the device of the module's first parameter (CPU where it has none)."""
    parameter = next(module.parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Evaluate without a trace: modes and random state are as before when the block ends."""
    modes = [(part, part.training) for part in module.modules()]
    device = device_of(module)
    devices = [device] if device.type == "cuda" else []
    module.eval()
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=devices):
            yield
    finally:
        for part, mode in modes:
            part.training = mode


def hidden_states(
    trace: Callable[[SequenceBatch], RecurrentOutput],
    batches: Iterable[SequenceBatch],
    device: torch.device | str = "cpu",
) -> Iterator[HiddenBatch]:
    """Yield the hidden states of every batch, on the CPU, padding removed.

    Call it inside ``evaluating``: with dropout on, two passes give different traces.

    Args:
        trace: the model's view of a batch, see ``RecurrentModule.trace``.
        batches: the sequences.
        device: where the model lives.

    Raises:
        NonFiniteError: a hidden state is NaN or infinite; names the first such sequence.
    """
    for batch in batches:
        output = trace(batch.to(device))
        prediction = output.step_logits.argmax(-1)
        # The network says how many steps it made: one that reads an image at once makes one.
        lengths = output.lengths.cpu()
        mask = None
        if int(lengths.min()) == output.hidden.shape[1]:
            hidden, prediction = output.hidden.flatten(0, 1), prediction.flatten()
        else:
            mask = torch.arange(output.hidden.shape[1]) < lengths[:, None]
            on_device = mask.to(device)
            hidden, prediction = output.hidden[on_device], prediction[on_device]
        hidden = hidden.float()
        # The sum is finite only if every term is: one pass, no mask. The sum of finite terms may
        # overflow, so a suspicion is confirmed term by term.
        if not torch.isfinite(hidden.sum()) and not torch.isfinite(hidden).all():
            _raise_for_non_finite(output, batch)
        yield HiddenBatch(
            hidden.cpu(),
            prediction.cpu(),
            lengths,
            batch.index.cpu(),
            batch.label.cpu(),
            _tokens(batch, mask),
        )


def _tokens(batch: SequenceBatch, mask: Tensor | None) -> Tensor | None:
    if batch.inputs.is_floating_point():
        return None
    inputs = batch.inputs.cpu()
    return (inputs.flatten() if mask is None else inputs[mask]).int()


def _raise_for_non_finite(output: RecurrentOutput, batch: SequenceBatch) -> None:
    steps = torch.arange(output.hidden.shape[1]) < output.lengths.cpu()[:, None]
    bad = ~torch.isfinite(output.hidden).all(-1).cpu() & steps
    row, step = bad.nonzero()[0].tolist()
    raise NonFiniteError(
        f"The hidden state of sequence {int(batch.index[row])} is not finite at step {step}. "
        "Training has diverged or the inputs hold NaN: lower model.optimizer.lr or set "
        "trainer.gradient_clip_val, and check the data."
    )
