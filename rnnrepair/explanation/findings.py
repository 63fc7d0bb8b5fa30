"""What is found out about the failures of a trained network, before anybody reads it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from rnnrepair.influence import Evidence, LabelDoubt, Suspicion
from rnnrepair.patterns import Pattern
from rnnrepair.protocols import Split
from rnnrepair.record import Failure, Suspect
from rnnrepair.sequences import DataSpec, Names, SampleNames


@dataclass(frozen=True, eq=False)
class Findings:
    """M failures of a trained network, what is behind each, and what they share.

    Attributes:
        spec: of the data.
        network: how it is read.
        split: that the failures are of.
        accuracy: of the network on the whole split.
        fit_accuracy: of it on the training samples that are searched.
        searched: training samples among which those behind a failure are looked for.
        set_aside: sequences of ``repair`` and ``val``, which are not.
        warning: that the data are probably not those that it was trained on, or that the split is
            unlike them; empty for none.
        learnt: whether failures are of what the network has not learnt, or of what is new to it;
            empty for neither, and where a warning, a pattern or where they gather says more.
        two_labels: inputs that stand in training with several labels; empty for none.
        cut_off: that texts have probably been cut at a length; empty where nothing points to it.
        confused: (C, C) int64, how often the class of the row is taken for that of the column on
            the whole split.
        failing: (n,) int64 indices of all failures of the split; as many may be told, or fewer.
        n_apart: groups that these are of; copies, or windows of one recording, count as one.
        by_group: which groups most failures are of, in a line; empty where they stand alone.
        patterns: what failures of the split have in common, told or not; None where nobody has
            looked.
        perhaps: what they may have in common where there are none of these: chance explains it, but
            not easily.
        gathered: classes, lengths and odd values of the inputs in which failures gather, where
            patterns explain less than half of them: where they are, and not why.
        known: what else is known of patterns and of where failures gather, by what is told of them:
            which class a network may take them for, how they differ from training.
        failures: M of them as records hold them, with the training samples that a card shows; their
            steps are positions in ``state`` and ``prediction``, from 0.
        evidence: of the same failures, all training samples that were looked for, by role.
        doubt: whether labels of the failures are suspect.
        suspicion: of the labels of all training samples.
        suspects: training samples whose label is suspect, the most suspicious first, and behind
            them those whose doubt a value of a column explains.
        place: (M, 2) float32, first two principal components of the last states.
        words: M texts as their words, none where inputs are no tokens.
        n_inputs: (M,) int64 steps of the sequences, of which a network may make fewer states.
        right: (n,) int64 indices that were asked for and are no failures.
        sample_names: what samples are called where they came from.
    """

    spec: DataSpec
    network: str
    split: Split
    accuracy: float
    fit_accuracy: float
    searched: int
    set_aside: int
    warning: str
    learnt: str
    two_labels: str
    cut_off: str
    confused: Tensor
    failing: Tensor
    n_apart: int
    by_group: str
    patterns: tuple[Pattern, ...] | None
    perhaps: Pattern | None
    gathered: tuple[Pattern, ...]
    known: Mapping[str, tuple[str, ...]]
    failures: tuple[Failure, ...]
    evidence: Evidence
    doubt: LabelDoubt
    suspicion: Suspicion
    suspects: tuple[Suspect, ...]
    place: Tensor
    words: tuple[tuple[str, ...], ...]
    n_inputs: Tensor
    right: Tensor
    sample_names: SampleNames = field(default_factory=SampleNames)

    @property
    def names(self) -> Names:
        """Words and names of classes of the data."""
        return Names.of(self.spec)

    @property
    def n_failures(self) -> int:
        """Failures of the whole split."""
        return len(self.failing)

    def patterns_of(self, index: int) -> list[str]:
        """Return what a failure shares with others, in words."""
        return [p.description for p in self.patterns or () if bool((p.members == index).any())]

    def numbered(self, index: list[int]) -> list[str]:
        """Return numbers of samples as people read them, with what the user's data call them."""
        return self.sample_names.numbered(torch.tensor(index, dtype=torch.int64))

    def called(self, index: list[int]) -> list[str]:
        """Return what the user's data call samples, in words."""
        return self.sample_names.called(torch.tensor(index, dtype=torch.int64))


def real(index: Tensor) -> list[int]:
    """Leave the places out in which there is no sample."""
    found: list[int] = index[index >= 0].tolist()
    return found
