"""A measured number with its target, and timing in turns."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks.workbench import Workbench


@dataclass(frozen=True)
class Target:
    """A bound on a measured number; it holds for full MNIST on two cores."""

    bound: float
    at_least: bool

    def met_by(self, value: float) -> bool:
        """Return whether the value keeps to the bound."""
        return value >= self.bound if self.at_least else value <= self.bound

    def __str__(self) -> str:
        return f"{'>=' if self.at_least else '<='} {self.bound:,g}"


def at_least(bound: float) -> Target:
    """Return a lower bound."""
    return Target(bound, at_least=True)


def at_most(bound: float) -> Target:
    """Return an upper bound."""
    return Target(bound, at_least=False)


@dataclass(frozen=True)
class Measure:
    """One row of the benchmark.

    Attributes:
        name: what was measured.
        value: the number.
        unit: of the number; ``x`` for a ratio.
        explanation: what was compared with what, in a few words with numbers.
        target: what is asked for, None for information.
        raw: everything that was timed.
    """

    name: str
    value: float
    unit: str
    explanation: str
    target: Target | None = None
    raw: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self, targets_apply: bool) -> dict[str, Any]:
        """Return the row for the JSON file."""
        judged = self.target is not None and targets_apply
        return {
            "name": self.name,
            "value": self.value,
            "unit": self.unit,
            "explanation": self.explanation,
            "target": None if self.target is None else str(self.target),
            "met": self.target.met_by(self.value) if judged and self.target else None,
            "raw": dict(self.raw),
        }


def seconds_of(task: Callable[[], Any]) -> float:
    """Return the wall seconds of one call."""
    start = time.perf_counter()
    task()
    return time.perf_counter() - start


def against_epoch(
    task: Callable[[], Any], name: str, told: str, bound: float, bench: Workbench, n_samples: int
) -> Measure:
    """Return how many training epochs a task takes, both timed in turns.

    Args:
        task: that is timed.
        name: of the row.
        told: what it was done for, such as ``4,000 samples``.
        bound: epochs that it may take.
        bench: times training steps.
        n_samples: of an epoch, which is scaled from the steps.
    """
    seconds = in_turns(
        {"task": lambda: seconds_of(task), "trainer": bench.trainer_s}, bench.options.repeats
    )
    epoch_s = min(seconds["trainer"]) * n_samples / bench.timed_samples()
    best = min(seconds["task"])
    return Measure(
        name,
        best / epoch_s,
        "x",
        f"{best:.2f} s for {told}; an epoch of {n_samples:,} samples through the Trainer "
        f"{epoch_s:.1f} s (scaled from {bench.timed_samples():,})",
        at_most(bound),
        seconds,
    )


def in_turns(tasks: Mapping[str, Callable[[], float]], repeats: int) -> dict[str, list[float]]:
    """Run timed tasks in turns, so that other load hits all of them alike.

    Args:
        tasks: by name; each returns its own seconds.
        repeats: rounds.

    Returns:
        The seconds of every round by name.
    """
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(repeats):
        for name, task in tasks.items():
            seconds[name].append(task())
    return seconds
