"""Failures that other networks fail at too get no samples, and all others what they had."""

import csv
from dataclasses import replace

import torch

from rnnrepair.network import Predictions
from rnnrepair.repair import FailureRepair, Teachers, propose_for, write_label_or_task
from rnnrepair.sequences import Names, SampleNames


def said(predicted, label, first=50):
    return Predictions(
        first + torch.arange(len(label)), torch.tensor(label), torch.tensor(predicted)
    )


LABEL = [0, 1, 2, 0, 1]
NOBODY = torch.empty(0, dtype=torch.int64)
TEACHERS = Teachers.of(
    [said([1, 1, 0, 2, 0], LABEL), said([1, 0, 0, 1, 1], LABEL), said([2, 0, 0, 1, 0], LABEL)]
)


def test_all_must_fail():
    # Samples 50, 52 and 53: every one of the three is wrong.
    assert TEACHERS.fail_at(50 + torch.arange(5)).tolist() == [True, False, True, True, False]
    assert TEACHERS.fail_at(torch.tensor([53, 51])).tolist() == [True, False]


def test_the_table_has_failures_alone_with_what_most_say(tmp_path):
    unrepaired = said([2, 0, 2, 1, 1], LABEL)  # right about 52, at which all teachers fail
    names = Names(("a", "b", "c"))
    assert write_label_or_task(TEACHERS, unrepaired, names, SampleNames(), tmp_path, NOBODY) == 2
    with (tmp_path / "label_or_task.csv").open() as file:
        rows = list(csv.DictReader(file))
    told = [(r["index"], r["label"], r["predicted"], r["teachers"], r["agree"]) for r in rows]
    assert told == [("50", "a", "c", "b", "2"), ("53", "a", "b", "b", "2")]


def test_what_a_person_has_looked_at_is_not_in_doubt(tmp_path):
    unrepaired = said([2, 0, 2, 1, 1], LABEL)
    checked = torch.tensor([50])
    names = Names(("a", "b", "c"))
    assert write_label_or_task(TEACHERS, unrepaired, names, SampleNames(), tmp_path, checked) == 1
    assert "50" not in (tmp_path / "label_or_task.csv").read_text()


def test_what_is_withheld_gets_nothing_and_the_others_what_they_had(repair_case):
    context = repair_case.context
    n = len(context.evidence)
    assert n > 3
    withheld = torch.arange(n) % 3 == 0
    whole = FailureRepair().propose(context, 4)
    made = propose_for(FailureRepair(), context, (~withheld).nonzero()[:, 0], 4)
    assert made.withheld == int(withheld.sum())
    assert not withheld[made.failure].any()
    kept = whole.select((~withheld[whole.failure]).nonzero()[:, 0])
    for name in ("inputs", "lengths", "label", "parent", "failure"):
        assert torch.equal(getattr(made, name), getattr(kept, name))


def test_nothing_withheld_is_the_strategy_itself_and_all_withheld_is_nothing(repair_case):
    context = repair_case.context
    none = torch.zeros(len(context.evidence), dtype=torch.bool)
    made = propose_for(FailureRepair(), context, torch.arange(len(none)), 4)
    assert torch.equal(made.failure, FailureRepair().propose(context, 4).failure)
    assert made.withheld == 0
    empty = propose_for(FailureRepair(), context, torch.arange(0), 4)
    assert len(empty) == 0
    assert empty.withheld == len(none)
    assert len(replace(empty).changes().label) == 0
