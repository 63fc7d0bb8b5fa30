"""What a network answers to inputs that really are cut: exact for anything, one call a step."""

from collections.abc import Sequence

import torch
from torch import Tensor

from rnnrepair.network.hooked import HookedModule, Pass
from rnnrepair.sequences import SequenceBatch

Steps = tuple[Tensor, Tensor, Tensor]


def cut_steps(network: HookedModule, batch: SequenceBatch) -> Steps:
    """Return states and answers after each step.

    A step is made by every input with which the tap makes a new one; by every input where their
    number does not follow that of the inputs (a decoder of fixed length). Inputs so short that the
    network makes no numbers of them make none.

    Args:
        network: the module with its hooks.
        batch: longest sequences first.

    Returns:
        (B, T', d) last states of the tap, (B, T', C) logits, and (B,) lengths.
    """
    lengths, width = batch.lengths, int(batch.lengths.max())
    ends = step_ends(network, batch)
    # The last step of a sequence has all of its inputs, even those that make no step of their own.
    following = dict(zip(ends, [*ends[1:], width + 1], strict=True))
    place = torch.zeros_like(lengths)
    found: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
    for n in range(1, width + 1):
        rows = ((lengths == n) | (lengths >= following.get(n, width + 1))).nonzero()[:, 0]
        if len(rows):
            seen = network.run(batch.rows(rows, n))
            hidden, logits = last_states(seen), network.decoder(seen.output, len(rows))
            # The standard deviation over one step is no number: there is no step yet. Of the whole
            # sequence it would be a fault.
            there = (hidden.isfinite().all(1) & logits.isfinite().all(1)).to(rows.device)
            there |= lengths[rows] == n
            rows, hidden, logits = rows[there], hidden[there], logits[there]
            found.append((rows, place[rows], hidden, logits))
            place[rows] += 1
    n_rows, n_steps = len(batch), int(place.max())
    _, _, hidden, logits = found[-1]
    states = hidden.new_zeros(n_rows, n_steps, hidden.shape[1])
    answers = logits.new_zeros(n_rows, n_steps, logits.shape[1])
    for rows, step, hidden, logits in found:
        states[rows, step], answers[rows, step] = hidden, logits
    return states, answers, place


def step_ends(network: HookedModule, batch: SequenceBatch) -> Sequence[int]:
    """Return the numbers of inputs after each of which there is a step."""
    made = [network.steps_made(batch, n) for n in range(1, int(batch.lengths.max()) + 1)]
    before = [0, *made[:-1]]
    grown = [n for n, (b, now) in enumerate(zip(before, made, strict=True), 1) if now > b]
    if network.steps_grow:  # short inputs alone would not show it
        return grown
    return [n for n, now in enumerate(made, 1) if now]


def last_states(seen: Pass) -> Tensor:
    """Return the (B, d) states of the tap after the last step of each sequence."""
    if seen.tap.lengths is None:
        return seen.hidden[:, -1]
    return seen.hidden[torch.arange(len(seen.hidden)), seen.tap.lengths - 1]
