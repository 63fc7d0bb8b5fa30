"""Step predictions and abstract states as strips of coloured blocks, one for each run."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from rnnrepair.record import Failure
from rnnrepair.report.colours import class_colours
from rnnrepair.report.drawing import Box
from rnnrepair.sequences import Names

Place = Callable[[int, int], tuple[float, float, float, float]]
"""First step of a run, and the step behind its last, to x, y, width and height of its block."""

_LETTER_WIDTH, _LETTER_HEIGHT = 6.5, 8.5


@dataclass(frozen=True)
class Run:
    """Steps ``start`` to ``stop - 1`` (counted from 0) that share a value."""

    value: int
    start: int
    stop: int

    @property
    def steps(self) -> str:
        """Its steps as people count them, from 1."""
        first, last = self.start + 1, self.stop
        return f"step {first}" if first == last else f"steps {first} to {last}"


def runs(values: Tensor) -> list[Run]:
    """Split a (T,) sequence into its runs.

    Example:
        >>> import torch
        >>> runs(torch.tensor([4, 4, 9]))
        [Run(value=4, start=0, stop=2), Run(value=9, start=2, stop=3)]
    """
    value, length = values.unique_consecutive(return_counts=True)
    stop = length.cumsum(0)
    columns = (value.tolist(), (stop - length).tolist(), stop.tolist())
    return [Run(*row) for row in zip(*columns, strict=True)]


def prediction_strip(failure: Failure, place: Place, names: Names) -> tuple[Box, ...]:
    """Return blocks in the colours of the classes, with their names where those have room."""
    colour = class_colours([failure.label, failure.predicted, *failure.prediction.tolist()])
    return tuple(
        _block(
            place(run.start, run.stop),
            "block",
            names.of_class(run.value),
            f"predicted {names.of_class(run.value)} at {run.steps}",
            colour[run.value].fill,
            colour[run.value].ink,
        )
        for run in runs(failure.prediction)
    )


def state_strip(failure: Failure, place: Place) -> tuple[Box, ...]:
    """Return blocks in two alternating greys: a change of shade is a change of state."""
    return tuple(
        _block(
            place(run.start, run.stop),
            f"block state-{i % 2}",
            str(run.value),
            f"abstract state {run.value} at {run.steps}",
        )
        for i, run in enumerate(runs(failure.state))
    )


def _block(
    place: tuple[float, float, float, float],
    css: str,
    text: str,
    title: str,
    fill: str = "",
    ink: str = "",
) -> Box:
    x, y, width, height = place
    fits = height >= _LETTER_HEIGHT and width >= _LETTER_WIDTH * len(text) + 2
    return Box(x, y, width, height, css, text if fits else "", fill, ink, title)
