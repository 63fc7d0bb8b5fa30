"""Whether a module has one answer to a sequence, whatever chance and other sequences do."""

from dataclasses import replace

import torch
from torch import Tensor, nn

from rnnrepair.network.calls import Call
from rnnrepair.network.hooked import UNFIT, HookedModule, called
from rnnrepair.network.refusal import refusal
from rnnrepair.network.snapshot import unchanged
from rnnrepair.network.watch import Watch
from rnnrepair.sequences import SequenceBatch


def check_same_again(
    network: HookedModule, call: Call, batch: SequenceBatch, told: str, watch: Watch
) -> None:
    """Refuse a module that answers otherwise when it is asked twice.

    Args:
        network: the module with its hooks.
        call: calls the module.
        batch: a few sequences.
        told: how it is called, for people.
        watch: watches the calls of ``network``.

    Raises:
        ConfigurationError: says whether a dropout is on, or what it keeps from call to call.
    """
    first, second = network.logits(batch), network.logits(batch)
    if watch.dropping:
        reason = f"{' and '.join(sorted(watch.dropping))} drops numbers in evaluation mode, too"
        raise refusal(
            network.module,
            told,
            f"its answers are random: {reason}",
            mend="Use nn.Dropout, or give the function training=self.training.",
        )
    if not close(first, second):
        reason = "its answers are random: asked twice, it says two things"
        raise refusal(network.module, told, reason)
    with unchanged(network.module, numbers=False) as before, watch:
        for _ in range(2):
            third = network.decoder(called(network.module, call, batch), len(batch))
        kept = before.changed
    if not close(first, third):
        reason = f"its answers depend on the batches before: it keeps {kept} from call to call"
        raise refusal(network.module, told, reason)


def check_labels(network: HookedModule, batch: SequenceBatch, told: str) -> None:
    """Refuse a module whose answers depend on the labels that it is given for its loss.

    Raises:
        ConfigurationError: they do.
    """
    one, other = (
        network.logits(replace(batch, label=torch.full_like(batch.label, label)))
        for label in (0, 1)
    )
    if not close(one, other):
        raise refusal(network.module, told, "its answers depend on the labels that it is given")


def check_alone(network: HookedModule, batch: SequenceBatch, told: str) -> Tensor:
    """Return the (B, C) answers to each sequence alone, without padding.

    Args:
        network: the module with its hooks.
        batch: a few sequences.
        told: how it is called, for people.

    Raises:
        ConfigurationError: it cannot read one sequence, or answers otherwise when sequences of the
            same length are beside it.
    """
    _check_order(network, batch, told)
    alone = torch.cat([_answer_alone(network, batch, row, told) for row in range(len(batch))])
    middle = int(batch.lengths.float().median())
    rows = (batch.lengths >= middle).nonzero()[:, 0]
    beside = batch.rows(rows, middle)
    each = torch.cat([_answer_alone(network, beside, row, told) for row in range(len(rows))])
    if not close(network.logits(beside), each):
        reason = "its answer to a sequence depends on the other sequences of the batch"
        raise refusal(network.module, told, reason + _statistics(network.module))
    return alone


def _check_order(network: HookedModule, batch: SequenceBatch, told: str) -> None:
    """Refuse a module that answers in another order than it is asked (it sorts, and forgets to)."""
    back = torch.arange(len(batch), device=batch.index.device).flip(0)
    try:
        asked_back = network.logits(batch.rows(back))
    except UNFIT:  # it packs, and wants the longest first
        return
    if not close(asked_back.flip(0), network.logits(batch)):
        reason = "asked for the same sequences in another order, it answers something else: if it "
        reason += "sorts them, it must put its answers back into their order"
        raise refusal(network.module, told, reason)


def close(left: Tensor, right: Tensor) -> bool:
    """Whether two ways to the same logits agree: sums in another order, and in half precision."""
    coarse = left.dtype in {torch.float16, torch.bfloat16}
    scale = 50.0 if coarse else 1.0
    return torch.allclose(left.float(), right.float(), rtol=1e-3 * scale, atol=1e-4 * scale)


def _answer_alone(network: HookedModule, batch: SequenceBatch, row: int, told: str) -> Tensor:
    length = int(batch.lengths[row])
    try:
        return network.logits(batch.rows(torch.tensor([row]), length))
    except UNFIT as error:
        reason = f"it works on a batch and fails on one sequence of {length} steps: {error}"
        raise refusal(network.module, told, reason + _statistics(network.module)) from error


def _statistics(module: nn.Module) -> str:
    """Name the norms that take the statistics of the batch, for people."""
    norms = [
        name
        for name, part in module.named_modules()
        if isinstance(part, nn.modules.batchnorm._BatchNorm)
        and (part.training or part.running_mean is None)
    ]
    if not norms:
        return ""
    return f" ({', '.join(norms)}: batch normalisation with the statistics of the batch)"
