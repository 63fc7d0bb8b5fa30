"""What a data set gives to a data module, and what it is refused for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from rnnrepair.datamodules.base import Base
from rnnrepair.datamodules.groups import Groups, refuse_labels
from rnnrepair.datamodules.sequences import Sequences
from rnnrepair.datamodules.values import LARGEST, are_readable
from rnnrepair.errors import DataError
from rnnrepair.sequences import DataSpec, Kind, RoughScale, SampleNames

# Training series that tell of what size their values are, evenly spread.
SCALED_BY = 200


@dataclass(frozen=True)
class LoadedData:
    """What a data set gives to ``SequenceDataModule``: training, then val, then test sequences.

    Attributes:
        sequences: all n of them.
        label: (n,) int64.
        n_train: training sequences; ``fit`` and ``repair`` are carved from them.
        source: where the data came from, for the log and the summary.
        kind: ``tokens``, ``series`` or ``image``: what a step is, and so what edits, methods and
            figures suit the data.
        n_val: sequences of an official val set; 0 carves ``val`` from the training sequences.
        more_tests: names and sizes of further test sets, behind the test sequences in this order.
        class_names: by class, as far as they have names.
        token_names: by token.
        between_tokens: stands between two tokens where they are shown as text.
        unknown: token of all words without a number.
        groups: (n,) int64, samples with the same number never stand in two splits (windows of one
            recording, sentences of one person); None for none. Copies of one sequence never do.
        copies: (n,) int64, equal where two samples are copies, where the sequences do not tell it
            (rare words of texts are one token); None compares the sequences.
        channel_names: by feature of a series, as far as they have names.
        units: by feature of a series, as far as they are known.
        names: what the n samples are called where they came from; None where that is their number
            here.
        columns: what else is known of the n samples, by the name of the column, such as a speaker:
            failures are asked whether they gather there.
    """

    sequences: Base
    label: Tensor
    n_train: int
    source: str
    kind: Kind | str
    n_val: int = 0
    more_tests: dict[str, int] = field(default_factory=dict)
    class_names: Sequence[str] = ()
    token_names: Sequence[str] = ()
    between_tokens: str = " "
    unknown: int | None = None
    groups: Tensor | None = None
    copies: Tensor | None = None
    channel_names: Sequence[str] = ()
    units: Sequence[str] = ()
    names: SampleNames | None = None
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def grouped(self) -> Groups:
        """Return which samples must stand in one split."""
        copies = self.sequences.copies() if self.copies is None else self.copies
        return Groups(copies, self.groups)

    @property
    def first_test(self) -> int:
        """Row of the first test sequence."""
        return self.n_train + self.n_val

    @property
    def end_test(self) -> int:
        """Row behind the last test sequence."""
        return len(self.label) - sum(self.more_tests.values())

    def spec(self, n_classes: int) -> DataSpec:
        """Return the description of the data.

        Raises:
            DataError: the kind and the values contradict each other, there are more or fewer names
                than channels, or two of one name.
            ConfigurationError: there is no such kind.
        """
        nothing, lengths = self.sequences.none(), self.sequences.lengths
        values, padded = nothing.values, bool((lengths != lengths[0]).any())
        width = values.shape[1] if values.dim() > 1 else 1
        if self.channel_names and len(self.channel_names) != width:
            raise DataError(
                f"{self.source}: {len(self.channel_names)} channel names, "
                f"{[*self.channel_names][:5]}, for {width} channels: name each of them, in their "
                "order."
            )
        if len({*self.channel_names}) < len(self.channel_names):
            raise DataError(
                f"{self.source}: the channel names {[*self.channel_names][:5]} are not all "
                "different: nobody could tell which channel is meant."
            )
        largest = self.sequences.largest_token
        if self.token_names and largest is not None and largest >= len(self.token_names):
            raise DataError(
                f"{self.source}: {len(self.token_names)} token names, for tokens 0 .. {largest}: "
                "name each of them, in the order of their numbers."
            )
        spec = DataSpec(
            self.kind,  # type: ignore[arg-type]  # names are taken too
            width,
            n_classes,
            class_names=self.class_names,
            token_names=self.token_names,
            between_tokens=self.between_tokens,
            max_steps=int(lengths.max()),
            unknown=self.unknown,
            padding=int(nothing.padding) if padded and self.kind == Kind.TOKENS else None,
            channel_names=self.channel_names,
            units=self.units,
            largest_token=largest,
            scale=self._scale(),
        )
        if (spec.kind == Kind.TOKENS) == values.is_floating_point():
            raise DataError(
                f"{self.source}: kind={spec.kind}, and the values are {values.dtype}: tokens are "
                "whole numbers, series and images are floats (pixels of 0 to 255: inputs.float() / "
                "255)."
            )
        return spec

    def _scale(self) -> RoughScale | None:
        """Return that of the training series; None of other data."""
        if self.kind != Kind.SERIES or not self.sequences.none().values.is_floating_point():
            return None
        rows = torch.linspace(0, self.n_train - 1, min(self.n_train, SCALED_BY)).long()
        inputs, lengths = self.sequences.take(rows)
        there = torch.arange(inputs.shape[1]) < lengths[:, None]
        return RoughScale.of(inputs[there], there.nonzero()[:, 0])


def check_loaded(data: LoadedData) -> None:
    """Refuse data that cannot be trained on.

    Raises:
        DataError: no training or no test samples, as many labels as sequences do not come, test
            samples of classes that training does not have, or see ``check_steps``.
    """
    n_test = data.end_test - data.first_test
    if data.n_train < 1 or data.n_val < 0 or n_test < 1:
        raise DataError(
            f"{data.source}: expected training and test samples, got {data.n_train} and {n_test}. "
            "Is a label another one for nearly every sample, or a part of the data missing?"
        )
    if len(data.sequences) != len(data.label):
        raise DataError(
            f"{data.source}: {len(data.sequences)} sequences and {len(data.label)} labels: "
            "expected as many of each."
        )
    for name in ("groups", "copies"):
        given = getattr(data, name)
        if given is not None and tuple(given.shape) != tuple(data.label.shape):
            raise DataError(
                f"{data.source}: {name} has shape {tuple(given.shape)}, expected a number for each "
                f"of {len(data.label)} samples."
            )
    entries = {f"columns[{name!r}]": len(values) for name, values in data.columns.items()}
    entries |= {} if data.names is None else {"names": len(data.names)}
    for name, number in entries.items():
        if number != len(data.label):
            raise DataError(
                f"{data.source}: {name} has {number} entries, expected one for each of "
                f"{len(data.label)} samples."
            )
    if data.groups is not None:
        refuse_labels(data.groups, data.label, data.source)
    trained, tested = (labels.unique() for labels in (data.label[: data.n_train], data.label))
    unseen = tested[~torch.isin(tested, trained)].tolist()
    if unseen:
        where = torch.isin(data.label, torch.tensor(unseen)).nonzero()[:, 0]
        raise DataError(
            f"{data.source}: {len(where)} samples of val or test are of classes {unseen}, of which "
            f"training has no sample (the first is sample {int(where[0])}): leave them out, or "
            "give training some."
        )
    if isinstance(data.sequences, Sequences):  # others were looked at when they were read
        check_steps(data.sequences, data.source)


def check_steps(sequences: Sequences, source: str) -> None:
    """Refuse sequences that hold NaN or no step.

    Args:
        sequences: n of them.
        source: what the message calls the data.

    Raises:
        DataError: names the first sample that is wrong.
    """
    if sequences.values.is_floating_point():
        readable = are_readable(sequences.values).flatten(1).all(1)
        if not readable.all():
            steps = (~readable).nonzero()[:, 0]
            bad = (torch.searchsorted(sequences.offsets, steps, right=True) - 1).unique()
            raise DataError(
                f"{source}: sample {int(bad[0])} holds NaN, infinity or a number above {LARGEST:g} "
                f"({len(bad)} samples do): clean the data."
            )
    if len(sequences) and int(sequences.lengths.min()) < 1:
        empty = int((sequences.lengths < 1).nonzero()[0])
        raise DataError(
            f"{source}: sample {empty} has no steps; every sequence needs at least one."
        )
