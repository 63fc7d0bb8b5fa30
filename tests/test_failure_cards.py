"""Failures are shown as what they are: pictures, series or text, on the page and the terminal."""

import itertools
import math
import re
from dataclasses import replace

import pytest
import torch
from rich.console import Console

from rnnrepair.influence import Role
from rnnrepair.record import Injected, Neighbour
from rnnrepair.report import print_failures, render
from rnnrepair.report.cards import FailureCard
from rnnrepair.report.neighbourhood import caption, neighbourhood, origin
from rnnrepair.report.strips import runs
from rnnrepair.report.wording import number
from rnnrepair.sequences import Kind, Names
from tests.records import failure_of, record_of, repair_of
from tests.report_page import Page, Sequences

WORDS = ("<unk>", "<pad>", "not", "a", "good", "film", "<b>")


def record_with(*failures):
    return record_of(repair_of(failures=failures))


def test_card_tells_where_the_prediction_left_the_truth(page_of):
    page = page_of(record_with(failure_of(100), failure_of(101)))
    assert "Labelled 4, predicted 9 ✓ right, trained on at the end: now 4 sample 100" in page.text
    assert "Labelled 4, predicted 9 ✗ still wrong: now 9 sample 101" in page.text
    assert (
        "left the label for good at step 21 of 28, where 4 turned into 9: the network went from "
        "state 17 to state 31" in page.text
    )
    assert (
        "Of the 8 samples shown, 4 carry the predicted label 9 and 4 its own label 4" in page.text
    )
    assert "9 0.125" in page.text
    assert "predicted 4 at steps 1 to 20" in page.text
    assert {"failure-100", "failure-101"} <= set(page.ids)
    assert len(page.pictures) == 2 * (1 + 8 + 8)


def test_card_whose_prediction_was_never_right(page_of):
    always = page_of(record_with(failure_of(step=0))).text
    assert "No step was ever predicted 4: the prediction was 9 from step 1 of 28 on. The" in always
    changing = torch.tensor([9, 9, 2, 9, 3, 9, 9])
    settled = page_of(record_with(failure_of(n_steps=7, step=0, prediction=changing))).text
    assert "was 9 from step 6 of 7 on and another wrong class before. The" in settled
    last = torch.tensor([3, 3, 9])
    late = page_of(record_with(failure_of(n_steps=3, step=0, prediction=last))).text
    assert "was 9 from step 3 of 3 on" in late


def test_samples_are_those_that_the_record_names():
    """Indices are looked up in the data, whatever order they come in."""
    failure = failure_of(samples=0, neighbours=(Neighbour(7, 4, Role.NEAREST, 0.5),))
    one, other = (Sequences(given={7: torch.full((28, 28), v)}) for v in (0.0, 1.0))
    pages = [Page(render(record_with(failure), data)) for data in (one, other)]
    assert pages[0].pictures[1].getpixel((5, 5)) == 255
    assert pages[1].pictures[1].getpixel((5, 5)) == 0


def test_image_keeps_its_rows_and_shows_high_values_dark(page_of):
    inputs = torch.zeros(28, 20)
    inputs[0] = 1
    page = page_of(record_with(failure_of(samples=0)), Sequences(given={100: inputs}))
    (picture,) = page.pictures
    assert picture.size == (20, 28)
    assert picture.getpixel((5, 0)) == 0
    assert picture.getpixel((5, 27)) == 255


def test_network_that_reads_at_once_is_told_so(page_of):
    page = page_of(record_with(failure_of(n_steps=1, step=0)))
    assert "reads the input as a whole: it predicted 9, in state 31." in page.text
    assert "read as a whole" in page.text
    assert "values read at each step" not in page.text


@pytest.mark.parametrize("n_features", [1, 3, 40])
def test_series_are_drawn_as_a_line_in_a_lane_for_each_channel(page_of, n_features):
    data = Sequences("series", (10, n_features))
    page = page_of(record_with(failure_of(n_steps=10, step=4, samples=0)), data)
    assert not page.pictures
    assert "at step 5 of 10" in page.text
    assert "Nothing was injected for this failure." in page.text
    heights = lanes(page)
    assert len(heights) == n_features
    assert all(len(lane) == 10 for lane in heights)
    for above, below in itertools.pairwise(heights):
        assert max(above) < min(below)


def lanes(page):
    """Heights of the points of each line, from the top."""
    drawn = dict.fromkeys(("class", "d"))
    found = []
    for name, value in page.attributes:
        if name in drawn:
            drawn[name] = value
        if name == "d" and drawn["class"] == "line lane":
            found.append([float(p.split(" ")[1]) for p in value.lstrip("M").split("L")])
    return found


