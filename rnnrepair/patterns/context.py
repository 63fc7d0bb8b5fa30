"""What a search for patterns is given."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from torch import Tensor

from rnnrepair.patterns.vectors import vectors_of
from rnnrepair.protocols import RepairableData, columns_of_samples, groups_of_samples
from rnnrepair.sequences import DataSpec, SequenceBatch
from rnnrepair.traces import Traces


@dataclass(frozen=True)
class PatternContext:
    """S samples that the network has not trained on, and the training samples.

    Attributes:
        spec: of the data.
        fetch: indices to sequences.
        originals: (n,) int64 indices of the original training samples.
        original_label: (n,) int64 classes of those.
        index: (S,) int64 indices of the samples.
        label: (S,) int64 their classes.
        failed: (S,) bool, whether the network gets them wrong.
        seed: of all that is drawn.
        traces: of the S samples, in their order; None where nobody has made any.
        fit: traces of training samples; None where nobody has made any.
        columns: what the user's data say of each sample of all splits, by the name of the column;
            looked up by index.
        groups: what each sample of all splits belongs to, looked up by index; samples of one group
            (copies, windows of one recording) fail together. None where each stands alone.
    """

    spec: DataSpec
    fetch: Callable[[Tensor], SequenceBatch]
    originals: Tensor
    original_label: Tensor
    index: Tensor
    label: Tensor
    failed: Tensor
    seed: int = 0
    traces: Traces | None = None
    fit: Traces | None = None
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    groups: Tensor | None = None

    def __len__(self) -> int:
        return len(self.index)

    @classmethod
    def of(
        cls, data: RepairableData, fit: tuple[Tensor, Tensor], traces: Traces, seed: int
    ) -> "PatternContext":
        """Return the samples that traces are of, with what the data know of them.

        Args:
            data: of the run.
            fit: (n,) int64 indices of the original training samples, and (n,) their classes.
            traces: of the samples that are looked through, right ones too.
            seed: of all that is drawn.
        """
        answered = (traces.index, traces.label, ~traces.correct)
        return replace(cls.answered(data, fit, answered, seed), traces=traces)

    @classmethod
    def answered(
        cls,
        data: RepairableData,
        fit: tuple[Tensor, Tensor],
        answers: tuple[Tensor, Tensor, Tensor],
        seed: int,
    ) -> "PatternContext":
        """Return samples without traces.

        Args:
            data: of the run.
            fit: see ``of``.
            answers: (S,) int64 indices, (S,) int64 classes, and (S,) bool whether the network
                gets them wrong.
            seed: of all that is drawn.
        """
        return cls(
            data.spec,
            data.fetch,
            *fit,
            *answers,
            seed=seed,
            columns=columns_of_samples(data),
            groups=groups_of_samples(data),
        )

    def ascending(self) -> "PatternContext":
        """Return the same in the order of the indices, so that no order changes what is found."""
        order = self.originals.argsort()
        sorted_ = replace(
            self, originals=self.originals[order], original_label=self.original_label[order]
        )
        return sorted_.select(self.index.argsort())

    def select(self, rows: Tensor) -> "PatternContext":
        """Return the same with some of the S samples."""
        return replace(
            self,
            index=self.index[rows],
            label=self.label[rows],
            failed=self.failed[rows],
            traces=None if self.traces is None else self.traces.select(rows),
        )

    @cached_property
    def group(self) -> Tensor:
        """(S,) int64, equal where samples are of one group."""
        return self.index if self.groups is None else self.groups[self.index]

    def failures_apart(self, inside: Tensor | None = None) -> int:
        """Return how many groups failures are of, of those (S,) that lie inside: copies are one."""
        failed = self.failed if inside is None else self.failed & inside
        return len(self.group[failed].unique())

    @cached_property
    def batch(self) -> SequenceBatch:
        """The S sequences."""
        return self.fetch(self.index)

    @cached_property
    def n_steps(self) -> int:
        """Steps of the longest sequence, as far as is known."""
        return self.spec.max_steps or self.batch.inputs.shape[1]

    @cached_property
    def vectors(self) -> Tensor:
        """(S, D), see ``vectors_of``."""
        return self.as_vectors(self.batch)

    def as_vectors(self, batch: SequenceBatch) -> Tensor:
        """Return (B, D) vectors of sequences, comparable with those of the S samples."""
        return vectors_of(batch, self.spec, self.n_steps)
