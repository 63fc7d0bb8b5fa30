"""What decides on val, against scikit-learn; and what is told of single classes."""

import pytest
import torch
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

from rnnrepair.callbacks import RepairInjection, RepairReport
from rnnrepair.errors import SettingsError
from rnnrepair.record import RunRecord, summary_of
from rnnrepair.report import print_summary, render
from rnnrepair.report.outcome_view import class_views
from rnnrepair.scores import Monitor, Scored, confusion, score, unequal_classes
from tests.records import ANSWERS, record_of
from tests.report_page import Page, Sequences

ORACLES = {
    Monitor.ACCURACY: accuracy_score,
    Monitor.BALANCED_ACCURACY: balanced_accuracy_score,
    Monitor.MACRO_F1: lambda label, predicted: f1_score(label, predicted, average="macro"),
}


@pytest.mark.filterwarnings("ignore:y_pred contains classes")
@pytest.mark.parametrize("monitor", Monitor)
@pytest.mark.parametrize("seed", range(5))
def test_scores_are_those_of_scikit_learn(monitor, seed):
    g = torch.Generator().manual_seed(seed)
    # Class 3 has no sample but may be predicted, class 5 is the other way round, 4 is nowhere.
    label = torch.tensor([0, 0, 0, 0, 1, 2, 5])[torch.randint(7, (97,), generator=g)]
    predicted = torch.where(torch.rand(97, generator=g) < 0.6, label, 3 * (label % 2))
    predicted[predicted == 5] = 0
    expected = ORACLES[monitor](label.numpy(), predicted.numpy())
    assert score(confusion(label, predicted), monitor) == pytest.approx(expected, abs=1e-12)


def test_accuracy_is_what_it_was_to_the_last_bit(make_traces):
    for seed in range(20):
        traces = make_traces([2, 3, 1] * (seed + 1), seed=seed)
        confused = confusion(traces.label, traces.final_prediction)
        assert score(confused, "accuracy") == traces.accuracy


def test_classes_are_told_one_by_one():
    views = class_views(ANSWERS, [0, 9, 8, 0, 70])
    told = [(v.number, v.trained, v.tested, v.before, v.after) for v in views]
    assert told == [
        (1, 9, 2, 0.5, 0.5),
        (2, 8, 1, 1.0, 1.0),
        (4, 70, 3, 1 / 3, 2 / 3),
    ]
    assert [v.trained for v in class_views(ANSWERS)] == [None] * 3


@pytest.mark.parametrize(("sizes", "hint"), [((50, 10), True), ((49, 10), False), ((50, 0), False)])
def test_unequal_classes_are_told_from_five_times_on(sizes, hint):
    assert (unequal_classes(sizes, ["a", "b"]) is not None) is hint
    if hint:
        assert "macro_f1" in unequal_classes(sizes, ["a", "b"])


@pytest.mark.parametrize(("monitor", "told"), [("accuracy", True), ("macro_f1", False)])
def test_page_and_terminal_show_each_class_and_hint_at_unequal_ones(monitor, told, capsys):
    record = record_of(class_sizes=(500, 9, 8, 0, 70), monitor=monitor)
    data = Sequences(class_names=("zero", "one", "two", "three", "[four]"))
    print_summary(record, data)
    out = capsys.readouterr().out
    assert "[four]" in out
    text = Page(render(record, data)).text
    assert "[four] 70 3 33.3% 66.7% +33.3 points" in text
    for shown in (" ".join(out.split()), text):
        assert ("Class zero has 500 training samples" in shown) is told


def test_the_record_keeps_what_chose_and_older_ones_chose_by_accuracy(tmp_path):
    record = record_of(class_sizes=(3, 2), monitor="balanced_accuracy")
    record.save(tmp_path)
    back = RunRecord.load(tmp_path)
    assert (back.monitor, back.class_sizes) == ("balanced_accuracy", (3, 2))
    assert (record_of().monitor, record_of().class_sizes) == ("accuracy", ())


def test_the_summary_holds_the_score_that_chose():
    plain = summary_of(record_of())
    told = summary_of(record_of(monitor="balanced_accuracy"))
    assert told["monitor"] == "balanced_accuracy"
    assert told["before"]["val_balanced_accuracy"] == pytest.approx((0.5 + 1 + 1 / 3) / 3)
    assert told["after"]["val_balanced_accuracy"] == pytest.approx((0.5 + 1 + 2 / 3) / 3)
    for when in ("before", "after"):
        told[when] = {k: v for k, v in told[when].items() if "balanced" not in k}
    assert {k: v for k, v in told.items() if k != "monitor"} == plain


@pytest.mark.parametrize("callback", [RepairInjection, RepairReport])
def test_unknown_scores_are_refused(callback):
    with pytest.raises(SettingsError, match="monitor"):
        callback(monitor="f1")


@pytest.mark.parametrize("monitor", list(Monitor))
def test_the_error_of_a_score_is_that_of_samples_drawn_anew_within_their_classes(monitor):
    confused = torch.tensor([[700, 60, 20], [30, 150, 20], [4, 3, 13]])
    g, scores = torch.Generator().manual_seed(0), []
    for _ in range(4000):
        rows = [
            torch.multinomial(row.double(), int(row.sum()), replacement=True, generator=g)
            for row in confused
        ]
        scores.append(score(torch.stack([r.bincount(minlength=3) for r in rows]), monitor))
    drawn = float(torch.tensor(scores).std())
    # A hit and a miss more of each class, and to first order.
    assert Scored.of(confused, monitor).error == pytest.approx(drawn, rel=0.15)


@pytest.mark.parametrize("monitor", list(Monitor))
def test_a_rare_class_that_some_answers_more_or_less_decide_does_not_make_a_score_fall(monitor):
    """As good before and after: some answers are drawn anew from the same probabilities."""
    g, n_rare, falls = torch.Generator().manual_seed(1), 20, 0
    label = (torch.arange(1000) < n_rare).long()
    right = torch.where(label == 1, 0.6, 0.97)
    for _ in range(400):
        first = torch.rand(1000, generator=g) < right
        again = torch.rand(1000, generator=g) < 0.3
        second = torch.where(again, torch.rand(1000, generator=g) < right, first)
        answers = (torch.where(hit, label, 1 - label) for hit in (first, second))
        scored = [Scored.of(confusion(label, answer), monitor) for answer in answers]
        falls += scored[0].fell_to(scored[1])
    assert falls <= 12


def test_a_class_that_is_forgotten_makes_balanced_accuracy_fall():
    label = (torch.arange(1000) < 40).long()
    forgotten = confusion(label, torch.zeros_like(label)), confusion(label, label)
    after, before = (Scored.of(each, Monitor.BALANCED_ACCURACY) for each in forgotten)
    assert before.fell_to(after)
    assert not before.fell_to(before)
    assert before.error > 0
