"""Samples with channels that have no readings: seen, not told by what comes near."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from torch import Tensor

from rnnrepair.edits.sweep import Sweep
from rnnrepair.patterns.context import PatternContext
from rnnrepair.patterns.pattern import Alike, Candidate
from rnnrepair.patterns.trait import EDIT
from rnnrepair.sequences import SequenceBatch
from rnnrepair.sequences.summaries import SELDOM, looked_at

# Marks a pattern of samples in which channels are seen to be dead.
SEEN = "seen"


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
    found = []
    for sweep in dead:
        inside, own = (of[:, sweep.dead].all(1) for of in (here, there))
        if float(own.double().mean()) <= SELDOM:
            parameters: dict[str, float | str] = {"edit": sweep.name, "from": 0.0, "to": 1.0}
            one = Candidate(EDIT, sweep.told, inside, {**parameters, SEEN: 1.0}, training[own])
            found.append(replace(one, alike=Alike.CLASS))
    return found


def has_dead_channels(batch: SequenceBatch, sweep: Sweep) -> Tensor:
    """Return (B,) bool: sequences in which the channels of an edit are 0 throughout."""
    return _is_zero(batch)[:, sweep.dead].all(1)


def is_seen(parameters: Mapping[str, float | str]) -> bool:
    """Return whether a pattern is one of dead channels, see ``dead_channels``."""
    return SEEN in parameters


def _is_zero(batch: SequenceBatch) -> Tensor:
    """Return (B, F) bool: channels that are 0 at every step of a sequence."""
    outside = ~batch.mask[..., None]
    return ((batch.inputs == 0) | outside).all(1)
