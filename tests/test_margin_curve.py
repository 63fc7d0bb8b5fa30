"""The margin of a sample as a chart: every epoch that has shown it, on one scale with zero."""

import pytest

from rnnrepair.report.margin_curve import margin_curve


def points(path):
    return [tuple(map(float, p.split())) for p in path.d.removeprefix("M").split("L")]


def test_every_epoch_that_has_shown_it_is_a_point():
    drawing = margin_curve([-2.0, None, 1.0, 4.0])
    zero, line = drawing.paths
    (x0, y0), (x2, y2), (x3, y3) = points(line)
    at_zero = points(zero)[0][1]
    # Twice as far below the line as the third is above it, and the last four times.
    assert y0 - at_zero == pytest.approx(2 * (at_zero - y2), abs=0.2)
    assert at_zero - y3 == pytest.approx(4 * (at_zero - y2), abs=0.4)
    assert (x3 - x2) == pytest.approx((x3 - x0) / 3, abs=0.1)
    assert "in 3 epochs" in drawing.description
    assert drawing.dots[0].title == "epoch 4: 4.00"


@pytest.mark.parametrize("margins", [[3.0], [3.0, 3.0], [-1.0, None], [0.0, 0.0]])
def test_curves_stay_inside(margins):
    drawing = margin_curve(margins)
    for path in drawing.paths:
        for x, y in points(path):
            assert 0 <= x <= drawing.width
            assert 0 <= y <= drawing.height


@pytest.mark.parametrize("margins", [[], [None, None]])
def test_nothing_recorded_is_no_chart(margins):
    assert margin_curve(margins) is None
