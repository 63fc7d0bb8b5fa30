"""Confidence and stability of states, against the definition written as loops."""

import math

import pytest
import torch

from rnnrepair.abstraction import Stability, confidence, count_predictions

COUNTS = torch.tensor([[8, 2, 0], [0, 0, 0], [1, 1, 2], [0, 0, 5]])


def test_counts_are_those_of_a_loop_when_states_are_unvisited(make_traces):
    traces = make_traces([40, 3], n_states=30, n_classes=3)
    expected = torch.zeros(30, 3, dtype=torch.int64)
    for q, y in zip(traces.state.tolist(), traces.prediction.tolist(), strict=True):
        expected[q, y] += 1
    assert count_predictions(traces.code, 30, 3).tolist() == expected.tolist()
    assert (expected.sum(1) == 0).any()


def test_confidence_is_a_distribution_when_visited_and_zero_when_empty():
    shares = confidence(COUNTS)
    assert shares.tolist() == [[0.8, 0.2, 0], [0, 0, 0], [0.25, 0.25, 0.5], [0, 0, 1]]
    assert shares.dtype is torch.float64


def test_stability_leaves_empty_states_out_when_averaging():
    stability = Stability.of(COUNTS)
    assert stability.mean == pytest.approx((0.8 + 0.5 + 1) / 3)
    assert stability.weighted_mean == pytest.approx((8 + 2 + 5) / 19)
    assert stability.min == 0.5
    assert stability.n_empty == 1


def test_stability_gives_the_published_mean_when_the_start_state_is_added():
    """Reference 3.4: Avg_compat = (1 + K * Avg) / (K + 1) when no state is empty."""
    counts = COUNTS[[0, 2, 3]]
    with_start = torch.cat([torch.tensor([[1, 0, 0]]), counts])
    published = sum(max(row) / sum(row) for row in with_start.tolist()) / 4
    assert (1 + 3 * Stability.of(counts).mean) / 4 == pytest.approx(published)


def test_stability_is_nan_when_nothing_was_visited():
    stability = Stability.of(torch.zeros(4, 3, dtype=torch.int64))
    assert math.isnan(stability.mean)
    assert stability.n_empty == 4


def test_stability_does_not_change_when_states_are_renumbered():
    stability, renumbered = Stability.of(COUNTS), Stability.of(COUNTS[[2, 0, 3, 1]])
    assert renumbered.mean == pytest.approx(stability.mean)
    assert renumbered.weighted_mean == pytest.approx(stability.weighted_mean)
    assert (renumbered.min, renumbered.n_empty) == (stability.min, stability.n_empty)
