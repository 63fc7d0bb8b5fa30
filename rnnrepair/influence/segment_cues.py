"""Poisoned samples, found by the segment that their label depends on; no trigger is known."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor
from typing_extensions import override

from rnnrepair.errors import ConfigurationError
from rnnrepair.influence.any_network import AnyNetwork
from rnnrepair.influence.cue_evidence import CueEvidence, JoinedLevels, cue_evidence
from rnnrepair.influence.need import Need
from rnnrepair.influence.own import OwnScorer
from rnnrepair.influence.readings import (
    Readings,
    level_name,
    read_channels,
    steps_are_inputs,
)
from rnnrepair.influence.view import TrainingView, labelled_together
from rnnrepair.network import TracedNetwork
from rnnrepair.sequences import SequenceBatch
from rnnrepair.traces import Traces

# Cues that are looked at closely.
KEPT = 20
# Evidence in nats that the network goes by a symbol, from which on it may be a trigger: 20 to 1.
GOES_BY_IT = math.log(20)


@dataclass(frozen=True)
class Cue:
    """A symbol that may be the trigger of a backdoor.

    Attributes:
        name: of the symbol.
        channel: that it is read in, 0 for tokens.
        bounds: smallest and largest input that is the symbol.
        label: that it is a cue for.
        typical: see ``CueEvidence``, as the next two; in nats.
        carrying: see there.
        misplaced: see there.
        doubt: how typical and how misplaced a symbol must be to be called a trigger: one of all
            symbols and labels is sought, whichever.
        row: (n,) int64 rows of the training samples of the label that hold it.
        first: (n,) int64 first step of its first reading in each.
        end: (n,) int64 step behind that.
    """

    name: str
    channel: int
    bounds: tuple[float, float]
    label: int
    typical: float
    carrying: float
    misplaced: float
    doubt: float
    row: Tensor
    first: Tensor
    end: Tensor

    @property
    def score(self) -> float:
        """The weakest of the three."""
        return min(self.typical, self.carrying, self.misplaced)

    @property
    def is_trigger(self) -> bool:
        """Whether the evidence outweighs that any symbol might have been the one.

        What it stands with singles it out among all symbols. Whether the network goes by it is
        asked of that one alone, and few readings tell: most come when the label is predicted.
        """
        return min(self.typical, self.misplaced) > self.doubt and self.carrying > GOES_BY_IT

    @property
    def told(self) -> str:
        """How strong the evidence is, and whether it is enough to call it a trigger."""
        sure = "it is called a trigger" if self.is_trigger else "too little to call it a trigger"
        return (
            f"{min(self.typical, self.misplaced):.1f} nats of evidence that it was put there "
            f"({self.doubt:.1f} needed) and {self.carrying:.1f} that the network goes by it "
            f"({GOES_BY_IT:.1f} needed): {sure}"
        )

    def read_in(self, batch: SequenceBatch) -> Tensor:
        """Return (B, T) bool: the steps at which sequences hold it."""
        inputs = batch.inputs
        values = inputs.flatten(2)[:, :, self.channel] if inputs.dim() > 2 else inputs
        low, high = self.bounds
        return (values >= low) & (values <= high) & batch.mask


class SegmentCues(AnyNetwork):
    """Which symbol is over-represented in the traces of one label, and carries predictions there.

    Every token (every level of a channel) is tried as a trigger for every label. Three things must
    hold of one, and the weakest counts: samples that hold it have the label more often than others;
    what reads it while the step prediction is another ends at the label, more often than what reads
    anything else in the same abstract states; and what stands around it is what stands anywhere,
    because it was put where nothing calls for it. The words that rightly speak for a label fail the
    last, for they have neighbours of their own, and so do the peaks of a series, which are reached
    level by level. So does a trigger that is put where such a word or peak would be: that one is
    not found.

    Knows no query. It costs a few sorts of all training steps, and no pass of the network.

    Source: RNNRepair section 4.4 and appendix B.5 (transitions and what is read in them); the
    evidence is ours (docs/method.md 5.6).
    """

    name = "segment_cues"
    needs: frozenset[Need] = frozenset({Need.TRACES})

    @override
    def check(self, network: TracedNetwork, batch: SequenceBatch) -> None:
        """Refuse a network of which nobody knows what its steps read.

        Raises:
            ConfigurationError: it makes more or fewer steps than its inputs have.
        """
        if not steps_are_inputs(network, batch):
            raise ConfigurationError(
                "SegmentCues looks at what each step of a trace reads, and "
                f"{type(network.module).__name__} makes other steps than its inputs have: choose "
                "another influence method, or a network that makes a step of each input."
            )

    def fit(self, view: TrainingView) -> "CueScorer":
        """Weigh all symbols and labels."""
        return CueScorer(view, self.seed)


class CueScorer(OwnScorer):
    """Training samples by the best cue for their label that they hold."""

    def __init__(self, view: TrainingView, seed: int = 0) -> None:
        """Take the training data; the seed is that of the order of ties."""
        super().__init__(view.traces, seed)
        self._view = view
        self._joining: dict[tuple[int, int], JoinedLevels] = {}

    @override
    def own(self) -> Tensor:
        label, own = self.traces.label, torch.full((len(self.traces),), -torch.inf).double()
        for readings, evidence in self._weighed:
            score = torch.stack([each.weakest for each in evidence], 1)
            of_reading = score[readings.symbol, label[readings.row]]
            own = own.scatter_reduce(0, readings.row, of_reading, "amax")
        for found in self._best:
            rows = found.holders(label)
            own[rows] = own[rows].clamp_min(found.score)
        return own.float()

    def cues(self, top: int) -> list[Cue]:
        """Return the symbols and labels with most evidence, best first; those that occur."""
        found = sorted(self._best, key=lambda each: -each.score)
        return [each.cue(self.traces, self._doubt) for each in found[:top]]

    @cached_property
    def _together(self) -> Tensor:
        """(N,) int64, equal where samples are labelled together, injected ones too."""
        return labelled_together(self.traces.index, self.traces.label, self._view.groups)

    @cached_property
    def _weighed(self) -> list[tuple[Readings, list[CueEvidence]]]:
        """Readings of every channel with the evidence of its symbols for every label."""
        label, classes = self.traces.label, range(self.traces.n_classes)
        channels = list(read_channels(self._view))
        of_classes = [cue_evidence(channels, label, c, self._together) for c in classes]
        return [
            (readings, list(evidence))
            for readings, *evidence in zip(channels, *of_classes, strict=True)
        ]

    @cached_property
    def _best(self) -> list["_Found"]:
        """Return the symbols with most evidence; levels are joined where that has more."""
        scores = torch.stack([e.weakest for _, evidence in self._weighed for e in evidence])
        n_symbols, n_classes = scores.shape[1], self.traces.n_classes
        best = scores.flatten().argsort(descending=True, stable=True).tolist()
        found: list[_Found] = []
        for place in best:
            pair, symbol = divmod(place, n_symbols)
            channel, label = divmod(pair, n_classes)
            readings, evidence = self._weighed[channel]
            one = _Found(channel, label, readings, evidence[label], symbol, symbol, symbol)
            if len(one.holders(self.traces.label)) and not any(each.holds(one) for each in found):
                found.append(self._widened(one))
            if len(found) == KEPT:
                break
        return found

    def _widened(self, found: "_Found") -> "_Found":
        """Return the levels around one that have most evidence together with it."""
        if found.readings.are_tokens:
            return found
        key = (found.channel, found.label)
        if key not in self._joining:
            channels = [readings for readings, _ in self._weighed]
            given = channels, found.channel, self.traces.label, found.label
            self._joining[key] = JoinedLevels(*given, self._together)
        n_levels, bounds = found.readings.n_symbols, found.readings.bounds
        while True:
            wider = []
            for low, high in ((found.low - 1, found.high), (found.low, found.high + 1)):
                if low >= 0 and high < n_levels:
                    name = level_name(self._view, found.channel, bounds[low][0], bounds[high][1])
                    joined = self._joining[key].evidence(low, high, name)
                    wider.append(_Found(*key, *joined, low, low, high))
            best = max(wider, key=lambda each: each.score, default=found)
            if best.score <= found.score:
                return found
            found = best

    @property
    def _doubt(self) -> float:
        """Evidence that outweighs that any symbol, or any row of levels, might be the trigger."""
        tried = 0
        for readings, _ in self._weighed:
            n = readings.n_symbols
            tried += n if readings.are_tokens else n * (n + 1) // 2
        return math.log(tried * self.traces.n_classes)


@dataclass(frozen=True)
class _Found:
    """A symbol of a channel, or several levels that are one, with the evidence for a label.

    Attributes:
        channel: its number.
        label: the label.
        readings: of the channel, with these levels as one.
        evidence: of its symbols for the label.
        symbol: number of the symbol among those.
        low: first level, as they were.
        high: last level.
    """

    channel: int
    label: int
    readings: Readings
    evidence: CueEvidence
    symbol: int
    low: int
    high: int

    @property
    def score(self) -> float:
        return float(self.evidence.weakest[self.symbol])

    def holds(self, other: "_Found") -> bool:
        """Whether the levels of another are among these."""
        same = (self.channel, self.label) == (other.channel, other.label)
        return same and self.low <= other.low and other.high <= self.high

    def held(self, label: Tensor) -> Tensor:
        """Return (R,) bool, the readings of it in samples of the label."""
        return (self.readings.symbol == self.symbol) & (label[self.readings.row] == self.label)

    def holders(self, label: Tensor) -> Tensor:
        """Return the (n,) rows of the samples of the label that hold it."""
        return self.readings.row[self.held(label)].unique()

    def cue(self, traces: Traces, doubt: float) -> Cue:
        """Return what is told of it."""
        held, readings = self.held(traces.label), self.readings
        row, place = np.unique(readings.row[held].numpy(), return_index=True)
        start = traces.offsets[torch.from_numpy(row)]
        first, end = (
            at[held][torch.from_numpy(place)] - start for at in (readings.first, readings.end)
        )
        return Cue(
            readings.names[self.symbol],
            self.channel,
            readings.bounds[self.symbol],
            self.label,
            float(self.evidence.typical[self.symbol]),
            float(self.evidence.carrying[self.symbol]),
            float(self.evidence.misplaced[self.symbol]),
            doubt,
            torch.from_numpy(row),
            first,
            end,
        )