def test_every_channel_has_its_own_scale_and_is_called_with_its_unit(page_of):
    inputs = torch.stack([torch.arange(10.0), torch.arange(10.0) * -1000, torch.zeros(10)], 1)
    names = {"channel_names": ["acc", "gyro", "a name of many letters"], "units": ["g", "°/s", ""]}
    data = Sequences("series", (10, 3), {100: inputs}, **names)
    page = page_of(record_with(failure_of(n_steps=10, step=4, samples=0)), data)
    rising, falling, flat = lanes(page)
    span = rising[0] - rising[-1]
    assert span == pytest.approx(falling[-1] - falling[0], abs=0.11)
    assert rising == sorted(rising, reverse=True)
    assert falling == sorted(falling)
    assert set(flat) == {flat[0]}
    for told in ("acc (g)", "gyro (°/s)", "a name of many …", number(-9000), "9"):
        assert told in page.text
    assert "many letters" not in page.text


def test_strips_call_classes_by_their_names(page_of):
    data = Sequences("series", (10, 1), class_names=[f"walk{i}" for i in range(10)])
    page = page_of(record_with(failure_of(n_steps=10, step=4, samples=0)), data)
    assert "predicted walk4 at steps 1 to 4" in page.text
    assert "predicted walk9 at steps 5 to 10" in page.text


def test_values_that_are_no_numbers_do_not_stop_the_page(page_of):
    broken = torch.rand(28, 2)
    broken[3] = math.nan
    data = Sequences("series", (28, 2), {100: broken, 1007: torch.full((28, 2), math.inf)})
    page = page_of(record_with(failure_of()), data)
    assert "Labelled 4" in page.text
    assert "nan" not in " ".join(v for n, v in page.attributes if n == "d")


def test_runs_cover_the_sequence_once():
    found = runs(torch.tensor([3, 3, 1, 3]))
    assert [(r.value, r.start, r.stop) for r in found] == [(3, 0, 2), (1, 2, 3), (3, 3, 4)]
    assert [r.steps for r in found] == ["steps 1 to 2", "step 3", "step 4"]


@pytest.mark.parametrize(
    ("neighbour", "told"),
    [
        (Neighbour(1, 0, Role.NEAREST, distance=0.12345), "0.123"),
        (Neighbour(1, 0, Role.CONTEXTS, end=0, run=0), "at its start, as in the failure"),
        (Neighbour(1, 0, Role.CONTEXTS, end=4, run=0), "comes to the same state"),
        (Neighbour(1, 0, Role.CONTEXTS, end=4, run=1), "1 word in common up to there"),
        (Neighbour(1, 0, Role.CONTEXTS, end=4, run=3), "3 words in common up to there"),
        (Neighbour(1, 0, Role.OPPONENTS), "resembles the failure as a whole"),
    ],
)
def test_captions_say_why_a_sample_is_shown(neighbour, told):
    assert caption(neighbour, Names()) == told


@pytest.mark.parametrize(
    ("contrast", "end"),
    [(0.5, "of 9 than of 4."), (-0.5, "of 4 than of 9."), (math.nan, "the whole failure.")],
)
def test_contrast_says_which_label_the_failure_resembles(contrast, end):
    opponent = (Neighbour(1, 9, Role.OPPONENTS), Neighbour(2, 4, Role.CONTEXTS))
    told = neighbourhood(failure_of(contrast=contrast, neighbours=opponent), Names())
    assert told.startswith("Samples of its label 4 that come to")
    assert "then those of 9" in told
    assert told.endswith(end)
    alone = neighbourhood(failure_of(contrast=contrast, neighbours=opponent[1:]), Names())
    assert "then those of" not in alone


TEXTS = Sequences(
    "tokens",
    given={
        **{index: torch.tensor([3, 4, 5, 2]) for index in (100, 101)},
        1: torch.tensor([3, 4, 6]),
        2: torch.tensor([5]),
        3: torch.tensor([3, 4, 2, 6]),
    },
    class_names=("negative", "positive"),
    token_names=WORDS,
)


def text_failure(index=100):
    """ "a good film" is positive; "not" at its end turned the prediction."""
    return failure_of(
        index,
        label=1,
        predicted=0,
        state=torch.tensor([4, 5, 5, 9]),
        prediction=torch.tensor([1, 1, 1, 0]),
        step=3,
        segment=(2, 4),
        contrast=0.5,
        neighbours=(
            Neighbour(1, 1, Role.CONTEXTS, end=2, run=2),
            Neighbour(2, 1, Role.CONTEXTS, end=1, run=0),
        ),
        injected=(Injected(3, 1, (2, 3)),),
    )


