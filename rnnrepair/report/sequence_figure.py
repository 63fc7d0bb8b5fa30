"""The failing sequence, step by step: what was read, what was predicted, in which state."""

from collections.abc import Sequence

from rnnrepair.report.cards import FailureCard
from rnnrepair.report.drawing import Box, Drawing, Path, Picture, Text, path_data
from rnnrepair.report.pictures import Scale, line_paths, png_uri
from rnnrepair.report.strips import Place, prediction_strip, state_strip
from rnnrepair.report.wording import count, number
from rnnrepair.sequences import Names

_PIXELS = 96
_SIDE = 280.0
_STRIP = 44.0
# Height of the lane of a channel at least, and of one that has room for its range.
_LANE, _RANGE_ROOM = 14.0, 24.0
# Names of channels: width of a letter, letters at most.
_LETTER, _LETTERS = 6.2, 16


def sequence_figure(card: FailureCard, scales: Sequence[Scale], names: Names) -> Drawing:
    """Draw the (T, F) failure with its step predictions and states along its steps.

    Args:
        card: of the failure.
        scales: one for an image, F for a series.
        names: of channels and classes.
    """
    if card.is_image:
        return _image_figure(card, scales[0], names)
    return _series_figure(card, scales, names)


def reads_stepwise(card: FailureCard) -> bool:
    """Whether the network makes a step for each of the sequence."""
    return len(card.failure.prediction) == len(card.inputs)


def _image_figure(card: FailureCard, scale: Scale, names: Names) -> Drawing:
    """Rows are steps: the strips stand beside the image, each block beside the rows it is of."""
    n_steps, n_features = card.inputs.shape
    cell = min(_SIDE / n_steps, 16.0)
    width, height = min(max(cell * n_features, 100.0), _SIDE), cell * n_steps
    left, top = 36.0, 20.0
    predicted, state = left + width + 8, left + width + 12 + _STRIP
    right, bottom = state + _STRIP, top + height

    pace = height / len(card.failure.prediction)
    stepwise = reads_stepwise(card)
    marked_from = left - 2 if stepwise else predicted - 2

    def beside(x: float) -> Place:
        return lambda start, stop: (x, top + start * pace, _STRIP, (stop - start) * pace)

    return Drawing(
        right + 4,
        bottom + 20,
        _description(card),
        pictures=(Picture(left, top, width, height, png_uri(card.inputs, scale, _PIXELS)),),
        boxes=prediction_strip(card.failure, beside(predicted), names)
        + state_strip(card.failure, beside(state)),
        frames=(
            Box(left, top, width, height, "edge"),
            Box(
                marked_from,
                top + card.failure.step * pace,
                right - marked_from + 2,
                max(pace, 2.0),
                "marker",
            ),
        ),
        texts=(
            Text(left + width / 2, 12, "input"),
            Text(predicted + _STRIP / 2, 12, "predicted"),
            Text(state + _STRIP / 2, 12, "state"),
            *(
                Text(left - 7, top + (step + 0.5) * pace + 3.5, str(step + 1), "end", css)
                for step, css in _ticks(card, 13 / pace)
            ),
            Text(left - 7, bottom + 14, "step", "end"),
            Text(
                left,
                bottom + 14,
                f"{n_features} values read at each step" if stepwise else "read as a whole",
                "start",
            ),
        ),
    )


def _series_figure(card: FailureCard, scales: Sequence[Scale], names: Names) -> Drawing:
    """Steps go from left to right: the strips stand under the lines, a lane for each channel."""
    n_features = card.inputs.shape[1]
    told = [_short(names.of_channel(feature)) for feature in range(n_features)]
    left, top, height = 44.0, 18.0, max(140.0, _LANE * n_features)
    lane = height / n_features
    # Names stand behind the lanes; a series of one channel without a name needs none.
    named = n_features > 1 or bool(names.channels)
    width = 372.0 - (_LETTER * max(map(len, told)) + 6 if named else 0)
    predicted, state = top + height + 20, top + height + 60
    right, bottom = left + width, state + 20

    pace = width / len(card.failure.prediction)

    def under(y: float) -> Place:
        return lambda start, stop: (left + start * pace, y, (stop - start) * pace, 20.0)

    axes = [(left, top), (left, top + height), (right, top + height)]
    ranges = []
    if lane >= _RANGE_ROOM:
        for feature, (low, high) in enumerate(scales):
            ranges += [
                Text(left - 5, top + feature * lane + 9, number(high), "end"),
                Text(left - 5, top + (feature + 1) * lane - 1, number(low), "end"),
            ]
    behind = [
        Text(right + 6, top + (feature + 0.5) * lane + 3.5, name, "start")
        for feature, name in enumerate(told if named else ())
    ]
    return Drawing(
        left + 372.0 + 4,
        bottom + 34,
        _description(card),
        boxes=prediction_strip(card.failure, under(predicted), names)
        + state_strip(card.failure, under(state)),
        paths=(
            Path(path_data(axes), "axis"),
            *line_paths(card.inputs, scales, left, top, width, height),
        ),
        frames=(
            Box(
                left + card.failure.step * pace, top - 2, max(pace, 2.0), bottom - top + 4, "marker"
            ),
        ),
        texts=(
            Text(left, 11, f"input ({count(n_features, 'channel')})", "start"),
            *ranges,
            *behind,
            Text(left, predicted - 5, "predicted", "start"),
            Text(left, state - 5, "state", "start"),
            *(
                Text(left + (step + 0.5) * pace, bottom + 14, str(step + 1), "middle", css)
                for step, css in _ticks(card, 24 / pace)
            ),
            Text(left + width / 2, bottom + 30, "step"),
        ),
    )


def _short(name: str) -> str:
    return name if len(name) <= _LETTERS else name[: _LETTERS - 1] + "…"


def _ticks(card: FailureCard, room: float) -> list[tuple[int, str]]:
    """Return first, responsible and last step; the responsible one keeps ``room`` steps free."""
    ends = {0, len(card.failure.prediction) - 1}
    far = sorted(step for step in ends if abs(step - card.failure.step) >= room)
    return [(step, "tick") for step in far] + [(card.failure.step, "tick marked")]


def _description(card: FailureCard) -> str:
    return (
        f"Failure {card.failure.index}: input, step predictions and abstract states of "
        f"{count(len(card.failure.prediction), 'step')}, step {card.failure.step + 1} marked."
    )
