"""Values of the user's columns that doubted labels share: a pattern, or a source of mistakes."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from scipy.stats import hypergeom
from torch import Tensor

# Doubted samples with a value, at least, and how many times as often they have it as all samples.
LEAST_DOUBTED = 5
TIMES = 2
# Of the test, corrected over all values of all columns.
LEVEL = 0.01
# A value stands for a class that so many of its samples have, and so many times as often as all do.
STANDS_FOR, TIMES_AS_ALL = 2 / 3, 1.5
# Samples of a class with a value, at least, that are looked at apart from those of other classes.
LEAST_OF_CLASS = 8


@dataclass(frozen=True)
class SharedValue:
    """A value that far more of the doubted samples have than of all samples.

    Attributes:
        column: name of the user's column.
        value: in it.
        doubted: doubted samples with the value.
        of_doubted: doubted samples, whatever they have.
        having: samples with the value, doubted or not.
        of_samples: samples that were looked at.
        p: probability that as many doubted samples have it by chance, classes alike, times the
            number of values that were tried.
        classes: classes in which at least half of the samples with the value are doubted: there
            the value explains a doubt, and the doubt says nothing of the label.
        beside: another column and its value, where only samples that have both are concerned.
    """

    column: str
    value: str
    doubted: int
    of_doubted: int
    having: int
    of_samples: int
    p: float
    classes: tuple[int, ...]
    beside: tuple[str, str] | None = None

    @property
    def pairs(self) -> frozenset[tuple[str, str]]:
        """The columns with their values, in any order."""
        both = ((self.column, self.value), self.beside)
        return frozenset(pair for pair in both if pair is not None)

    @property
    def name(self) -> str:
        """The value and its column, or both of them."""
        second = "" if self.beside is None else f" and {self.beside[0]}={self.beside[1]}"
        return f"{self.column}={self.value}{second}"

    @property
    def told(self) -> str:
        """What a person reads."""
        p = "p < .001" if self.p < 0.001 else f"p {self.p:.3f}"
        share = self.having / self.of_samples
        told = (
            f"{self.doubted} of {self.of_doubted} training samples whose label is doubted have "
            f"{self.name}, but only {share:.1%} of all {self.of_samples} that were "
            f"looked at ({p}): "
        )
        if not self.classes:
            return (
                f"{told}that may be a source of wrong labels, or of faulty recordings, so fewer "
                "labels of the others are called suspect. Look at these samples first, and at the "
                "study of patterns"
            )
        return (
            f"{told}either these {self.doubted} labels are wrong, or what has this value differs "
            "and they are right. Look at some of them: of classes in which most labels with it are "
            "doubted, none is called suspect, and they stand at the end of the table of suspects. "
            "If they are right, see the study of patterns and the strategy pattern"
        )

    def explains(
        self, columns: Mapping[str, Sequence[str]], index: Tensor, label: Tensor
    ) -> Tensor:
        """Return (n,) bool: samples that have the value and are of one of its classes.

        Args:
            columns: of the data.
            index: (n,) int64 of the samples.
            label: (n,) int64 their classes.
        """
        has = self.had_by(columns, index)
        return has & torch.isin(label, torch.tensor(self.classes, dtype=torch.int64))

    def had_by(self, columns: Mapping[str, Sequence[str]], index: Tensor) -> Tensor:
        """Return (n,) bool: samples with the value, or with both.

        Args:
            columns: of the data.
            index: (n,) int64 of the samples.
        """
        has = torch.ones(len(index), dtype=torch.bool)
        for column, value in self.pairs:
            values = columns[column]
            has &= torch.tensor([values[i] == value for i in index.tolist()], dtype=torch.bool)
        return has

    def plain(self) -> dict[str, Any]:
        """Return numbers, strings and lists, for a checkpoint or JSON."""
        return asdict(self) | {"classes": list(self.classes)}

    @classmethod
    def of_plain(cls, told: Mapping[str, Any]) -> "SharedValue":
        """Return the value that was told as plain values."""
        # Records of earlier versions have none.
        beside = told.get("beside")
        both = None if beside is None else (str(beside[0]), str(beside[1]))
        return cls(**{**told, "classes": tuple(told["classes"]), "beside": both})


def shared_values(
    columns: Mapping[str, Sequence[str]],
    index: Tensor,
    label: Tensor,
    doubted: Tensor,
    group: Tensor | None = None,
) -> tuple[SharedValue, ...]:
    """Return the values that doubted samples share, the most surprising first.

    A value is compared with chance by an exact test: as many samples of each class as are doubted
    are drawn, and those with the value counted. Bonferroni's correction counts all values that
    enough samples have.

    Args:
        columns: values of all samples of the data, by the name of the column; looked up by index.
        index: (n,) int64 of the samples that were looked at.
        label: (n,) int64 their classes.
        doubted: (n,) bool.
        group: (n,) int64, equal where samples belong together and have one label: those with one
            value are doubted together, and count once, as doubted where half of them are. None
            where each stands alone.
    """
    held = {name: np.array([values[i] for i in index.tolist()]) for name, values in columns.items()}
    classes, wrong = label.numpy(), doubted.numpy()
    group = torch.arange(len(index)) if group is None else group
    units = {name: _units(values, doubted, group) for name, values in held.items()}
    alone = {name: held[name][first] for name, (first, _) in units.items()}
    common = [
        (name, value)
        for name, values in alone.items()
        for value, n in sorted(Counter(values.tolist()).items())
        if LEAST_DOUBTED <= n < len(values)
    ]
    often_doubted = {name: Counter(alone[name][of].tolist()) for name, (_, of) in units.items()}
    found = []
    for name, value in common:
        if often_doubted[name][value] < LEAST_DOUBTED:
            continue
        first, together = units[name]
        has = alone[name] == value
        inside = int((has & together).sum())
        often = inside * len(first) >= TIMES * int(has.sum()) * int(together.sum())
        p = min(1.0, len(common) * _as_many_by_chance(has, together, classes[first]))
        if often and p <= LEVEL:
            has = held[name] == value
            counts = (int((has & wrong).sum()), int(wrong.sum()), int(has.sum()), len(index))
            of = _classes_of(has, wrong, classes)
            single = SharedValue(name, value, *counts, p, of)
            units_of = (held, units[name], classes, wrong)
            found.append(single if of else _narrowed(single, *units_of) or single)
    explaining = {(of.column, of.value) for of in found if of.beside is None and of.classes}
    # What one of two values explains by itself, both explain no better.
    kept = [of for of in found if of.beside is None or not of.pairs & explaining]
    ranked = sorted(kept, key=lambda shared: (shared.p, -shared.doubted))
    # Two values that each narrow the other are told once.
    told: dict[frozenset[tuple[str, str]], SharedValue] = {}
    for shared in ranked:
        told.setdefault(shared.pairs, shared)
    return tuple(told.values())


def _narrowed(
    single: SharedValue,
    held: Mapping[str, np.ndarray],
    units: tuple[np.ndarray, np.ndarray],
    classes: np.ndarray,
    doubted: np.ndarray,
) -> SharedValue | None:
    """Return the value with that of another column, where most samples with both are doubted.

    Labels that mean something else for one source in one region look wrong there alone. The test is
    that of ``shared_values``, among the samples with the first value, and corrected over the values
    of other columns.

    Args:
        single: a value that explains nothing by itself.
        held: (n,) values by column.
        units: rows that count once, and whether they are doubted, see ``_units``.
        classes: (n,).
        doubted: (n,) bool.
    """
    first, together = units
    own = held[single.column][first] == single.value
    rows, wrong = first[own], together[own]
    tried = [
        (name, value)
        for name, values in held.items()
        if name != single.column
        for value, k in sorted(Counter(values[rows][wrong].tolist()).items())
        if k >= LEAST_DOUBTED
    ]
    best: SharedValue | None = None
    for name, value in tried:
        has = held[name][rows] == value
        both = (held[single.column] == single.value) & (held[name] == value)
        of = _classes_of(both, doubted, classes)
        p = min(1.0, len(tried) * _as_many_by_chance(has, wrong, classes[rows]))
        if of and not has.all() and p <= LEVEL and (best is None or p < best.p):
            counts = (int((both & doubted).sum()), single.of_doubted, int(both.sum()))
            best = SharedValue(
                single.column,
                single.value,
                *counts,
                single.of_samples,
                max(p, single.p),
                of,
                (name, value),
            )
    return best


def _units(values: np.ndarray, doubted: Tensor, group: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Return what counts once: the samples of a group that have one value.

    Returns:
        The rows of their first samples, in order, and bool, whether half of them are doubted.
    """
    value = torch.from_numpy(np.unique(values, return_inverse=True)[1]).long()
    pairs = torch.stack([group, value], 1)
    number, size = pairs.unique(dim=0, return_inverse=True, return_counts=True)[1:]
    n = len(number)
    first = torch.full((len(size),), n).scatter_reduce(0, number, torch.arange(n), "amin")
    order = first.argsort()
    share = torch.zeros(len(size)).index_add_(0, number, doubted.float()) / size
    return first[order].numpy(), (share[order] >= 0.5).numpy()