def test_text_is_shown_as_words_with_the_segment_marked():
    html = render(record_with(text_failure()), TEXTS)
    page = Page(html)
    assert "Labelled positive, predicted negative" in page.text
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


CHARACTERS = Sequences(
    "tokens",
    given={
        **{index: torch.tensor([3, 4, 5, 2]) for index in (100, 101)},
        1: torch.tensor([3, 4, 6]),
        2: torch.tensor([5]),
        3: torch.tensor([3, 4, 2, 6]),
    },
    class_names=("差评", "好评"),
    token_names=["<unk>", "<pad>", "不", "电", "影", "好", "看"],
    between_tokens="",
)


def test_characters_are_shown_without_blanks_between_them():
    html = render(record_with(text_failure()), CHARACTERS)
    shown = ["".join(re.sub("<[^>]*>", "", t)) for t in re.findall(r'<p class="text.*?</p>', html)]
    assert shown == ["电影好不", "电影看", "好", "电影不看"]
    page = Page(html)
    assert "2 characters in common up to there" in page.text
    assert "the framed character is" in page.text
    assert "word" not in page.text
    console = Console(width=100, record=True, force_terminal=True)
    print_failures(repair_of(failures=[text_failure(100)]), CHARACTERS, console)
    text = console.export_text()
    assert "\n电影好不\n" in text
    assert "the responsible character" in text


def test_terminal_shows_failures_as_text():
    console = Console(width=100, record=True, force_terminal=True)
    print_failures(repair_of(failures=[text_failure(100), text_failure(101)]), TEXTS, console)
    text = console.export_text()
    assert (
        "right (trained on at the end) (sample 100): labelled positive, predicted negative" in text
    )
    assert "still wrong (sample 101)" in text
    assert "a good film not" in text
    assert "reversed: the responsible word" in text


def test_terminal_is_silent_about_pictures():
    console = Console(width=100, record=True)
    print_failures(repair_of(failures=[failure_of()]), Sequences(), console)
    assert console.export_text() == ""


OWN, OTHER = torch.tensor([3, 4]), torch.tensor([5])


@pytest.mark.parametrize(
    ("sample", "inputs", "told"),
    [
        (Injected(9, 0, (0, 0), parent=5), OWN, "the failure itself, with its own label"),
        (Injected(9, 0, (0, 0), parent=5), OTHER, "made of the failure, with its own label"),
        (Injected(9, 1, (0, 0), parent=6), OTHER, "taken for"),
        (Injected(9, 0, (0, 0), parent=6), OTHER, ""),
    ],
)
def test_injected_samples_say_what_they_are(sample, inputs, told):
    failure = failure_of(index=5, label=0, predicted=1)
    found = origin(sample, inputs, FailureCard(failure, Kind.TOKENS, OWN, [], []))
    assert told in found
    assert bool(found) == bool(told)


def test_equal_injected_samples_are_shown_once_with_their_number():
    copies = tuple(Injected(i, 1, (0, 0), parent=100) for i in (7, 8, 9))
    other = Injected(3, 1, (2, 3))
    failure = replace(text_failure(), injected=(*copies[:2], other, copies[2]))
    given = {**TEXTS.given, **dict.fromkeys((7, 8, 9), TEXTS.given[100])}
    data = Sequences("tokens", given=given, token_names=WORDS)
    page = Page(render(record_with(failure), data))
    assert page.text.count("the failure itself, with its own label") == 1
    assert "\N{MULTIPLICATION SIGN}3" in page.text
    assert "first 4." in page.text
    assert page.text.count("a good film not") == 2  # the failure, and its copies once


def test_a_text_that_was_never_right_has_contexts_of_its_first_word():
    context = (Neighbour(1, 1, Role.CONTEXTS, end=0, run=0),)
    never = failure_of(step=0, contrast=0.5, neighbours=context)
    assert "leaves the truth" not in neighbourhood(never, Names())
    assert "first word" in neighbourhood(never, Names())


def test_nearest_samples_are_counted_whatever_else_is_known():
    """Of a network that is explained the contrast is known too."""
    told = neighbourhood(failure_of(contrast=0.5), Names())
    assert told.startswith("Of the 8 samples shown, 4 carry the predicted label 9")
    assert told.endswith("of 9 than of 4.")
