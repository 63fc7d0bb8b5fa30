"""Finds out how to tell what a network would answer after each step, checked on cut inputs."""

from dataclasses import dataclass, replace
from enum import StrEnum

import torch
from torch import Tensor, nn

from rnnrepair.network.cut import last_states, step_ends
from rnnrepair.network.hooked import UNFIT, HookedModule, Pass
from rnnrepair.network.pooling import (
    Pooling,
    as_it_is,
    pooled,
    running_maximum,
    running_mean,
    running_sum,
)
from rnnrepair.network.refusal import refusal
from rnnrepair.network.replay import Replay, inputs_of
from rnnrepair.network.soundness import close

BOTH_WAYS = "it reads both ways: the other direction has always read the whole sequence"
SORTED = (
    "are those of other sequences, or depend on them. Does the module sort the sequences by "
    "itself? Then let it pack them with enforce_sorted=False"
)


class Readout(StrEnum):
    """How it is found what the network would answer after each step."""

    OWN = "the module's own trace"
    POINTWISE = "the module's own layers on each state"
    MEAN = "the module's own layers on the mean of the states up to each step"
    MAXIMUM = "the module's own layers on the maximum of the states up to each step"
    SUM = "the module's own layers on the sum of the states up to each step"
    MEAN_ANSWER = "the mean of what the module's own layers say of each state so far"
    MAXIMUM_ANSWER = "the maximum of what the module's own layers say of each state so far"
    REPLAY = "the module's own layers on the states up to each step"
    CUT = "the module itself on inputs that end there, one call a step"


# Readouts that take one call: what is made of the states first, and of the answers to them.
ONE_CALL: dict[Readout, tuple[Pooling, Pooling]] = {
    Readout.POINTWISE: (as_it_is, as_it_is),
    Readout.MEAN: (running_mean, as_it_is),
    Readout.MAXIMUM: (running_maximum, as_it_is),
    Readout.SUM: (running_sum, as_it_is),
    Readout.MEAN_ANSWER: (as_it_is, running_mean),
    Readout.MAXIMUM_ANSWER: (as_it_is, running_maximum),
}


def in_one_call(replay: Replay, seen: Pass, readout: Readout) -> Tensor:
    """Return (B, T', C) logits after each step by a readout of ``ONE_CALL``."""
    of_states, of_answers = ONE_CALL[readout]
    return of_answers(replay.every_state(pooled(seen, of_states)))


@dataclass(frozen=True)
class Cut:
    """What the module does with inputs that really end after a prefix.

    Attributes:
        n_steps: of the tap in the prefix.
        rows: (b,) sequences that have more.
        seen: of their cut inputs.
    """

    n_steps: int
    rows: Tensor
    seen: Pass


def find_readout(
    network: HookedModule, seen: Pass, alone: Tensor, told: str
) -> tuple[Replay, Readout, str | None]:
    """Return what plays states, how step predictions are found, and a note for people.

    Recorded states are played where that gives what the module says of inputs that are really cut;
    else the inputs are cut. Of layers that read both ways the states of the whole sequence are
    played, which is noted.

    Args:
        network: the module with its hooks.
        seen: what it does with a few sequences, longest first.
        alone: (B, C) its answers to each of them without padding.
        told: how it is called, for people.

    Raises:
        ConfigurationError: neither can be done.
    """
    cuts, reason = _cuts(network, seen)
    cuts_inputs = reason is None
    replay, failed = _replay(network, seen, alone, cuts_inputs=cuts_inputs)
    if _has_states_at_the_end_only(network, seen):
        replay, failed = None, "it has states for whole sequences only"
    if replay is not None and cuts_inputs:
        unlike = [cut for cut in cuts if not _same(replay, seen, cut)]
        if not unlike or all(_both_ways_only(replay, seen, cut) for cut in unlike):
            return replay, _cheapest(replay, seen), BOTH_WAYS if unlike else None
        failed = "recorded states do not tell what it answers to inputs that end there"
    if replay is not None and not cuts_inputs and _ignores_later_inputs(replay, seen):
        both = "" if _into_both_ways(seen) is None else f"; {BOTH_WAYS}"
        return replay, _cheapest(replay, seen), f"{reason}{both}"
    if reason is not None:
        raise refusal(network.module, told, f"{reason}, and its states do not say it")
    _check_rows(network, seen, told)
    return Replay(network), Readout.CUT, failed


