"""The margin of one sample, epoch by epoch, as a small chart."""

from collections.abc import Sequence

from rnnrepair.report.drawing import Dot, Drawing, Path, Text, path_data

_WIDTH, _HEIGHT = 190.0, 84.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 34.0, 6.0, 16.0, 18.0


def margin_curve(margins: Sequence[float | None]) -> Drawing | None:
    """Draw the margins of a label over the epochs, with the line at which it is the answer.

    Args:
        margins: of every epoch, None of those that have not shown the sample.

    Returns:
        The chart; None where no epoch has shown it.
    """
    known = [(epoch, m) for epoch, m in enumerate(margins) if m is not None]
    if not known:
        return None
    low, high = min(0.0, *(m for _, m in known)), max(0.0, *(m for _, m in known))
    wide = max(len(margins) - 1, 1)
    tall = max(high - low, 1e-6)

    def place(epoch: int, margin: float) -> tuple[float, float]:
        x = _LEFT + (_WIDTH - _LEFT - _RIGHT) * epoch / wide
        y = _TOP + (_HEIGHT - _TOP - _BOTTOM) * (high - margin) / tall
        return x, y

    at_zero = [place(0, 0.0), (_WIDTH - _RIGHT, place(0, 0.0)[1])]
    last, margin = known[-1]
    ends = (
        Text(_LEFT, _HEIGHT - 5, "1", "start"),
        Text(_WIDTH - _RIGHT, _HEIGHT - 5, f"epoch {len(margins)}", "end"),
    )
    scale = [
        Text(_LEFT - 4, place(0, value)[1] + 3.5, f"{value:.1f}", "end")
        for value in sorted({low, 0.0, high})
        if value == 0.0 or abs(value) > 0.2 * tall
    ]
    return Drawing(
        width=_WIDTH,
        height=_HEIGHT,
        description=f"margin of the label in {len(known)} epochs, {margin:.1f} in the last",
        paths=(
            Path(path_data(at_zero), "axis"),
            Path(path_data([place(*point) for point in known]), "line series-0"),
        ),
        dots=(Dot(*place(last, margin), "dot series-0", f"epoch {last + 1}: {margin:.2f}"),),
        texts=(Text(_LEFT, 10, "margin in training", "start"), *scale, *ends),
    )
