"""States and step predictions of a batch without its padding: a stream, never kept whole."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from rnnrepair.errors import NonFiniteError
from rnnrepair.sequences import RecurrentOutput, SequenceBatch


@dataclass(frozen=True)
class HiddenBatch:
    """Hidden states of one batch with padding removed (n = sum of lengths).

    Attributes:
        hidden: (n, d) float32, sequence after sequence; (n, k) where they were reduced.
        prediction: (n,) int64, what the network would answer after every step; after the last one,
            what it answers.
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


def hidden_batch(
    output: RecurrentOutput,
    batch: SequenceBatch,
    reduce: Callable[[Tensor], Tensor] | None = None,
) -> HiddenBatch:
    """Take the padding out of what a network makes of a batch, and bring it to the CPU.

    Args:
        output: of the network.
        batch: that it was given.
        reduce: (n, d) states to (n, k) ones, where the network runs; None keeps them whole.

    Raises:
        NonFiniteError: a hidden state is NaN or infinite, or an answer is NaN; names the first
            such sequence.
    """
    prediction = output.step_logits.argmax(-1)
    # The network says how many steps it made: one that reads an image at once makes one.
    lengths = output.lengths.cpu()
    rows = torch.arange(len(lengths), device=prediction.device)
    prediction[rows, output.lengths.to(prediction.device) - 1] = output.logits.argmax(-1)
    mask = None
    if int(lengths.min()) == output.hidden.shape[1]:
        hidden, prediction = output.hidden.flatten(0, 1), prediction.flatten()
    else:
        mask = torch.arange(output.hidden.shape[1]) < lengths[:, None]
        on_device = mask.to(output.hidden.device)
        hidden, prediction = output.hidden[on_device], prediction[on_device]
    hidden = hidden.float()
    # The sum is finite only if every term is: one pass, no mask. The sum of finite terms may
    # overflow, so a suspicion is confirmed term by term.
    if not torch.isfinite(hidden.sum()) and not torch.isfinite(hidden).all():
        _raise_for_non_finite(output, batch)
    refuse_no_answers(output.logits, batch.index)
    if reduce is not None:
        hidden = reduce(hidden)
    return HiddenBatch(
        hidden.cpu(),
        prediction.cpu(),
        lengths,
        batch.index.cpu(),
        batch.label.cpu(),
        _tokens(batch, mask, output.hidden.shape[1]),
    )


def refuse_no_answers(logits: Tensor, index: Tensor) -> None:
    """Refuse (B, C) logits that are no numbers: the largest of them would be the first class.

    Raises:
        NonFiniteError: names the first such sequence of (B,) indices.
    """
    none = logits.isnan().any(1)
    if bool(none.any()):
        raise NonFiniteError(
            f"The answer to sequence {int(index[none.to(index.device)][0])} is NaN. Training has "
            "diverged, or the network makes no number of such an input (a sum over no steps, a "
            "logarithm of 0): look at what it makes of that sequence."
        )


def _tokens(batch: SequenceBatch, mask: Tensor | None, n_steps: int) -> Tensor | None:
    """Return the token of every step, None where there is none of its own."""
    if batch.inputs.is_floating_point() or batch.inputs.shape[1] != n_steps:
        return None
    inputs = batch.inputs.cpu()
    return (inputs.flatten() if mask is None else inputs[mask]).int()


def _raise_for_non_finite(output: RecurrentOutput, batch: SequenceBatch) -> None:
    steps = torch.arange(output.hidden.shape[1]) < output.lengths.cpu()[:, None]
    bad = ~torch.isfinite(output.hidden).all(-1).cpu() & steps
    row, step = bad.nonzero()[0].tolist()
    raise NonFiniteError(
        f"The hidden state of sequence {int(batch.index[row])} is not finite at step {step}. "
        "Training has diverged or the inputs hold NaN: lower the optimizer's lr "
        "or set Trainer(gradient_clip_val=...), and check the data."
    )
