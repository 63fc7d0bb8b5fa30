"""Which class a network takes a word for, as training showed it."""

import torch

from rnnrepair.explanation.goes_by import goes_by
from rnnrepair.patterns import Pattern
from rnnrepair.sequences import Names
from rnnrepair.traces import Traces

NAMES = Names(("account", "billing", "cancel", "delivery"))


def traces_of(index, label, prediction):
    n = len(index)
    return Traces(torch.zeros(n), prediction, torch.arange(n + 1), index, label, 1, 4)


def told_of(n_billing, n_taken, kind="word", **parameters):
    """Return what is told of 20 training samples and 10 failures that read a word."""
    label = torch.arange(200) % 4
    samples = torch.arange(20)
    label[:20] = 2
    label[:n_billing] = 1
    training = traces_of(torch.arange(200), label, label)
    predicted = torch.full((10,), 3)
    predicted[:n_taken] = 1
    split = traces_of(torch.arange(200, 210), torch.zeros(10, dtype=torch.int64), predicted)
    members = split.index
    found = Pattern(kind, "reads it", members, members, 1.0, 0.1, 0.01, parameters, samples)
    return goes_by(found, training, split, NAMES)


def test_the_class_is_told_that_training_shows_it_with_and_failures_are_taken_for():
    told = "20 of the 20 training samples that have it are billing, and 9 of these 10 failures"
    assert told_of(20, 9).startswith(told)
    assert told_of(13, 7).startswith("13 of the 20 training samples that have it are billing")


def test_nothing_is_told_where_classes_are_mixed_or_failures_are_taken_for_others():
    assert told_of(11, 10) == ""
    assert told_of(20, 5) == ""


def test_nothing_is_told_of_edits_and_classes():
    assert told_of(20, 9, kind="edit") == ""
    assert told_of(20, 9, kind="group", group="class") == ""
    assert told_of(20, 9, kind="group", group="source") != ""
