"""Influence by states, inputs, segments and chance, against what they stand for."""

from dataclasses import replace

import pytest
import torch

from rnnrepair.abstraction import LastStates, ReducedStates, Reduction
from rnnrepair.influence import (
    ErrorStates,
    InputSimilarity,
    LossGradients,
    Parts,
    RandomInfluence,
    SegmentSimilarity,
    StateSimilarity,
    TraceSimilarity,
    reduced_views,
    responsible_segment,
    state_similarity,
    step_distance,
)
from tests.conftest import view_of


@pytest.fixture
def case(repair_case):
    """A view with a network, in which rows are not in the order of indices."""
    fit = repair_case.fit
    order = torch.randperm(len(fit), generator=torch.Generator().manual_seed(2))
    view = view_of(repair_case.abstract, fit.select(order))
    network = repair_case.context.judge.args[0]
    return replace(view, network=network, fetch=repair_case.data.fetch), repair_case.failures


def whole(view):
    """The same view with a reduction that keeps all units, and does not turn them."""
    mean = torch.linspace(-0.3, 0.4, 8)
    reduction = Reduction(mean, torch.eye(8), torch.ones(8), 8.0)
    return replace(view, model=replace(view.model, reduction=reduction))


def last_states(view, traces):
    hidden = view.network.module.hidden_states(view.fetch(traces.index)).detach()
    return hidden[torch.arange(len(traces)), traces.lengths - 1]


def test_error_states_are_the_gradients_of_the_last_layer(case):
    view, failures = case
    view = whole(view)
    module = view.network.module.eval()
    gradients = LossGradients(Parts.of(module))

    def of_head(traces):
        found = gradients.gradients(view.fetch(traces.index))
        return torch.cat([found["head.weight"].flatten(1), found["head.bias"]], 1)

    scorer = ErrorStates().fit(view)
    expected = -of_head(failures) @ of_head(view.traces).T
    torch.testing.assert_close(scorer.scores(failures), expected, rtol=1e-3, atol=1e-5)
    norms = of_head(view.traces).square().sum(1)
    torch.testing.assert_close(scorer.own(), norms, rtol=1e-3, atol=1e-5)
    rows = torch.tensor([5, 2, 9])
    torch.testing.assert_close(
        scorer.scores(failures, rows), expected[:, rows], rtol=1e-3, atol=1e-5
    )
    top = scorer.rank(failures, 3).row
    assert torch.equal(top[:, 0], expected.abs().argmax(1))


def test_error_states_of_a_segment_sum_over_its_steps(case):
    view, failures = case
    view = whole(view)
    module = view.network.module.eval()
    scores = ErrorStates(segment=True).fit(view).scores(failures)
    segment = responsible_segment(failures, view.model.confidence)
    assert (segment.diff() > 1).any()
    of_fit = module.hidden_states(view.fetch(view.traces.index)).detach()
    of_failures = module.hidden_states(view.fetch(failures.index)).detach()

    def errors(traces):
        batch = view.fetch(traces.index)
        found = module.logits(batch).softmax(1).detach()
        found[torch.arange(len(batch)), batch.label] -= 1
        return found

    weight = errors(failures) @ errors(view.traces).T
    for m in range(0, len(failures), 3):
        for n in range(0, len(view.traces), 7):
            total = 0.0
            for t in range(int(segment[m, 0]), int(segment[m, 1])):
                there = int(view.traces.lengths[n]) - (int(failures.lengths[m]) - t)
                if there >= 0:
                    total += float(of_failures[m, t] @ of_fit[n, there]) + 1
            assert float(scores[m, n]) == pytest.approx(-total * float(weight[m, n]), abs=1e-4)


def test_what_the_view_has_is_not_computed_again(case, monkeypatch):
    view, failures = case
    states = ReducedStates.collect(
        view.network.steps([view.fetch(view.traces.index)], view.model.reduction), 3
    )
    states = states.select(torch.searchsorted(states.index, view.traces.index))
    expected = ErrorStates().fit(view).scores(failures)
    given = replace(view, states=states)
    torch.testing.assert_close(ErrorStates().fit(given).scores(failures), expected)
    monkeypatch.setattr(view.network, "steps", lambda *_: pytest.fail("the network ran"))
    ErrorStates().fit(given)


