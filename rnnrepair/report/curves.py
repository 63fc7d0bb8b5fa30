"""How the run went: one small chart for each quantity over the epochs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.ticker import MaxNLocator

from rnnrepair.record import AnalysedEpoch, Repair, TargetLook
from rnnrepair.report.drawing import Dot, Drawing, Path, Text, path_data
from rnnrepair.report.wording import number

_WIDTH, _HEIGHT = 340.0, 200.0
_LEFT, _TOP, _RIGHT, _BOTTOM = 40.0, 26.0, 296.0, 162.0
_LABEL_GAP = 13.0


@dataclass(frozen=True)
class FinalNetwork:
    """The network at the end of a run, which has answered but was not analysed.

    Attributes:
        epoch: completed epochs.
        val_accuracy: on the val split.
        repair_accuracy: on the repair split.
    """

    epoch: int
    val_accuracy: float
    repair_accuracy: float


Row = AnalysedEpoch | FinalNetwork | TargetLook


@dataclass(frozen=True)
class Series:
    """One line: a number of every row and the name that the legend gives it."""

    key: str
    name: str = ""


@dataclass(frozen=True)
class Panel:
    """One chart.

    Attributes:
        title: what it shows.
        unit: of the vertical axis.
        series: its lines.
        highest: value that the unit allows.
        factor: from the history's numbers to the unit.
        whole: whether the values are counts.
        from_zero: whether the axis starts at 0.
        span: what the axis covers at least, so that noise does not look like a trend.
    """

    title: str
    unit: str
    series: tuple[Series, ...]
    highest: float = math.inf
    factor: float = 1.0
    whole: bool = False
    from_zero: bool = True
    span: float = 1.0


# Of the analysed epochs of a repair.
REPAIR_PANELS = (
    Panel(
        "Accuracy",
        "accuracy (%)",
        (Series("val_accuracy", "val"), Series("repair_accuracy", "repair")),
        highest=100,
        factor=100,
        from_zero=False,
        span=5,
    ),
    Panel("Failures on the repair split", "failures", (Series("failures"),), whole=True),
    Panel("Samples injected so far", "samples", (Series("injected"),), whole=True),
    Panel(
        "Stability of the abstract states",
        "mean stability (0 to 1)",
        (Series("stability"),),
        highest=1,
        from_zero=False,
        span=0.2,
    ),
    Panel(
        "Drift since the last analysed epoch",
        "steps that changed state (%)",
        (Series("drift"),),
        highest=100,
        factor=100,
    ),
    Panel("States that no step is in", "states", (Series("n_empty"),), whole=True),
)
# Of a run that counts targets.
TARGET_PANELS = (
    Panel("Repair targets that are right", "targets", (Series("targets_right"),), whole=True),
    Panel(
        "Accuracy",
        "accuracy (%)",
        (Series("test_accuracy", "test"),),
        highest=100,
        factor=100,
        from_zero=False,
        span=5,
    ),
)


@dataclass(frozen=True)
class Chart:
    """A panel with its drawing (None where there is no value to draw)."""

    panel: Panel
    drawing: Drawing | None


@dataclass(frozen=True)
class Axes:
    """From epochs and values to places in the drawing."""

    x_ticks: list[float]
    y_ticks: list[float]
    first: float
    last: float

    @classmethod
    def of(cls, panel: Panel, epochs: list[float], values: list[float]) -> "Axes":
        """Choose round ticks: inside the epochs, around the values."""
        first, last = min(epochs), max(epochs)
        x_ticks = [t for t in _ticks(first, last, whole=True) if first <= t <= last]
        low, high = min([0.0] * panel.from_zero + values), max(values)
        room = max(panel.span - (high - low), 0.0)
        low, high = (low, high + room) if panel.from_zero else (low - room / 2, high + room / 2)
        y_ticks = [t for t in _ticks(low, high, panel.whole) if 0 <= t <= panel.highest]
        if first == last:
            first, last = first - 1, last + 1
        return cls(x_ticks, y_ticks, first, last)

    def x(self, epoch: float) -> float:
        """Return the place of an epoch."""
        return _LEFT + 8 + (epoch - self.first) / (self.last - self.first) * (_RIGHT - _LEFT - 16)

    def y(self, value: float) -> float:
        """Return the place of a value."""
        low, high = self.y_ticks[0], self.y_ticks[-1]
        return _BOTTOM - (value - low) / (high - low) * (_BOTTOM - _TOP)


def repair_rows(repair: Repair) -> list[Row]:
    """Return the analysed epochs of a repair, and its final network where that comes later."""
    if repair.epochs is None or repair.epochs <= repair.history[-1].epoch:
        return list(repair.history)
    val, on_repair = (repair.answers[split].outcome.after for split in ("val", "repair"))
    return [*repair.history, FinalNetwork(repair.epochs, val, on_repair)]


def charts(panels: Sequence[Panel], rows: Sequence[Row]) -> list[Chart]:
    """Draw every panel over the epochs of the rows; a line ends with the last that knows of it."""
    return [Chart(panel, _draw(panel, rows)) for panel in panels]


def _draw(panel: Panel, rows: Sequence[Row]) -> Drawing | None:
    lines = [_points(series, panel.factor, rows) for series in panel.series]
    values = [y for line in lines for _, y in line]
    if not values:
        return None
    axes = Axes.of(panel, [float(row.epoch) for row in rows], values)
    places = [[(axes.x(x), axes.y(y)) for x, y in line] for line in lines]
    return Drawing(
        _WIDTH,
        _HEIGHT,
        _description(panel, lines),
        paths=(
            *(
                Path(path_data([(_LEFT, axes.y(t)), (_RIGHT, axes.y(t))]), "grid")
                for t in axes.y_ticks
            ),
            *(Path(path_data(line), f"line series-{i}") for i, line in enumerate(places) if line),
        ),
        dots=tuple(
            Dot(*place, f"series-{i}", f"epoch {x:g}: {number(y)}")
            for i, line in enumerate(lines)
            for place, (x, y) in zip(places[i], line, strict=True)
        ),
        texts=(
            Text(4, 12, panel.unit, "start"),
            Text((_LEFT + _RIGHT) / 2, _BOTTOM + 33, "completed epochs"),
            *(Text(_LEFT - 6, axes.y(t) + 3.5, f"{t:,g}", "end") for t in axes.y_ticks),
            *(Text(axes.x(t), _BOTTOM + 16, f"{t:g}") for t in axes.x_ticks),
            *_last_values(lines, axes),
        ),
    )


def _points(series: Series, factor: float, rows: Sequence[Row]) -> list[tuple[float, float]]:
    known = [(row.epoch, getattr(row, series.key, None)) for row in rows]
    points = [(float(epoch), factor * value) for epoch, value in known if value is not None]
    return [(epoch, value) for epoch, value in points if math.isfinite(value)]


def _ticks(low: float, high: float, whole: bool) -> list[float]:
    """Return round numbers from below ``low`` to above ``high``."""
    locator = MaxNLocator(nbins=4, steps=[1, 2, 2.5, 5, 10], integer=whole, min_n_ticks=1)
    return [round(float(t), 10) for t in locator.tick_values(low, high)]


def _last_values(lines: list[list[tuple[float, float]]], axes: Axes) -> list[Text]:
    """Write the last value beside each line, apart from each other."""
    ends = sorted((axes.y(line[-1][1]), i, line[-1]) for i, line in enumerate(lines) if line)
    texts: list[Text] = []
    for y, i, (epoch, value) in ends:
        free = max(y, texts[-1].y - 3.5 + _LABEL_GAP) if texts else y
        css = f"value series-{i}"
        texts.append(Text(axes.x(epoch) + 8, free + 3.5, number(value), "start", css))
    return texts


def _description(panel: Panel, lines: list[list[tuple[float, float]]]) -> str:
    told = [
        f"{series.name} from {number(line[0][1])} to {number(line[-1][1])}".strip()
        for series, line in zip(panel.series, lines, strict=True)
        if line
    ]
    return f"{panel.title}, {panel.unit}: {'; '.join(told)}."
