"""Patterns that a repair has found: what is counted, kept and shown of them."""

import json

import torch

from rnnrepair.patterns import Pattern
from rnnrepair.record import FoundPattern, PatternErrors, RunRecord, summary_of
from rnnrepair.report import print_summary
from tests.records import ANSWERS, answers_of, record_of, repair_of
from tests.report_page import Sequences

PATTERN = Pattern(
    kind="edit",
    told="turned by 60 to 90 degrees",
    members=torch.tensor([101, 103]),
    inside=torch.tensor([101, 103, 105]),
    error_inside=2 / 3,
    error_outside=0.02,
    p=0.002,
    parameters={"edit": "rotation", "from": 0.8, "to": 1.0},
    samples=torch.tensor([100]),
)
ALL = {"repair": ANSWERS, "val": ANSWERS, "test": ANSWERS}


def found(inside):
    return FoundPattern.of(PATTERN, inside, ALL, 40)


def test_errors_of_the_samples_inside_are_counted_by_split():
    # Of 101, 103, 105 the unrepaired network gets 101 wrong; the final one 101 and 103.
    inside = {"repair": PATTERN.inside, "test": torch.tensor([100, 104])}
    told = found(inside)
    assert told.splits == {"repair": PatternErrors(3, 1, 2), "test": PatternErrors(2, 2, 0)}
    assert (told.failures, told.samples, told.injected) == ((101, 103), (100,), 40)


def test_a_pattern_comes_back_from_plain_values_and_from_the_record(tmp_path):
    again = Pattern.of_plain(json.loads(json.dumps(PATTERN.plain())))
    assert again.name == PATTERN.name
    assert again.parameters == PATTERN.parameters
    for name in ("members", "inside", "samples"):
        assert torch.equal(getattr(again, name), getattr(PATTERN, name))
    record = record_of(repair_of(ALL, patterns=(found({"test": PATTERN.inside}),)))
    record.save(tmp_path)
    loaded = RunRecord.load(tmp_path)
    assert loaded.repair.patterns == record.repair.patterns
    assert json.loads(json.dumps(summary_of(record)))["patterns"][0]["splits"]["test"] == {
        "samples": 3,
        "before": 1,
        "after": 2,
    }


def test_page_and_terminal_tell_what_became_of_a_pattern(page_of, capsys):
    record = record_of(repair_of(ALL, patterns=(found({"test": PATTERN.inside}),)))
    text = page_of(record).text
    assert "turned by 60 to 90 degrees" in text
    assert "2 failures, error 66.7% inside, 2.0% outside" in text
    assert "test 3 1 2" in text
    print_summary(record, Sequences())
    told = capsys.readouterr().out
    assert "turned by" in told
    assert "1 → 2 of 3" in told


def test_runs_without_patterns_show_none(page_of):
    assert "in common" not in page_of(record_of(repair_of(ALL))).text.split("Failures and where")[0]


def test_further_test_splits_stand_in_the_table_with_all_their_columns(capsys):
    rare = answers_of([1, 1, 1, 2], [2, 2, 1, 2], [1, 2, 1, 1])
    print_summary(record_of(repair_of({**ALL, "test_rare": rare})), Sequences())
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "test_rare" in line]
    assert [cell.strip() for cell in line.strip("│ ").split("│")] == [
        *("test_rare", "0.5000", "0.5000", "2", "50.0%", "1")
    ]
