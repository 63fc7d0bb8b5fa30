"""The step at which a failure leaves the truth, against a backward scan."""

from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from rnnrepair.influence import responsible_segment, responsible_step
from rnnrepair.traces import Traces


def scanned(predictions, label):
    """Walk back from the end while the prediction is wrong."""
    step = len(predictions)
    while step > 0 and predictions[step - 1] != label:
        step -= 1
    return min(step, len(predictions) - 1)


def traces_of(predictions, label):
    lengths = torch.tensor([0] + [len(p) for p in predictions])
    flat = torch.tensor([y for p in predictions for y in p], dtype=torch.uint8)
    n = len(predictions)
    return Traces(
        torch.zeros_like(flat), flat, lengths.cumsum(0), torch.arange(n), torch.tensor(label), 1, 3
    )


@pytest.mark.parametrize(
    ("predictions", "step"),
    [
        ([1, 1, 1], 0),  # never right
        ([2, 1, 1], 1),
        ([2, 1, 2, 1], 3),  # it comes back once
        ([1, 2, 2, 1], 3),
        ([1], 0),
    ],
)
def test_step_follows_the_last_right_prediction_when_one_was_right(predictions, step):
    assert responsible_step(traces_of([predictions], [2])).tolist() == [step]


def test_step_equals_a_backward_scan_when_sequences_are_ragged(make_traces):
    traces = make_traces([1, 4, 9, 2, 7, 3, 5, 8] * 20)
    failures = traces.select(~traces.correct)
    predictions = [p.tolist() for p in failures.prediction.split(failures.lengths.tolist())]
    expected = [scanned(p, y) for p, y in zip(predictions, failures.label.tolist(), strict=True)]
    assert responsible_step(failures).tolist() == expected
    assert len(set(expected)) > 4


def test_step_is_one_of_the_sequence_when_the_last_prediction_is_right():
    """Not a failure, but no reason to point beyond the end."""
    assert responsible_step(traces_of([[1, 2], [2]], [2, 2])).tolist() == [1, 0]


def test_step_is_none_when_there_are_no_failures(make_traces):
    none = make_traces([3, 2]).select(torch.tensor([], dtype=torch.int64))
    assert responsible_step(none).tolist() == []


def test_segment_is_the_fall_of_confidence_around_the_responsible_step(make_traces, make_model):
    confidence = make_model(n_states=7).confidence
    traces = make_traces([1, 4, 9, 2, 7, 3, 5, 8] * 30, n_states=7)
    failures = traces.select(~traces.correct)
    found = responsible_segment(failures, confidence).tolist()
    states = [s.long() for s in failures.state.split(failures.lengths.tolist())]
    expected = []
    for step, own, label in zip(
        responsible_step(failures).tolist(), states, failures.label.tolist(), strict=True
    ):
        truth = confidence[own, label].tolist()
        falls = [False] + [b < a for a, b in pairwise(truth)]
        first, end = step, step + 1
        while falls[first] and falls[first - 1] and first > 0:
            first -= 1
        while end < len(own) and falls[end]:
            end += 1
        expected.append([first, end])
    assert found == expected
    widths = {end - first for first, end in expected}
    assert {1, 2, 3} <= widths


def test_segment_does_not_depend_on_the_numbering_of_states(make_traces, make_model):
    confidence = make_model(n_states=7).confidence
    failures = make_traces([6] * 40, n_states=7)
    new = torch.tensor([3, 5, 0, 6, 1, 2, 4])
    renamed = torch.empty_like(confidence)
    renamed[new] = confidence
    other = replace(failures, state=new[failures.state.long()])
    assert torch.equal(
        responsible_segment(failures, confidence), responsible_segment(other, renamed)
    )