def test_nearness_is_that_of_last_states(case):
    view, failures = case
    ends = view.model.reduction(last_states(view, view.traces))
    of_failures = view.model.reduction(last_states(view, failures))
    found = StateSimilarity().fit(view).distances(failures)
    torch.testing.assert_close(found, torch.cdist(of_failures, ends), atol=1e-4, rtol=1e-3)


def test_last_states_that_are_kept_rank_as_those_that_are_computed_and_the_network_rests(
    case, monkeypatch
):
    view, failures = case
    every = [view.traces.index, failures.index]
    held = [
        ReducedStates.collect(view.network.steps([view.fetch(i)], view.model.reduction), 3)
        for i in every
    ]
    given = replace(view, ends=LastStates.of(held))
    assert given.ends.hold(torch.cat(every))
    assert not given.ends.hold(torch.cat([*every, 1 + torch.cat(every).max()[None]]))
    expected = StateSimilarity().fit(view).rank(failures, 5)
    monkeypatch.setattr(state_similarity, "QUERY_CHUNK", 2)
    monkeypatch.setattr(reduced_views, "AT_A_TIME", 7)
    for some in (view, given):
        found = StateSimilarity().fit(some).rank(failures, 5)
        torch.testing.assert_close(found.distance, expected.distance, atol=1e-4, rtol=1e-3)
        assert torch.equal(found.row, expected.row)
    monkeypatch.setattr(view.network, "steps", lambda *_: pytest.fail("the network ran"))
    StateSimilarity().fit(given).rank(failures, 5)


def test_inputs_are_compared_as_they_are(case):
    view, failures = case
    scorer = InputSimilarity().fit(view)
    here, there = view.fetch(failures.index).inputs, view.fetch(view.traces.index).inputs
    expected = torch.cdist(here.flatten(1), there.flatten(1))
    torch.testing.assert_close(scorer.distances(failures), expected, rtol=1e-3, atol=1e-3)
    rows = torch.tensor([4, 1])
    torch.testing.assert_close(
        scorer.distances(failures, rows), expected[:, rows], rtol=1e-3, atol=1e-3
    )


def test_segments_are_compared_step_by_step_from_the_end(case):
    view, failures = case
    distance = step_distance(view.model, "aligned")
    found = SegmentSimilarity().fit(view).distances(failures)
    segment = responsible_segment(failures, view.model.confidence)
    fit, padding = view.traces, distance.n_codes
    for m in range(len(failures)):
        for n in range(0, len(fit), 5):
            steps = []
            own = failures.code[failures.offsets[m] : failures.offsets[m + 1]]
            other = fit.code[fit.offsets[n] : fit.offsets[n + 1]]
            for t in range(*segment[m].tolist()):
                there = len(other) - (len(own) - t)
                code = int(other[there]) if there >= 0 else padding
                steps.append(float(distance.table[int(own[t]), code]))
            assert float(found[m, n]) == pytest.approx(sum(steps) / len(steps), abs=1e-5)
    whole_trace = TraceSimilarity().fit(view).distances(failures)
    assert not torch.allclose(found, whole_trace)


def test_chance_knows_no_order_and_repeats_itself(case):
    view, failures = case
    scores = RandomInfluence(seed=3).fit(view).scores(failures)
    assert torch.equal(RandomInfluence(seed=3).fit(view).scores(failures), scores)
    assert not torch.equal(RandomInfluence(seed=4).fit(view).scores(failures), scores)
    assert scores.abs().max() <= 1
    assert scores.mean().abs() < 0.1
    one = failures.select(torch.tensor([2]))
    assert torch.equal(RandomInfluence(seed=3).fit(view).scores(one)[0], scores[2])
    by_label = RandomInfluence(by_label=True).fit(view).scores(failures)
    towards = view.traces.label == failures.final_prediction[:, None]
    away = view.traces.label == failures.label[:, None]
    assert torch.equal(by_label > 0, towards)
    assert torch.equal(by_label < 0, away)
