"""Equally near samples are taken by chance, in an order that is fixed for a whole run."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from rnnrepair.influence import (
    Role,
    TraceIndex,
    TraceSimilarity,
    TransitionOverlap,
    find_evidence,
    step_distance,
    tie_order,
)
from tests.conftest import view_of


def alike(make_traces, n=40):
    """N traces that are all the same, sorted by class."""
    one = make_traces([6])
    return replace(
        one.select(torch.zeros(n, dtype=torch.int64)),
        index=torch.arange(n) + 100,
        label=torch.arange(n) * 3 // n,
    )


def by_traces(fit, model, seed, top):
    query = fit.select(torch.tensor([0]))
    return TraceIndex(fit, step_distance(model, "aligned"), seed=seed).rank(query, top).row[0]


def by_label(fit, model, seed, top):
    index = TraceIndex(fit, step_distance(model, "aligned"), seed=seed)
    query = fit.select(torch.tensor([0]))
    return index.rank(query, top, fit.label == 1).row[0]


def by_transitions(fit, model, seed, top):
    scorer = TransitionOverlap(seed).fit(view_of(model, fit))
    return scorer.rank(fit.select(torch.tensor([0])), top).row[0]


@pytest.mark.parametrize("rank", [by_traces, by_label, by_transitions])
def test_equally_near_samples_are_taken_by_chance_and_not_by_row(make_traces, make_model, rank):
    fit, model = alike(make_traces), make_model()
    candidates = (fit.label == 1).nonzero()[:, 0] if rank is by_label else torch.arange(40)
    picks = [rank(fit, model, seed, 5).tolist() for seed in range(400)]
    assert picks[7] == rank(fit, model, 7, 5).tolist()
    assert all(len(set(pick)) == 5 for pick in picks)
    assert len({tuple(pick) for pick in picks}) > 390
    assert sum(sorted(pick) == candidates[:5].tolist() for pick in picks) < 5
    counts = np.bincount(np.concatenate(picks), minlength=40)
    assert counts.sum() == counts[candidates].sum()
    # Every sample is picked as often as every other: six standard deviations.
    share = 5 / len(candidates)
    assert abs(counts[candidates] - 400 * share).max() < 6 * (400 * share * (1 - share)) ** 0.5


@pytest.mark.parametrize("rank", [by_traces, by_label, by_transitions])
def test_equally_near_samples_keep_their_order_whatever_stands_beside_them(
    make_traces, make_model, rank
):
    """The files may be in another order, and injected samples come later."""
    fit, model = alike(make_traces), make_model()
    expected = fit.index[rank(fit, model, 3, 5)].tolist()
    shuffled = fit.select(torch.randperm(40, generator=torch.Generator().manual_seed(1)))
    assert shuffled.index[rank(shuffled, model, 3, 5)].tolist() == expected
    injected = replace(alike(make_traces, 70), label=torch.cat([fit.label, torch.full((30,), 1)]))
    row = rank(injected, model, 3, 70)
    row = row[row >= 0]
    assert [i for i in injected.index[row].tolist() if i < 140][:5] == expected
    few = fit.select(torch.arange(40) % 3 > 0)
    kept = set(few.index.tolist())
    everyone = fit.index[rank(fit, model, 3, 40)].tolist()
    left = [i for i in everyone if i in kept]
    assert few.index[rank(few, model, 3, len(left))].tolist()[: len(left)] == [
        i for i in left if rank is not by_label or fit.label[i - 100] == 1
    ]


@pytest.mark.parametrize("method", [TraceSimilarity, TransitionOverlap])
def test_influence_breaks_ties_by_its_seed(make_traces, make_model, method):
    fit = alike(make_traces, 200)
    fit = replace(fit, label=fit.final_prediction)
    failures = fit.select(torch.tensor([0]))
    view, roles = view_of(make_model(), fit), (Role.NEAREST, Role.PARENTS)
    found = [
        find_evidence(method(seed=seed).fit(view), view, failures, roles, 5) for seed in (0, 0, 1)
    ]
    for role in roles:
        first, again, other = (getattr(evidence, role).index for evidence in found)
        assert torch.equal(first, again)
        assert not torch.equal(first, other)
        assert first[0].tolist() != fit.index[:5].tolist()


def test_priority_of_a_sample_stays_when_later_ones_come():
    index = torch.randperm(90, generator=torch.Generator().manual_seed(2))[:40]
    order = index[tie_order(index, 5)].tolist()
    more = torch.cat([torch.arange(100, 200), index])
    assert [i for i in more[tie_order(more, 5)].tolist() if i < 100] == order
    assert order != index[tie_order(index, 6)].tolist()


def test_nothing_has_an_order_too():
    assert tie_order(torch.empty(0, dtype=torch.int64), 3).tolist() == []
