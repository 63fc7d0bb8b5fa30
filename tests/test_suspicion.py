"""Suspicion: neighbours vote as a brute force says, and wrong labels among right ones stand out."""

import pytest
import torch

from rnnrepair.influence import TraceSimilarity, look_alikes, suspect_labels
from rnnrepair.influence.suspicion import ODDS
from rnnrepair.traces import Traces
from tests.conftest import random_model, random_traces, view_of

LENGTHS = [3, 5, 1, 7, 4, 6, 2, 8, 5, 3] * 6


@pytest.fixture
def view():
    traces = random_traces(LENGTHS)
    order = traces.index.argsort()
    return view_of(random_model(), traces.select(order), len(LENGTHS) - 7)


def in_groups(wrong):
    """Sixty traces in three groups of twenty alike, by a state of their own; some labels wrong."""
    label = torch.arange(60) // 20
    state = label.to(torch.uint8).repeat_interleave(4)
    given = label.clone()
    given[list(wrong)] = (label[list(wrong)] + 1) % 3
    return Traces(state, state, torch.arange(61) * 4, 5 * torch.arange(60), given, 5, 3)


def test_the_nearest_others_vote(view):
    scorer = TraceSimilarity().fit(view)
    traces, votes = view.traces, scorer.votes(view.traces)
    distances = scorer.distances(traces)
    for row in range(len(traces)):
        others = [r for r in range(len(traces)) if r != row]
        far = distances[row][others].sort().values
        surely = [r for r in others if distances[row, r] < far[19]]
        perhaps = [r for r in others if distances[row, r] <= far[19]]
        for c in range(3):
            low, high = (sum(int(traces.label[r]) == c for r in rows) for rows in (surely, perhaps))
            assert low <= votes[row, c] <= high
        assert votes[row].sum() == 20


def test_injected_samples_have_no_say_and_are_not_judged(view):
    found = suspect_labels(view)
    assert torch.equal(found.index, view.traces.index[: view.n_original])
    alone = view_of(view.model, view.traces.between(0, view.n_original))
    assert torch.equal(suspect_labels(alone).score, found.score)


def test_wrong_labels_among_right_ones_are_suspect_and_the_right_one_is_suggested():
    wrong = [0, 7, 25, 44, 59]
    found = suspect_labels(view_of(random_model(), in_groups(wrong)))
    assert found.suspect.nonzero()[:, 0].tolist() == wrong
    assert torch.equal(found.suggested, torch.arange(60) // 20)
    assert found.score.min() > 0
    assert found.score.max() <= 1


def test_right_labels_are_not_suspect():
    traces = in_groups([])
    found = suspect_labels(view_of(random_model(), traces))
    assert not found.suspect.any()
    assert torch.equal(found.suggested, traces.label)


def test_a_label_is_suspect_from_the_odds_on(view):
    traces = view.traces.between(0, view.n_original)
    votes = TraceSimilarity().fit(view_of(view.model, traces)).votes(traces).tolist()
    label, expected = traces.label.tolist(), []
    for own, counts in zip(label, votes, strict=True):
        best = max(n for c, n in enumerate(counts) if c != own)
        expected.append((1 + best) / (1 + counts[own]) >= ODDS)
    found = suspect_labels(view)
    assert 0 < sum(expected) < len(expected)
    assert found.suspect.tolist() == expected


def test_margins_of_the_training_count_as_much_as_neighbours(view):
    class Dynamics:
        margin = torch.zeros(int(view.traces.index.max()) + 1)

    rows = torch.arange(view.n_original)
    Dynamics.margin[view.traces.index[rows]] = torch.randperm(len(rows)).float()
    without = suspect_labels(view)
    object.__setattr__(view, "dynamics", Dynamics)
    margin_rank = 1 - (Dynamics.margin[view.traces.index[rows]]) / len(rows)
    expected = (without.score + margin_rank) / 2
    assert torch.allclose(suspect_labels(view).score, expected, atol=1e-5)
    assert suspect_labels(view).suspect.sum() == without.suspect.sum()


def test_look_alikes_are_the_nearest_others(view):
    rows = torch.tensor([3, 11])
    near = look_alikes(view, rows, 4)
    traces = view.traces.between(0, view.n_original)
    far = TraceSimilarity().fit(view_of(view.model, traces)).distances(traces.select(rows))
    far[[0, 1], rows] = torch.inf
    assert torch.equal(near.distance, far.sort(1).values[:, :4])
    assert torch.equal(far.gather(1, near.row), near.distance)
