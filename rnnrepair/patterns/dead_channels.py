"""Samples with channels that have no readings: seen, not told by what comes near."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from torch import Tensor

from rnnrepair.edits.sweep import Sweep
from rnnrepair.patterns.context import PatternContext
from rnnrepair.patterns.pattern import Alike, Candidate
from rnnrepair.patterns.trait import EDIT
from rnnrepair.sequences import SequenceBatch
from rnnrepair.sequences.summaries import looked_at

# Marks a pattern of samples in which channels are seen to be dead.
SEEN = "seen"
# Share of the training samples in which a channel is 0 throughout, up to which it counts as dead: a
# channel of counts may have nothing to count.
SELDOM = 0.05


def dead_channels(context: PatternContext, sweeps: Sequence[Sweep]) -> list[Candidate]:
    """Return the samples whose channels are 0 throughout, where hardly any training sample is so.

    What a channel told is lost with it, so that samples of two classes become the same: all that is
    as hard has a dead channel too, and by what comes near nothing is found. Compared within classes
    alone, as columns are. Of equal candidates the one of most channels comes first.

    Args:
        context: the data.
        sweeps: of these data.
    """
    dead = sorted((s for s in sweeps if s.dead), key=lambda s: -len(s.dead))
    if not dead:
        return []
    training = looked_at(context.originals)
    here, there = _is_zero(context.batch), _is_zero(context.fetch(training))
    seldom = there.double().mean(0) <= SELDOM
    found = []
    for sweep in dead:
        if bool(seldom[list(sweep.dead)].all()):
            parameters: dict[str, float | str] = {"edit": sweep.name, "from": 0.0, "to": 1.0}
            inside, own = (_are_dead(of, there, sweep) for of in (here, there))
            one = Candidate(EDIT, sweep.told, inside, {**parameters, SEEN: 1.0}, training[own])
            found.append(replace(one, alike=Alike.CLASS))
    return found


def has_dead_channels(context: PatternContext, sweep: Sweep) -> Tensor:
    """Return (S,) bool: samples of the context whose channels of an edit are dead."""
    there = _is_zero(context.fetch(looked_at(context.originals)))
    return _are_dead(_is_zero(context.batch), there, sweep)


def is_seen(parameters: Mapping[str, float | str]) -> bool:
    """Return whether a pattern is one of dead channels, see ``dead_channels``."""
    return SEEN in parameters


def _are_dead(zero: Tensor, in_training: Tensor, sweep: Sweep) -> Tensor:
    """Return (B,) bool: where the channels of an edit are 0, and not all that ever read anything.

    Args:
        zero: (B, F) bool, see ``_is_zero``.
        in_training: (n, F), the same of training samples.
        sweep: of the edit.
    """
    dead, reads = zero[:, list(sweep.dead)].all(1), ~in_training.all(0)
    # A recording of nothing at all has no dead channels: it is none.
    reads[list(sweep.dead)] = False
    return dead if not bool(reads.any()) else dead & ~zero[:, reads].all(1)


def _is_zero(batch: SequenceBatch) -> Tensor:
    """Return (B, F) bool: channels that are 0 at every step of a sequence."""
    outside = ~batch.mask[..., None]
    return ((batch.inputs == 0) | outside).all(1)
