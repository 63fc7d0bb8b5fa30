"""Finished runs that may be compared, whatever files they were read from."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rnnrepair.errors import DataError
from rnnrepair.record import Contrast, SplitAnswers

# Metrics that a run tells as one number; all others are computed from its test items.
SUMMARY_METRICS = (
    *("repaired_share", "targets_share", "targets_right", "injected", "steps"),
    *("interpolation_factor", "repaired_share_at_equal_broken"),
)
# Put before the name of a test split: what the network between the unrepaired and the final one,
# that is best on val, says of its items. And before the metrics of that.
INTERPOLATED = "interpolated_"


@dataclass(frozen=True)
class About:
    """What all runs of a comparison have in common.

    Attributes:
        experiment: its name.
        data: source, number of sequences, sizes of further test splits, budget.
        contrasts: differences that the configuration named before their arms were run.
        class_names: by number; none where the data have no names for them.
    """

    experiment: str
    data: Mapping[str, Any]
    contrasts: tuple[Contrast, ...] = ()
    class_names: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Answers:
    """Which items of one test split a run got right.

    Attributes:
        index: (N,) int64, ascending.
        label: (N,) int64.
        before: (N,) bool, right by the unrepaired network.
        after: (N,) bool, right by the final network.
        group: (N,) int64, equal where items tell the same: copies, windows of one recording. None
            where each stands alone.
    """

    index: np.ndarray
    label: np.ndarray
    before: np.ndarray
    after: np.ndarray
    group: np.ndarray | None = None

    @classmethod
    def of(cls, answers: SplitAnswers) -> "Answers":
        """Return which answers are right."""
        right = answers.unrepaired.correct, answers.final.correct
        index, label, before, after = (t.numpy() for t in (answers.index, answers.label, *right))
        group = None if answers.group is None else answers.group.numpy()
        return cls(index, label, before, after, group)

    def same_items(self, other: "Answers") -> bool:
        """Whether both are of the same items, so that one draw of items suits both."""
        return np.array_equal(self.index, other.index) and np.array_equal(self.label, other.label)


def base_of(splits: Mapping[str, SplitAnswers]) -> str:
    """Return a digest of the test items and of what the unrepaired network says of them."""
    digest = hashlib.sha256()
    for name, answers in sorted(splits.items()):
        digest.update(f"{name} {len(answers.index)} ".encode())
        for tensor in (answers.index, answers.label, answers.before):
            digest.update(tensor.numpy().astype("<i8").tobytes())
    return digest.hexdigest()[:16]


@dataclass(frozen=True, eq=False)
class Run:
    """One finished run.

    Attributes:
        arm: of the comparison, usually the strategy.
        seed: runs of one seed are paired.
        about: what it must share with all other runs.
        base: see ``base_of``; what it must share with all runs of its seed.
        values: ``SUMMARY_METRICS``, NaN where not measured.
        splits: name of a test split -> answers; none for runs that measure targets alone. With
            ``INTERPOLATED`` before the name those of another network of the run.
        origin: where it was read from, for messages.
    """

    arm: str
    seed: int
    about: About
    base: str
    values: Mapping[str, float]
    splits: Mapping[str, Answers]
    origin: str = ""


class Runs:
    """Runs that may be compared: one of each arm and seed, of one experiment and data.

    Their order is that of arms and seeds, so results do not depend on the order of reading.

    Attributes:
        by_key: (arm, seed) -> run, in order.
        about: what they have in common.
        arms: in order.
        seeds: in order, of all arms together.
        splits: names of the test splits, in order.
    """

    def __init__(self, runs: Iterable[Run]) -> None:
        """Check that the runs may be compared.

        Args:
            runs: in any order.

        Raises:
            DataError: no runs, or some that may not be compared.
        """
        ordered = sorted(runs, key=lambda run: (run.arm, run.seed))
        if not ordered:
            raise DataError("There is nothing to compare: expected at least one finished run.")
        _refuse_unlike(ordered)
        self.by_key = {(run.arm, run.seed): run for run in ordered}
        named = (run.about for run in ordered if run.about.class_names)
        contrasts = _named_in_advance(ordered)
        self.about = replace(next(named, ordered[0].about), contrasts=contrasts)
        self.arms = tuple(dict.fromkeys(run.arm for run in ordered))
        self.seeds = tuple(sorted({run.seed for run in ordered}))
        self.splits = tuple(sorted(ordered[0].splits))

    def __iter__(self) -> Iterator[Run]:
        return iter(self.by_key.values())

    def __len__(self) -> int:
        return len(self.by_key)

    def seeds_of(self, *arms: str) -> list[int]:
        """Return the seeds that all of the arms have, in order."""
        return [seed for seed in self.seeds if all((arm, seed) in self.by_key for arm in arms)]

    def any_of_seed(self, seed: int) -> Run:
        """Return some run of a seed; what stands before the repair is the same in all."""
        return next(run for run in self.by_key.values() if run.seed == seed)

    def answers_of_seed(self, seed: int, split: str) -> Answers:
        """Return the answers of some run of a seed, of one that knows groups where any does."""
        of_seed = [run.splits[split] for run in self.by_key.values() if run.seed == seed]
        return next((of for of in of_seed if of.group is not None), of_seed[0])

    def items_shared(self, split: str) -> bool:
        """Whether all seeds have the same test items."""
        first, *others = (self.any_of_seed(seed).splits[split] for seed in self.seeds)
        return all(first.same_items(other) for other in others)


def _refuse_unlike(runs: list[Run]) -> None:
    seen: dict[tuple[str, int], Run] = {}
    for run in runs:
        other = seen.setdefault((run.arm, run.seed), run)
        if other is not run:
            raise DataError(
                f"Two runs have arm {run.arm!r} and seed {run.seed}, so they cannot be paired: "
                f"{other.origin} and {run.origin}. Keep one and move the other away, or run one "
                "of them anew with a name of its own for the arm (group comparison, key arm); a "
                "sweep over a setting is put together by scripts/summarize.py."
            )
    _refuse_differing(
        runs,
        lambda run: run.about.experiment,
        "experiments",
        "Compare each experiment in a folder of its own.",
    )
    _refuse_differing(
        runs,
        lambda run: dict(run.about.data),
        "data",
        "Source, budget and the number of all sequences must agree: make the runs with one source "
        "of data and the same settings.",
    )
    _refuse_differing(
        [run for run in runs if run.about.class_names],  # older records do not tell them
        lambda run: list(run.about.class_names),
        "classes",
        "Class 0 is not the same in both: make the runs with one source of data.",
    )
    _refuse_differing(
        runs,
        lambda run: sorted(run.splits),
        "test splits",
        "Some were made by an older version, or are not interpolated (scripts/interpolate.py): "
        "make them alike.",
    )
    for seed in sorted({run.seed for run in runs}):
        _refuse_differing(
            [run for run in runs if run.seed == seed],
            lambda run: run.base,
            f"unrepaired networks or test items in seed {seed}",
            "All arms of a seed must start from one and the same base training: run them with one "
            "cache_dir and the same settings but the strategy's. An arm that begins with another "
            "network on purpose is named: compare.py --other-start ARM.",
        )


def _named_in_advance(runs: list[Run]) -> tuple[Contrast, ...]:
    """Return the longest list of contrasts; it may have grown by those of arms that came later.

    Raises:
        DataError: a contrast was named when both its arms were there already, or is missing.
    """
    lists = {run.about.contrasts: run for run in runs}
    longest = max(lists, key=len)
    for named, run in lists.items():
        there = {other.arm for other in runs if other.about.contrasts == named}
        added = [contrast for contrast in longest if contrast not in named]
        late = [contrast for contrast in added if {contrast.of, contrast.against} <= there]
        if late or not set(named) <= set(longest):
            raise DataError(
                f"Runs of different contrasts named in advance cannot be compared: "
                f"{[*map(str, longest)]} in {lists[longest].origin}, {[*map(str, named)]} in "
                f"{run.origin}. Name one list in the configuration before the first run; later it "
                "may grow by contrasts with an arm that has not been run. Differences that nobody "
                "named in advance may be asked for with --also."
            )
    return longest


def _refuse_differing(runs: list[Run], value: Callable[[Run], Any], what: str, remedy: str) -> None:
    for run in runs:
        first = runs[0]
        if value(run) != value(first):
            raise DataError(
                f"Runs of different {what} cannot be compared: {value(first)} in {first.origin}, "
                f"{value(run)} in {run.origin}. {remedy}"
            )


def merged(older: Runs, newer: Runs) -> Runs:
    """Return the runs of both; where both have an arm and seed, the newer one.

    Raises:
        DataError: they may not be compared.
    """
    return Runs({**older.by_key, **newer.by_key}.values())
