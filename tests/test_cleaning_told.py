"""What a run says at its end: one line of its cleaning always, a warning where val has lost."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from rnnrepair.callbacks.report_notes import behind_notes, ended_notes, unfinished_notes
from rnnrepair.patterns import Pattern
from rnnrepair.record import Cleaned, SplitAnswers
from rnnrepair.repair import Action, LedgerRow
from rnnrepair.report.cleaning import cleaning_line
from rnnrepair.scores import Monitor


def answers(right_before, right_after, n=100):
    """Val of n sequences of class 0, of which so many are right."""
    place = torch.arange(n)
    before, after = ((place >= right).long() for right in (right_before, right_after))
    return SplitAnswers(place, torch.zeros(n).long(), before, after)


def row(number, action, taken_back=-1):
    told = ("clean", 0, "", "{}", -1, -1, -1, 3, 0)
    return LedgerRow(5, 5, -1, *told, action=action, round=number, taken_back=taken_back)


@pytest.fixture(autouse=True)
def run(tmp_path, monkeypatch):
    """A run that keeps its unrepaired network."""
    monkeypatch.chdir(tmp_path)
    kept = Path("outputs/run/checkpoints/base.ckpt")
    kept.parent.mkdir(parents=True)
    kept.touch()
    return kept


def notes(ledger, val, given_up=()):
    return ended_notes(val, given_up, ledger, Monitor.ACCURACY, Path("outputs/run"), ["no", "yes"])


def test_a_test_split_that_is_far_behind_val_is_told():
    (told,) = behind_notes(answers(90, 100), answers(60, 64))
    assert told.startswith("64.0% of test is right and 100.0% of val")
    assert behind_notes(answers(90, 100), answers(60, 92)) == ()
    # Of few, chance may do that.
    assert behind_notes(answers(9, 10, 10), answers(6, 7, 10)) == ()


RELABELLED = [row(2, Action.RELABEL), row(3, Action.RELABEL)]


def test_a_loss_on_val_is_warned_of_with_what_takes_it_back():
    # Twice the standard error of .9 on 100 sequences is .062.
    assert notes(RELABELLED, answers(90, 85)) == ()
    (told,) = notes(RELABELLED, answers(90, 83))
    assert "0.8300" in told
    assert "0.9000" in told
    assert "scripts/rollback.py run=outputs/run round=2" in told
    assert "reweight" in told
    assert notes(RELABELLED, answers(84, 90)) == ()


def test_a_class_that_was_traded_for_another_is_told():
    label = torch.arange(200) % 2
    traded = SplitAnswers(torch.arange(200), label, torch.ones(200).long(), torch.zeros(200).long())
    (told,) = notes([], traded)
    assert told.startswith("Class yes: 100% of val right before, 0% after.")
    better = torch.where(torch.arange(200) < 110, 0, label)
    assert notes([], SplitAnswers(torch.arange(200), label, torch.ones(200).long(), better)) == (
        "Class yes: 100% of val right before, 45% after. What is right elsewhere may only have "
        "been traded for it: look at the table of classes.",
    )
    kept = torch.where(torch.arange(200) < 20, 0, label)
    assert notes([], SplitAnswers(torch.arange(200), label, torch.ones(200).long(), kept)) == ()


def test_who_draws_less_often_already_is_not_told_to():
    (told,) = notes([row(1, Action.REWEIGHT)], answers(90, 80))
    assert "reweight" not in told


@pytest.mark.parametrize("ledger", [[], [row(1, Action.ADD)], [row(1, Action.RELABEL, 4)]])
def test_where_nothing_is_mended_cleaning_is_not_blamed(ledger):
    (told,) = notes(ledger, answers(90, 50))
    assert "scripts/interpolate.py run=outputs/run" in told
    assert "rollback" not in told


def test_a_network_that_was_not_kept_is_not_offered(run):
    run.unlink()
    (told,) = notes([], answers(90, 50))
    assert "repair_chain(interpolate=True)" in told
    assert "scripts/interpolate.py" not in told


def test_patterns_that_were_given_up_are_told():
    nothing = torch.empty(0, dtype=torch.int64)
    pattern = Pattern("group", "device z", nothing, nothing, 0.9, 0.1, 0.01, {}, nothing)
    (told,) = notes([], answers(90, 90), [pattern])
    assert told.startswith("Given up: device z.")


def test_the_line_tells_what_was_done_and_what_val_says():
    cleaned = Cleaned(1, 12, 3, 4, 5, estimated_wrong=0.1168)
    told = cleaning_line(cleaned, answers(90, 93), "accuracy")
    assert told == (
        "labels: 12 relabelled, 3 drawn less often, 1 removed; changes taken back, injected "
        "samples included: 4; if wrong labels are spread at random, at most 11.7% of them were "
        "wrong; 5 failures without samples, for their labels are in doubt; accuracy on val 0.9000 "
        "before, 0.9300 after"
    )
    told = cleaning_line(Cleaned(0, 0, 0, 0, 0), answers(90, 90), "accuracy")
    assert "estimate" not in told
    assert "without samples" not in told


@pytest.mark.parametrize(
    ("epochs", "completed", "first", "anew", "told"),
    [
        ((4, 5, 6), 6, 4, False, ["1 of the injected samples were never trained on (round 3)"]),
        ((4, 5, 5), 6, 4, False, []),
        # What was taken back is in no epoch anyway.
        ((4, 5, -6), 6, 4, False, []),
        ((), 6, 4, True, ["trained for 2 epochs, the unrepaired one for 4"]),
        ((), 6, 4, False, []),
        ((), 8, 4, True, []),
        ((), 4, 4, True, []),
    ],
)
def test_what_was_not_trained_is_told(epochs, completed, first, anew, told):
    """A round that is made at the very end, and a new network that is trained for less."""
    ledger = [
        replace(row(k, Action.ADD, 7 if epoch < 0 else -1), epoch=abs(epoch))
        for k, epoch in enumerate(epochs, 1)
    ]
    found = unfinished_notes(ledger, completed, first, starts_anew=anew)
    assert len(found) == len(told)
    assert all(part in note for part, note in zip(told, found, strict=True))
