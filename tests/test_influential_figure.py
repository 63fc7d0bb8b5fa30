"""Failures beside their training samples: what the figure shows of images, series and texts."""

import pandas as pd
import pytest
import torch

from rnnrepair.report.studies.influential import influence_figures

NAMES = ["ape", "a very long name of a class $"]


def table(kind, ranks=3, failures=2, text=None):
    rows = [
        {
            "kind": kind,
            "failure": 100 + failure,
            "rank": rank,
            "label": label,
            "true": 0,
            "predicted": 1,
            "label_name": NAMES[label],
            "true_name": NAMES[0],
            "predicted_name": NAMES[1],
            "n_steps": 4 + rank % 2,
            "picture": failure * (ranks + 1) + rank,
        }
        for failure in range(failures)
        for rank in range(ranks + 1)
        for label in [rank % 2]
    ]
    found = pd.DataFrame(rows)
    return found if text is None else found.assign(text=text)


def figure_of(kind, pictures=None, **options):
    inputs = {} if pictures is None else {"influential": pictures}
    figure = influence_figures({"influential": table(kind, **options)}, inputs)["influential"]
    figure.draw_without_rendering()
    return figure


def test_channels_of_series_are_lines_of_their_own_length():
    values = torch.arange(8 * 5 * 2.0).view(8, 5, 2)
    figure = figure_of("series", values)
    assert len(figure.axes) == 8
    for place, axes in enumerate(figure.axes):
        rank = place % 4
        lines = [line.get_ydata().tolist() for line in axes.lines]
        own = values[place, : 4 + rank % 2]
        assert lines == own.T.tolist()
        assert not axes.images
    # One scale for a failure and its samples.
    assert len({axes.get_ylim() for axes in figure.axes[:4]}) == 1
    assert figure.axes[0].get_ylim() != figure.axes[4].get_ylim()
    assert "a line is a channel" in figure.get_supxlabel().replace("\n", " ")


def test_many_channels_are_rows_of_a_picture():
    values = torch.arange(8 * 5 * 7.0).view(8, 5, 7)
    figure = figure_of("series", values)
    for place, axes in enumerate(figure.axes):
        (image,) = axes.images
        own = values[place, : 4 + place % 4 % 2]
        assert torch.equal(torch.from_numpy(image.get_array().data), own.T)
        assert not axes.lines
    assert "a row is a channel" in figure.get_supxlabel().replace("\n", " ")


def test_texts_are_wrapped_words_inside_the_figure():
    text = "one two three four five six seven eight nine ten eleven twelve $x$"
    figure = figure_of("tokens", text=text)
    for axes in figure.axes:
        (shown,) = axes.texts
        assert shown.get_text().replace("\n", " ").replace(r"\$", "$") == text
        box = shown.get_window_extent()
        assert figure.bbox.x0 <= box.x0
        assert box.x1 <= figure.bbox.x1


@pytest.mark.parametrize(
    ("kind", "room", "inputs"),
    [("image", 20, torch.rand(60, 5, 5)), ("series", 8, torch.rand(60, 5, 2)), ("tokens", 4, None)],
)
def test_titles_are_names_and_what_has_no_room_is_told(kind, room, inputs):
    text = "a b" if kind == "tokens" else None
    figure = figure_of(kind, inputs, ranks=25, text=text)
    assert len(figure.axes) == 2 * (room + 1)
    first, second = (axes.get_title().replace("\n", " ") for axes in figure.axes[:2])
    assert first.startswith("ape, taken for a very")
    assert second.startswith("a very")
    assert figure.axes[2].get_title() == "ape"
    assert f"the first {room} of 25" in figure.get_supxlabel().replace("\n", " ")