def _cuts(network: HookedModule, seen: Pass) -> tuple[list[Cut], str | None]:
    """Return a few cuts, or why there can be none."""
    lengths = network.lengths(seen)
    whole, longest = int(seen.batch.lengths.max()), int(lengths.max())
    cuts: list[Cut] = []
    if longest < 2:  # one step is no prefix of another
        return cuts, None
    error: Exception | None = None
    for n in sorted({1, min(2, longest - 1), (longest + 1) // 2, longest - 1}):
        rows = (lengths > n).nonzero()[:, 0]
        try:
            cut = network.run(seen.batch.rows(rows, network.inputs_needed(seen, n)))
            network.decoder(cut.output, len(rows))
            cuts.append(Cut(n, rows, cut))
        except UNFIT as failed:
            error = failed
    if cuts:
        return cuts, None
    return [], f"it reads {whole} steps and no fewer ({error}), so it cannot be asked earlier"


def _has_states_at_the_end_only(network: HookedModule, seen: Pass) -> bool:
    """Whether the tap makes one step, of however many inputs: a decoder that runs once."""
    one = int(network.lengths(seen).max()) < 2
    return one and len(step_ends(network, seen.batch)) > 1


def _replay(
    network: HookedModule, seen: Pass, alone: Tensor, *, cuts_inputs: bool
) -> tuple[Replay | None, str]:
    """Return a replay that says of whole sequences what the module says of them, or why not."""
    lengths, reason = network.lengths(seen).tolist(), ""
    for reads_all_layers in (False, True):
        replay = Replay(network, reads_all_layers=reads_all_layers, cuts_inputs=cuts_inputs)
        try:
            last = torch.cat(
                [replay.prefix(seen, n, torch.tensor([row])) for row, n in enumerate(lengths)]
            )
        except UNFIT as error:
            reason = f"its own layers on recorded states failed: {error}"
            continue
        if close(last, alone):
            return replay, ""
        reason = f"its own layers on recorded states answer {_example(last, alone)}"
    return None, reason


def _same(replay: Replay, seen: Pass, cut: Cut) -> bool:
    """Whether recorded states say of a prefix what the module says of inputs that end there."""
    n, rows = cut.n_steps, cut.rows
    try:
        played = replay.prefix(seen, n, rows)
    except UNFIT:
        return False
    really = replay.network.decoder(cut.seen.output, len(rows))
    return close(played, really) and close(seen.hidden[rows, n - 1], last_states(cut.seen))


def _both_ways_only(replay: Replay, seen: Pass, cut: Cut) -> bool:
    """Whether layers that read both ways are all that looks ahead."""
    n, rows = cut.n_steps, cut.rows
    whole, part = _into_both_ways(seen), _into_both_ways(cut.seen)
    if whole is None or part is None or not close(whole[rows, : part.shape[1]], part):
        return False
    both = [r.layer for r in seen.recorded if _reads_both_ways(r.layer)]
    try:
        return close(replay.prefix(seen, n, rows, both), replay.prefix(seen, n, rows))
    except UNFIT:
        return False


def _ignores_later_inputs(replay: Replay, seen: Pass) -> bool:
    """Whether states, and what is made of them, are the same with other inputs behind a prefix."""
    batch, network = seen.batch, replay.network
    longest, rows = int(network.lengths(seen).max()), torch.arange(len(batch))
    for n in sorted({1, (longest + 1) // 2, longest - 1}):
        n_inputs = network.inputs_needed(seen, n)
        inputs = _with_other_end(batch.inputs, n_inputs)
        beside = {k: _with_other_end(values, n_inputs) for k, values in batch.beside.items()}
        other = network.run(replace(batch, inputs=inputs, beside=beside))
        try:
            played = replay.prefix(replace(seen, batch=other.batch), n, rows)
            if not close(played, replay.prefix(seen, n, rows)):
                return False
        except UNFIT:
            return False
        # States of the other direction may change, what is read in either may not.
        before, after = (
            s.hidden if (into := _into_both_ways(s)) is None else into for s in (seen, other)
        )
        if not close(before[:, :n], after[:, :n]):
            return False
    return True


def _with_other_end(values: Tensor, n_steps: int) -> Tensor:
    """Return (B, T, ...) values of which those behind a prefix are of other sequences."""
    return torch.cat([values[:, :n_steps], values[:, n_steps:].roll(1, 0).flip(1)], 1)


def _into_both_ways(seen: Pass) -> Tensor | None:
    """Return the (B, T, F) inputs of the first layer that reads both ways, None without one."""
    for recorded in seen.recorded:
        if isinstance(recorded.layer, nn.RNNBase) and _reads_both_ways(recorded.layer):
            return inputs_of(recorded.layer, recorded.inputs[0][0], seen.batch)[0]
    return None


def _reads_both_ways(layer: nn.Module) -> bool:
    return isinstance(layer, nn.RNNBase) and layer.bidirectional


def _check_rows(network: HookedModule, seen: Pass, told: str) -> None:
    """Check that states come in the order of their sequences; nothing else would show it.

    Raises:
        ConfigurationError: they do not.
    """
    n = int(seen.batch.lengths.float().median())
    rows = (seen.batch.lengths >= n).nonzero()[:, 0]
    together = last_states(network.run(seen.batch.rows(rows, n)))
    each = [last_states(network.run(seen.batch.rows(row[None], n))) for row in rows]
    if not close(together, torch.cat(each)):
        raise refusal(network.module, told, f"its states {SORTED}")


def _cheapest(replay: Replay, seen: Pass) -> Readout:
    """Return a readout that takes one call where there is one that agrees, else T calls."""
    if replay.reads_all_layers:
        return Readout.REPLAY
    lengths = replay.network.lengths(seen)
    longest = int(lengths.max())
    prefixes = [
        (n, (lengths >= n).nonzero()[:, 0])
        for n in sorted({1, min(2, longest), (longest + 1) // 2, longest})
    ]
    played = [replay.prefix(seen, n, rows) for n, rows in prefixes]
    for readout in ONE_CALL:
        try:
            steps = in_one_call(replay, seen, readout)
        except UNFIT:
            continue
        pairs = zip(prefixes, played, strict=True)
        if all(close(steps[rows, n - 1], expected) for (n, rows), expected in pairs):
            return readout
    return Readout.REPLAY


def _example(found: Tensor, expected: Tensor) -> str:
    row = int((found - expected).abs().nan_to_num(torch.inf).amax(1).argmax())
    left, right = ([round(float(v), 3) for v in logits[row]] for logits in (found, expected))
    return f"{left}, the module itself {right}"
