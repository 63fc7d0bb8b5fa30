"""What the callbacks ask of a user's model and data; anything that answers will do."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from rnnrepair.edits import EditFamily
from rnnrepair.errors import ConfigurationError
from rnnrepair.sequences import (
    Changes,
    Corrected,
    DataSpec,
    Phrases,
    Poison,
    SampleNames,
    SequenceBatch,
)

# fit, repair, val and test, and further test splits that the data name.
Split = str
# Sequences that are read at a time for their labels alone.
READ_AT_A_TIME = 2000


@runtime_checkable
class RepairableData(Protocol):
    """A data module that knows the four splits and takes new training samples.

    ``fit`` trains, ``repair`` supplies the failures to repair, ``val`` chooses, ``test`` is only
    reported. The splits are disjoint.
    """

    spec: DataSpec

    @property
    def source(self) -> str:
        """Where the data came from, for the summary."""
        ...

    @property
    def more_tests(self) -> tuple[Split, ...]:
        """Names of further test splits, which are reported beside ``test``."""
        ...

    @property
    def n_injected(self) -> int:
        """Number of repair samples in the training set."""
        ...

    @property
    def n_rounds(self) -> int:
        """Number of changes that were made by ``apply`` and not taken back."""
        ...

    @property
    def keeps_lengths(self) -> bool:
        """Whether new samples have no room for more steps than what they were made from."""
        ...

    @property
    def augments(self) -> bool:
        """Whether training batches are edited."""
        ...

    def trains_unknown(self) -> bool:
        """Return whether training meets the token of unknown words; true where there is none."""
        ...

    def loader(self, split: Split) -> Iterable[SequenceBatch]:
        """Return batches of the whole split, in any order, without augmentation.

        ``fit`` includes the samples injected so far; their indices are higher than all others. It
        includes what training leaves out now, too: analyses compare the same sequences.
        """
        ...

    def fetch(self, index: Tensor) -> SequenceBatch:
        """Return the sequences with these indices, in this order."""
        ...

    def training_form(self, batch: SequenceBatch) -> tuple[Any, SequenceBatch]:
        """Return what training is given for these sequences, and how ``fetch`` would show them.

        The sequences need not be of the data. The two are one where training is given what is
        analysed; data in a form of their own pad as they do.
        """
        ...

    def indices(self, split: Split) -> Tensor:
        """Return the (n,) ascending indices of a split; ``fit`` without injected samples."""
        ...

    def apply(self, changes: Changes) -> Tensor:
        """Change the training data of the next epoch; return the (n,) indices of what is added."""
        ...

    def take_back(self) -> None:
        """Undo the last ``apply``."""
        ...

    def train_on(
        self,
        splits: Sequence[Split],
        n_originals: int,
        edits: EditFamily | None = None,
    ) -> None:
        """Choose what an epoch sees besides the injected samples, from the next one on.

        Args:
            splits: whose original samples are drawn.
            n_originals: how many an epoch draws: no sample twice before all were drawn once.
            edits: what augmentation draws from, None for what it draws from anyway.
        """
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return the injected samples and what ``train_on`` was told: checkpoints hold it."""
        ...

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the injected samples."""
        ...


@runtime_checkable
class KnowsWrongLabels(Protocol):
    """Data with labels that were made wrong on purpose: who looks for them is told the score."""

    def mislabelled(self, index: Tensor) -> Tensor | None:
        """Return (n,) bool: sequences whose label was made wrong; None where none were."""
        ...

    def true_labels(self, index: Tensor) -> Tensor:
        """Return the (n,) labels that loaded sequences had before."""
        ...


@runtime_checkable
class KnowsPoison(Protocol):
    """Data with a backdoor that was put in on purpose: who looks for it is told the score."""

    @property
    def poison(self) -> Poison | None:
        """Which samples hold the trigger, and where; None where none do."""
        ...


@runtime_checkable
class KnowsPhrases(Protocol):
    """Data that know labelled parts of their training sequences, such as phrases of sentences."""

    @property
    def phrases(self) -> Phrases | None:
        """Those of ``fit`` and ``repair``; None where there are none.

        None of a val or test sequence, and none that such a sequence consists of.
        """
        ...


@runtime_checkable
class KnowsNames(Protocol):
    """Data whose samples have names where they came from: what is told of a sample names it."""

    @property
    def sample_names(self) -> SampleNames:
        """Names of all samples, and what injected ones were made from."""
        ...


@runtime_checkable
class KnowsColumns(Protocol):
    """Data that know more of each sample than its class: a speaker, a device, a site."""

    @property
    def sample_columns(self) -> Mapping[str, Sequence[str]]:
        """Values by the name of the column, one of each sample that was loaded, by its number."""
        ...


@runtime_checkable
class KnowsGroups(Protocol):
    """Data that know which samples belong together: copies, windows of one recording."""

    @property
    def sample_groups(self) -> Tensor | None:
        """(n,) int64 of all samples that were loaded, by number; None where each stands alone."""
        ...


@runtime_checkable
class KnowsLabels(Protocol):
    """Data that know labels without reading the sequences."""

    def labels_of(self, index: Tensor) -> Tensor:
        """Return the (n,) labels that samples are trained with now."""
        ...


@runtime_checkable
class KnowsCorrections(Protocol):
    """Data whose labels a person has looked at, some of them: these are never called suspect."""

    @property
    def corrected(self) -> Corrected | None:
        """Which samples they are, and what was said of them; None where nobody has looked."""
        ...


@runtime_checkable
class TellsBatches(Protocol):
    """A sampler of whole batches that tells what they hold, where batches do not tell it."""

    @property
    def drawn(self) -> Sequence[Tensor]:
        """(b,) indices of each batch drawn so far by the iteration begun last, in their order."""
        ...


def phrases_of(data: Any) -> Phrases | None:
    """Return the labelled phrases that data know; None where they know none."""
    known = data.phrases if isinstance(data, KnowsPhrases) else None
    return known if known is not None and len(known) else None


def names_of_samples(data: Any) -> SampleNames:
    """Return what samples of data are called, with what their columns say.

    They are called by their numbers where the data know no names.
    """
    names = data.sample_names if isinstance(data, KnowsNames) else SampleNames()
    return replace(names, columns=columns_of_samples(data))


def labels_of_samples(data: Any, index: Tensor) -> Tensor:
    """Return the (n,) int64 labels of samples; sequences are read where data say them only so."""
    if isinstance(data, KnowsLabels):
        return data.labels_of(index)
    parts = [data.fetch(part).label for part in index.split(READ_AT_A_TIME)]
    return torch.cat([index[:0], *parts])


def columns_of_samples(data: Any) -> Mapping[str, Sequence[str]]:
    """Return what data know of each sample beside its class; nothing where they do not say."""
    return data.sample_columns if isinstance(data, KnowsColumns) else {}


def groups_of_samples(data: Any) -> Tensor | None:
    """Return the (n,) int64 groups of all loaded samples; None where each stands alone."""
    return data.sample_groups if isinstance(data, KnowsGroups) else None


def corrections_of(data: Any) -> Corrected | None:
    """Return what a person has said of labels; None where nobody has, or the data do not say."""
    return data.corrected if isinstance(data, KnowsCorrections) else None


def checked_labels(data: Any) -> Tensor:
    """Return the (k,) int64 samples whose label a person has looked at and called right."""
    said = corrections_of(data)
    return torch.empty(0, dtype=torch.int64) if said is None else said.checked


def missing_members(data: Any) -> list[str]:
    """Return the names of ``RepairableData`` that data lack; empty where they follow it."""
    wanted = [name for name in dir(RepairableData) if not name.startswith("_")] + ["spec"]
    return sorted({name for name in wanted if getattr(data, name, None) is None})


def refusal_of(data: Any) -> str | None:
    """Return what to write where data do not follow ``RepairableData``; None where they do."""
    missing = missing_members(data)
    if not missing:
        return None
    kind = f"{type(data).__module__}.{type(data).__name__}".removeprefix("builtins.")
    expected = "expected a data module that follows rnnrepair.protocols.RepairableData, got"
    if isinstance(data, type):
        return f"{expected} the class {data.__name__}: make one of it, {data.__name__}(...)."
    if isinstance(data, DataLoader):
        return (
            f"{expected} a DataLoader: wrap the data sets, not their loaders: "
            "rnnrepair.datamodules.DatasetDataModule(train, test, batch_size=..., collate_fn=...)."
        )
    if isinstance(data, Tensor | tuple | list) or hasattr(data, "__array__"):
        return f"{expected} {kind}: wrap arrays in rnnrepair.datamodules.ArrayDataModule(x, y)."
    if isinstance(data, Dataset) or (hasattr(data, "__getitem__") and hasattr(data, "__len__")):
        return (
            f"{expected} the data set {kind}: wrap it, with one for test, in "
            "rnnrepair.datamodules.DatasetDataModule(train, test)."
        )
    return (
        f"{expected} {kind}, which lacks {missing}. Wrap data sets in "
        "rnnrepair.datamodules.DatasetDataModule(train, test), or derive it from "
        "SequenceDataModule there, which only wants load()."
    )


def set_up(data: RepairableData) -> None:
    """Set data up that nobody has set up, and refuse what is no data module for this.

    Raises:
        ConfigurationError: names what is missing.
    """
    if not isinstance(data, type) and not hasattr(data, "spec") and hasattr(data, "setup"):
        data.setup("fit")
    refusal = refusal_of(data)
    if refusal is not None:
        raise ConfigurationError(f"data: {refusal}")