def _as_many_by_chance(has: np.ndarray, doubted: np.ndarray, classes: np.ndarray) -> float:
    """Return the probability of as many doubted samples with the value, drawn within classes."""
    chances = np.ones(1)
    for c in np.unique(classes[doubted]):
        own = classes == c
        n, n_having, n_doubted = int(own.sum()), int(has[own].sum()), int(doubted[own].sum())
        most = min(n_having, n_doubted)
        chances = np.convolve(chances, hypergeom.pmf(np.arange(most + 1), n, n_having, n_doubted))
    return float(chances[int((has & doubted).sum()) :].sum())


def _classes_of(has: np.ndarray, doubted: np.ndarray, classes: np.ndarray) -> tuple[int, ...]:
    """Return the classes in which at least half of the samples with the value are doubted.

    Classes with few such samples are judged by all samples with the value. Where a value stands for
    one class (a topic, a second opinion), samples of other classes with it are doubted because of
    what it says: it explains nothing.
    """
    found = []
    named = _stands_for(has, classes)
    for c in np.unique(classes[has]).tolist():
        if named is not None and c != named:
            continue
        own = has & (classes == c)
        looked_at = own if own.sum() >= LEAST_OF_CLASS else has
        if 2 * int(doubted[looked_at].sum()) >= int(looked_at.sum()):
            found.append(int(c))
    return tuple(found)


def _stands_for(has: np.ndarray, classes: np.ndarray) -> int | None:
    """Return the class that most samples with a value have, and others do not; None for none."""
    own, of_all = np.bincount(classes[has]), np.bincount(classes)
    c = int(own.argmax())
    share, usual = own[c] / own.sum(), of_all[c] / of_all.sum()
    return c if share >= max(STANDS_FOR, TIMES_AS_ALL * usual) else None
