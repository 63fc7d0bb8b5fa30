"""What networks between the unrepaired and the final one repair, and what they break."""

from rnnrepair.protocols import Split
from rnnrepair.record import CurvePoint, Interpolation
from rnnrepair.report.curves import Axes, Panel
from rnnrepair.report.drawing import Dot, Drawing, Path, Text, path_data

_WIDTH, _HEIGHT = 340.0, 200.0
_LEFT, _RIGHT, _BOTTOM = 40.0, 296.0, 162.0
# From a dot to what is written beside it.
_GAP = 8.0


def interpolation_figure(way: Interpolation, split: Split = "test") -> Drawing:
    """Draw the repaired against the newly broken samples of a split, a dot for each factor.

    The network that is best on val has another colour.
    """
    points = way.points(split)
    panel = Panel("Repaired and newly broken", "repaired samples", (), whole=True)
    broken = [float(point.newly_broken) for point in points]
    repaired = [float(point.repaired) for point in points]
    axes = Axes.of(panel, broken, repaired)
    places = [(axes.x(x), axes.y(y)) for x, y in zip(broken, repaired, strict=True)]
    chosen = [point.factor == way.factor for point in points]
    (x, y), best = places[chosen.index(True)], way.chosen(split)
    return Drawing(
        _WIDTH,
        _HEIGHT,
        f"Samples of {split} that networks between the unrepaired and the final one repair, "
        f"against those that they break. The one chosen on val, at {best.factor:g}, repairs "
        f"{best.repaired} and breaks {best.newly_broken}; the final one repairs "
        f"{points[-1].repaired} and breaks {points[-1].newly_broken}.",
        paths=(
            *(
                Path(path_data([(_LEFT, axes.y(t)), (_RIGHT, axes.y(t))]), "grid")
                for t in axes.y_ticks
            ),
            Path(path_data(places), "line series-0"),
        ),
        dots=tuple(
            Dot(*place, f"series-{int(is_chosen)}", _told(point))
            for place, point, is_chosen in zip(places, points, chosen, strict=True)
        ),
        texts=(
            Text(4, 12, panel.unit, "start"),
            Text((_LEFT + _RIGHT) / 2, _BOTTOM + 33, "newly broken samples"),
            *(Text(_LEFT - 6, axes.y(t) + 3.5, f"{t:,g}", "end") for t in axes.y_ticks),
            *(Text(axes.x(t), _BOTTOM + 16, f"{t:,g}") for t in axes.x_ticks),
            Text(x + _GAP, y + _GAP + 3.5, f"{way.factor:g}", "start", "value series-1"),
        ),
    )


def _told(point: CurvePoint) -> str:
    return (
        f"factor {point.factor:g}: {point.repaired} repaired, {point.newly_broken} newly broken, "
        f"accuracy {point.accuracy:.4f}"
    )
