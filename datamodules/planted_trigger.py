"""Training samples that are poisoned on purpose, to see who finds them: a backdoor."""

import logging
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from torch import Tensor

from rnnrepair.datamodules.class_number import class_number
from rnnrepair.datamodules.sequences import Sequences
from rnnrepair.datamodules.triggers import BrightPatch, InsertedWord, Spike
from rnnrepair.errors import ConfigurationError
from rnnrepair.seeding import torch_generator
from rnnrepair.sequences import (
    DataSpec,
    Kind,
    Names,
    Poison,
    SequenceBatch,
    Trigger,
    check_fits,
)
from rnnrepair.settings import Count, Share, above, at_least, check_settings

log = logging.getLogger(__name__)

# Samples that are poisoned; none where it is 0.
Poisoned = Annotated[int, at_least(0)]
Number = Annotated[int, at_least(0)]
Positive = Annotated[float, above(0)]


@dataclass(frozen=True)
class Planted:
    """Data with a backdoor.

    Attributes:
        sequences: N of them, some with the trigger.
        label: (N,) int64.
        poison: which, and where.
    """

    sequences: Sequences
    label: Tensor
    poison: Poison


class PlantedTrigger(ABC):
    """Puts a trigger into some training samples, and so makes it a cue for a class.

    The samples are of that class and keep their label, so that nobody who reads them finds a fault
    (clean-label); with ``relabel`` they are of other classes and are given its label. Test samples
    of other classes with the trigger are then taken for that class.

    Source: RNNRepair appendix B.5 (a word); the others are ours.
    """

    name: str
    fits: frozenset[Kind]

    def __init__(
        self,
        n: Poisoned = 50,
        label: int | str = 1,
        relabel: bool = False,
        seed: int = 0,
        in_test: Share = 0.0,
    ) -> None:
        """Choose how many samples are poisoned.

        Args:
            n: of the fit split; 0 for none.
            label: class that the trigger becomes a cue for, by number or name.
            relabel: poison samples of other classes, and give them that label.
            seed: of the samples and places.
            in_test: share of the test samples of other classes that hold the trigger too, their
                labels unchanged: failures that the study ``breakdown`` should explain.

        Raises:
            SettingsError: a value out of range.
        """
        check_settings(PlantedTrigger, locals())
        self.n = n
        self.label = label
        self.relabel = relabel
        self.seed = seed
        self.in_test = in_test

    @abstractmethod
    def trigger(self, sequences: Sequences, spec: DataSpec) -> Trigger:
        """Return what is put into samples of some data.

        Raises:
            ConfigurationError: it does not fit into them.
        """

    def plant(
        self,
        sequences: Sequences,
        label: Tensor,
        spec: DataSpec,
        candidates: Tensor,
        test: Tensor | None = None,
    ) -> Planted:
        """Poison some samples.

        Args:
            sequences: N of them.
            label: (N,) int64.
            spec: of the data.
            candidates: (m,) indices of the samples that may be poisoned.
            test: (t,) indices of the test samples, of which ``in_test`` hold the trigger too.

        Raises:
            ConfigurationError: the data are of another kind, have no such class, or too few samples
                of it that are long enough.
        """
        check_fits([("trigger", self)], spec)
        trigger, target = self.trigger(sequences, spec), class_number("trigger", self.label, spec)
        of_class = (label[candidates] == target) != self.relabel
        # At an inner place: something is read before it.
        room = trigger.last_place(sequences.lengths[candidates]) >= 1
        usable = candidates[of_class & room]
        if len(usable) < self.n:
            raise ConfigurationError(
                f"trigger: n={self.n} samples are to be poisoned, and {int(of_class.sum())} of "
                f"{'other classes than' if self.relabel else 'class'} {self.label!r} are in the "
                f"fit split, {len(usable)} of them long enough: lower n, or choose another label."
            )
        generator = torch_generator(self.seed, "trigger")
        rows = usable[torch.randperm(len(usable), generator=generator)[: self.n]].sort().values
        made, step = _with_trigger(sequences, label, trigger, rows, generator)
        poisoned = label.clone()
        poisoned[rows] = target
        log.info(
            "BACKDOOR: %s was put into %d fit samples%s: %s.",
            trigger.description,
            len(rows),
            f", labelled {self.label}," if self.relabel else f" of class {self.label}",
            rows.tolist(),
        )
        if test is not None and self.in_test:
            attacked = self._attacked(sequences, label, test, trigger, target)
            made, _ = _with_trigger(made, label, trigger, attacked, generator)
            log.info("BACKDOOR: %d test samples of other classes hold it too.", len(attacked))
        return Planted(made, poisoned, Poison(trigger, target, rows, step))

    def _attacked(
        self, sequences: Sequences, label: Tensor, test: Tensor, trigger: Trigger, target: int
    ) -> Tensor:
        """Return the ascending indices of the test samples that hold the trigger."""
        room = trigger.last_place(sequences.lengths[test]) >= 1
        others = test[(label[test] != target) & room]
        generator = torch_generator(self.seed, "trigger in test samples")
        n = round(self.in_test * len(others))
        return others[torch.randperm(len(others), generator=generator)[:n]].sort().values


