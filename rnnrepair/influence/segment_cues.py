"""Poison by the segment that it hangs of, found without being told what the trigger is."""

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

import numpy as np
import torch
from torch import Tensor
from typing_extensions import override

from rnnrepair.errors import ConfigurationError
from rnnrepair.influence.any_network import AnyNetwork
from rnnrepair.influence.cue_evidence import CueEvidence, cue_evidence
from rnnrepair.influence.need import Need
from rnnrepair.influence.own import OwnScorer
from rnnrepair.influence.readings import Readings, read_channels, steps_are_inputs
from rnnrepair.influence.view import TrainingView
from rnnrepair.network import TracedNetwork
from rnnrepair.sequences import SequenceBatch


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
        doubt: evidence that a symbol must have to be called a trigger: one of all symbols and
            labels is sought, whichever.
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
        """Whether the evidence outweighs that any symbol might have been the one."""
        return self.score > self.doubt

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

    @override
    def own(self) -> Tensor:
        label, own = self.traces.label, torch.full((len(self.traces),), -torch.inf).double()
        for readings, evidence in self._weighed:
            score = torch.stack([each.weakest for each in evidence], 1)
            of_reading = score[readings.symbol, label[readings.row]]
            own = own.scatter_reduce(0, readings.row, of_reading, "amax")
        return own.float()

    def cues(self, top: int) -> list[Cue]:
        """Return the symbols and labels with most evidence, best first; those that occur."""
        scores = torch.stack([e.weakest for _, evidence in self._weighed for e in evidence])
        best = scores.flatten().argsort(descending=True, stable=True).tolist()
        found = (self._cue(*divmod(place, scores.shape[1])) for place in best)
        return list(islice((cue for cue in found if len(cue.row)), top))

    @cached_property
    def _weighed(self) -> list[tuple[Readings, list[CueEvidence]]]:
        """Readings of every channel with the evidence of its symbols for every label."""
        label, classes = self.traces.label, range(self.traces.n_classes)
        channels = list(read_channels(self._view))
        of_classes = [cue_evidence(channels, label, c) for c in classes]
        return [
            (readings, list(evidence))
            for readings, *evidence in zip(channels, *of_classes, strict=True)
        ]

    def _cue(self, pair: int, symbol: int) -> Cue:
        """Return a cue by the number of its channel and label, and of its symbol."""
        channel, label = divmod(pair, self.traces.n_classes)
        readings, evidence = self._weighed[channel]
        found = evidence[label]
        tried = sum(r.n_symbols for r, _ in self._weighed) * self.traces.n_classes
        held = (readings.symbol == symbol) & (self.traces.label[readings.row] == label)
        row, place = np.unique(readings.row[held].numpy(), return_index=True)
        start = self.traces.offsets[torch.from_numpy(row)]
        first, end = (
            at[held][torch.from_numpy(place)] - start for at in (readings.first, readings.end)
        )
        return Cue(
            readings.names[symbol],
            channel,
            readings.bounds[symbol],
            label,
            float(found.typical[symbol]),
            float(found.carrying[symbol]),
            float(found.misplaced[symbol]),
            math.log(tried),
            torch.from_numpy(row),
            first,
            end,
        )
