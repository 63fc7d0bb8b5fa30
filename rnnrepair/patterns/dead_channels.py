"""Samples with channels that have no readings: seen, not told by what comes near."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from rnnrepair.edits.series_sweeps import dead_sweep
from rnnrepair.edits.sweep import Sweep
from rnnrepair.edits.sweeps import sweep_of
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
    seen = _Seen.of(context)
    return [seen.candidate(sweep) for sweep in dead if bool(seen.seldom[list(sweep.dead)].all())]


def all_dead(context: PatternContext, found: Candidate) -> Candidate:
    """Return a candidate of dead channels with every channel that is dead in all its failures.

    What is looked for are neighbours in groups; which they are is seen in the samples.
    """
    seen = _Seen.of(context)
    failures = seen.here[found.inside & context.failed]
    channels = (failures.all(0) & seen.seldom).nonzero()[:, 0].tolist()
    sweep = sweep_of(str(found.parameters["edit"]), context.spec)
    if sweep is None or set(channels) <= set(sweep.dead):
        return found
    return seen.candidate(dead_sweep(context.spec, channels))


def has_dead_channels(context: PatternContext, sweep: Sweep) -> Tensor:
    """Return (S,) bool: samples of the context whose channels of an edit are dead."""
    return _Seen.of(context).candidate(sweep).inside


def is_seen(parameters: Mapping[str, float | str]) -> bool:
    """Return whether a pattern is one of dead channels, see ``dead_channels``."""
    return SEEN in parameters


@dataclass(frozen=True, eq=False)
class _Seen:
    """Which channels read nothing.

    Attributes:
        here: (S, F) bool, of the samples that are searched.
        there: (n, F) bool, of training samples.
        training: (n,) int64 indices of these.
        seldom: (F,) bool, channels that are so in hardly any of them.
    """

    here: Tensor
    there: Tensor
    training: Tensor
    seldom: Tensor

    @classmethod
    def of(cls, context: PatternContext) -> "_Seen":
        """Look at the samples, and at training samples."""
        training = looked_at(context.originals)
        here, there = _is_zero(context.batch), _is_zero(context.fetch(training))
        return cls(here, there, training, there.double().mean(0) <= SELDOM)

    def candidate(self, sweep: Sweep) -> Candidate:
        """Return the samples whose channels of an edit are dead."""
        inside, own = (_are_dead(of, self.there, sweep) for of in (self.here, self.there))
        parameters: dict[str, float | str] = {"edit": sweep.name, "from": 0.0, "to": 1.0, SEEN: 1.0}
        samples = self.training[own]
        return Candidate(EDIT, sweep.description, inside, parameters, samples, alike=Alike.CLASS)


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