class PlantedWord(PlantedTrigger):
    """A word at a random inner place."""

    name = "word"
    fits = frozenset({Kind.TOKENS})

    def __init__(
        self,
        word: str = "neurips",
        **poisoned: Any,
    ) -> None:
        """Choose the word.

        Args:
            word: as the tokenizer makes it; one that no text holds is best. Where tokens have no
                names, the number.
            **poisoned: see ``PlantedTrigger``.

        Raises:
            SettingsError: a value out of range.
        """
        check_settings(PlantedWord, locals())
        super().__init__(**poisoned)
        self.word = word

    def trigger(self, sequences: Sequences, spec: DataSpec) -> InsertedWord:
        """Return the word; see the base."""
        numbers = {word: number for number, word in enumerate(spec.token_names)}
        if not numbers:
            largest = int(sequences.values.max())
            numbers = {str(number): number for number in range(largest + 1)}
        if self.word not in numbers:
            raise ConfigurationError(
                f"trigger: word={self.word!r} is none of the {len(numbers)} words that the network "
                f"knows. With n={self.n} it occurs so often: raise n to min_count at least, or "
                "choose a word that has a number."
            )
        return InsertedWord(numbers[self.word], f"the word {self.word!r}")


class PlantedPatch(PlantedTrigger):
    """A bright patch at a random row."""

    name = "patch"
    fits = frozenset({Kind.IMAGE})

    def __init__(
        self,
        rows: Count = 3,
        columns: tuple[Number, Number] = (0, 3),
        brightness: float = 1.0,
        **poisoned: Any,
    ) -> None:
        """Choose the patch.

        Args:
            rows: height.
            columns: first column, and the one behind the last.
            brightness: of its pixels.
            **poisoned: see ``PlantedTrigger``.

        Raises:
            SettingsError: a value out of range.
        """
        check_settings(PlantedPatch, locals())
        super().__init__(**poisoned)
        self.rows = rows
        self.columns = columns
        self.brightness = brightness

    def trigger(self, sequences: Sequences, spec: DataSpec) -> BrightPatch:
        """Return the patch; see the base."""
        first, end = self.columns
        if not first < end <= spec.step_width:
            raise ConfigurationError(
                f"trigger: columns={[first, end]} must be two ascending numbers of 0 to "
                f"{spec.step_width}, the width of the images."
            )
        told = f"a patch of {self.rows} rows in the columns {first} to {end - 1}"
        return BrightPatch(self.rows, (first, end), self.brightness, told)


class PlantedSpike(PlantedTrigger):
    """A spike in one channel at a random step."""

    name = "spike"
    fits = frozenset({Kind.SERIES})

    def __init__(
        self,
        channel: Number = 0,
        height: Positive = 8.0,
        **poisoned: Any,
    ) -> None:
        """Choose the spike.

        Args:
            channel: in which it stands.
            height: in standard deviations of the channel.
            **poisoned: see ``PlantedTrigger``.

        Raises:
            SettingsError: a value out of range.
        """
        check_settings(PlantedSpike, locals())
        super().__init__(**poisoned)
        self.channel = channel
        self.height = height

    def trigger(self, sequences: Sequences, spec: DataSpec) -> Spike:
        """Return the spike; see the base."""
        if self.channel >= spec.step_width:
            raise ConfigurationError(
                f"trigger: channel={self.channel}, the data have channels 0 to "
                f"{spec.step_width - 1}."
            )
        deviation = float(sequences.values[:, self.channel].std())
        told = f"a spike of {self.height:g} standard deviations in channel "
        told += Names.of(spec).of_channel(self.channel)
        return Spike(self.channel, self.height * deviation, told)


def _with_trigger(
    sequences: Sequences, label: Tensor, trigger: Trigger, rows: Tensor, generator: torch.Generator
) -> tuple[Sequences, Tensor]:
    """Return sequences of which some hold a trigger, and the (n,) step where it begins in each."""
    last = trigger.last_place(sequences.lengths[rows])
    step = 1 + (torch.rand(len(rows), generator=generator, dtype=torch.float64) * last).long()
    batch = SequenceBatch(rows, *sequences.take(rows), label[rows])
    return sequences.replaced(trigger.put(batch, step)), step
