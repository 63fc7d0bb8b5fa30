"""Failures are shown as what they are: pictures, series or text, on the page and the terminal."""

import math
import re
from dataclasses import replace

import torch
from rich.console import Console

from rnnrepair.report import FailureCard, Names, print_failures
from rnnrepair.report.strips import runs
from tests.report_page import PREDICTIONS, card_of

WORDS = ("<unk>", "<pad>", "not", "a", "good", "film", "<b>")
NAMES = Names(("negative", "positive"), WORDS)


def test_card_tells_where_the_prediction_left_the_truth(page_of):
    page = page_of(cards=[card_of(100), card_of(101)])
    assert "True label 4, predicted 9 ✓ repaired: now 4 sample 100" in page.text
    assert "True label 4, predicted 9 ✗ still wrong: now 9 sample 101" in page.text
    assert (
        "left the truth for good at step 21 of 28, where 4 turned into 9: the network went from "
        "state 17 to state 31" in page.text
    )
    assert (
        "Of the 8 samples shown, 4 carry the predicted label 9 and 4 the true label 4" in page.text
    )
    assert "9 0.125" in page.text
    assert "predicted 4 at steps 1 to 20" in page.text
    assert {"failure-100", "failure-101"} <= set(page.ids)
    assert len(page.pictures) == 2 * (1 + 8 + 8)


def test_card_whose_prediction_was_never_right(page_of):
    assert "No step was ever predicted 4" in page_of(cards=[card_of(step=0)]).text


def test_image_keeps_its_rows_and_shows_high_values_dark(page_of):
    inputs = torch.zeros(28, 20)
    inputs[0] = 1
    page = page_of(cards=[replace(card_of(n_features=20, samples=0), inputs=inputs)])
    (picture,) = page.pictures
    assert picture.size == (20, 28)
    assert picture.getpixel((5, 0)) == 0
    assert picture.getpixel((5, 27)) == 255


def test_network_that_reads_at_once_is_told_so(page_of):
    card = replace(card_of(), states=torch.tensor([7]), predictions=torch.tensor([9]), step=0)
    page = page_of(cards=[card])
    assert "reads the input as a whole: it predicted 9, in state 7." in page.text
    assert "read as a whole" in page.text
    assert "values read at each step" not in page.text


def test_series_are_drawn_as_lines(page_of):
    page = page_of(cards=[card_of(n_steps=10, n_features=3, step=4, samples=0)])
    assert not page.pictures
    assert "at step 5 of 10" in page.text
    lines = [v for n, v in page.attributes if n == "class" and v.startswith("line series-2")]
    assert lines == ["line series-2"]
    points = [len(v.split("L")) for n, v in page.attributes if n == "d"]
    assert points.count(10) == 3
    assert "Nothing was injected for this failure." in page.text


def test_values_that_are_no_numbers_do_not_stop_the_page(page_of):
    card = card_of(n_features=2)
    card.inputs[3] = math.nan
    card.nearest[-1][:] = math.inf
    assert "True label 4" in page_of(cards=[card]).text
    assert "nan" not in " ".join(v for n, v in page_of(cards=[card]).attributes if n == "d")


def test_runs_cover_the_sequence_once():
    found = runs(torch.tensor([3, 3, 1, 3]))
    assert [(r.value, r.start, r.stop) for r in found] == [(3, 0, 2), (1, 2, 3), (3, 3, 4)]
    assert [r.steps for r in found] == ["steps 1 to 2", "step 3", "step 4"]


def text_card(index=100):
    """ "a good film" is positive; "not" at its end turned the prediction."""
    return FailureCard(
        index=index,
        label=1,
        predicted=0,
        inputs=torch.tensor([3, 4, 5, 2]),
        states=torch.tensor([4, 5, 5, 9]),
        predictions=torch.tensor([1, 1, 1, 0]),
        step=3,
        segment=(2, 4),
        nearest=[torch.tensor([3, 4, 6]), torch.tensor([5])],
        nearest_label=torch.tensor([1, 1]),
        nearest_caption=["2 words in common up to there", "comes to the same state"],
        nearest_note="Samples of the true label.",
        nearest_mark=[(0, 2), (0, 1)],
        injected=[torch.tensor([3, 4, 2, 6])],
        injected_label=torch.tensor([1]),
        injected_mark=[(2, 3)],
    )


def test_text_is_shown_as_words_with_the_segment_marked(page_of, tmp_path):
    page = page_of(cards=[text_card()], names=NAMES)
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "True label positive, predicted negative" in page.text
    assert "at step 4 of 4, where positive turned into negative" in page.text
    assert "a good film not" in page.text
    spans = re.findall(r'<span class="(segment|responsible|common)"[^>]*>([^<]*)</span>', html)
    assert spans == [
        ("segment", "film"),
        ("responsible", "not"),
        ("common", "a"),
        ("common", "good"),
        ("common", "film"),
        ("common", "not"),
    ]
    assert "2 words in common up to there" in page.text
    assert "step 4: predicted negative, state 9" in html
    assert "&lt;b&gt;" in html
    assert not page.pictures


def test_terminal_shows_failures_as_text():
    console = Console(width=100, record=True, force_terminal=True)
    print_failures([text_card(100), text_card(101)], PREDICTIONS["repair"][1], NAMES, console)
    text = console.export_text()
    assert "repaired (sample 100): true positive, predicted negative" in text
    assert "still wrong (sample 101)" in text
    assert "a good film not" in text
    assert "reversed: the responsible word" in text


def test_terminal_is_silent_about_pictures():
    console = Console(width=100, record=True)
    print_failures([card_of()], PREDICTIONS["repair"][1], Names(), console)
    assert console.export_text() == ""
