"""What stays of the networks between the unrepaired and the repaired one."""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from rnnrepair.atomic import write_file
from rnnrepair.protocols import Split
from rnnrepair.record.answers import SplitAnswers
from rnnrepair.repair import Curve
from rnnrepair.scores import Monitor

# Below the folder of a run.
TABLE = Path("analysis") / "interpolation.csv"


@dataclass(frozen=True)
class CurvePoint:
    """One network on one split.

    Attributes:
        factor: how far it is on the way, 0 is the unrepaired and 1 the repaired network.
        split: that it has answered.
        accuracy: on it.
        score: on it, by what chooses on val; the accuracy unless ``monitor`` says otherwise.
        repaired: samples that the unrepaired network gets wrong, and this one right.
        repaired_share: their share in all failures of the unrepaired network, None where it has
            none.
        newly_broken: samples that the unrepaired network gets right, and this one wrong.
    """

    factor: float
    split: Split
    accuracy: float
    score: float
    repaired: int
    repaired_share: float | None
    newly_broken: int


@dataclass(frozen=True, eq=False)
class Interpolation:
    """The way from the unrepaired to the repaired network.

    Attributes:
        factor: of the network that is best on val; of equal ones the one nearest to the repaired.
        curve: every network on every split, factors ascending within a split.
        answers: by split, with that network in the place of the final one.
    """

    factor: float
    curve: tuple[CurvePoint, ...]
    answers: Mapping[Split, SplitAnswers]

    @classmethod
    def of(cls, curve: Curve, monitor: Monitor) -> "Interpolation":
        """Choose the best network on val by a score, and keep its answers."""
        best = curve.best(monitor)
        answers = {
            split: SplitAnswers.of(said[0], said[best]) for split, said in curve.answers.items()
        }
        return cls(curve.factors[best], tuple(_points(curve, monitor)), answers)

    def points(self, split: Split) -> tuple[CurvePoint, ...]:
        """Return the networks on one split, by ascending factor."""
        return tuple(point for point in self.curve if point.split == split)

    def chosen(self, split: Split) -> CurvePoint:
        """Return the chosen network on a split."""
        return next(point for point in self.points(split) if point.factor == self.factor)

    def tensors(self) -> dict[str, Tensor]:
        """Return what the chosen network predicts; all else of its answers the repair knows."""
        return {f"interpolated/{split}": of.after for split, of in self.answers.items()}

    @classmethod
    def of_plain(
        cls,
        told: Mapping[str, Any],
        tensors: Mapping[str, Tensor],
        answers: Mapping[Split, SplitAnswers],
    ) -> "Interpolation":
        """Return what was told as JSON, with its tensors and the answers of the repair."""
        own = {
            split: replace(answers[split], after=tensors[f"interpolated/{split}"])
            for split in told["answers"]
        }
        return cls(told["factor"], tuple(CurvePoint(**point) for point in told["curve"]), own)


def _points(curve: Curve, monitor: Monitor) -> Iterator[CurvePoint]:
    for split in curve.answers:
        for place, factor in enumerate(curve.factors):
            outcome = curve.outcome(split, place)
            yield CurvePoint(
                factor=factor,
                split=split,
                accuracy=outcome.after,
                score=curve.score(split, place, monitor),
                repaired=outcome.repaired,
                repaired_share=outcome.repaired_share,
                newly_broken=outcome.newly_broken,
            )


def write_curve(interpolation: Interpolation, run_folder: Path) -> Path:
    """Write ``analysis/interpolation.csv`` into the folder of a run; return its path.

    Columns: those of ``CurvePoint``, and chosen (1 for the network that is best on val).
    """
    path = run_folder / TABLE
    with write_file(path) as draft, draft.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, [*(field.name for field in fields(CurvePoint)), "chosen"])
        table.writeheader()
        for point in interpolation.curve:
            table.writerow(asdict(point) | {"chosen": int(point.factor == interpolation.factor)})
    return path
