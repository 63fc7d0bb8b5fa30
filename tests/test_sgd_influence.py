"""Influence through a whole training: what training again without a sample really leads to."""

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import cross_entropy

from rnnrepair.errors import ConfigurationError, IncompatibleCheckpointError
from rnnrepair.influence import LossGradients, SGDInfluence, Step, Trajectory, sgd_influence
from rnnrepair.influence.gradients import Curvature
from tests.gradient_parts import exact_batch, exact_parts, exact_view, torchs_logits, weights_of

N, EPOCHS = 14, 3
# The last batch of an epoch is smaller, and two epochs have another rate.
BATCHES, RATES = [5, 5, 4], [0.5, 0.3, 0.3]


def trained(parts, layout, batch, orders, weight):
    """Train by plain SGD with torch's own layers; weighted losses, divided by the batch's size.

    Returns:
        The weights before each step and at the end, and the rows and rates of the steps.
    """
    at, course, steps = weights_of(parts, layout), [], []
    for order, rate in zip(orders, RATES, strict=True):
        for rows in order.split(BATCHES):
            some = batch.rows(rows)

            def loss(at, some=some, rows=rows):
                losses = cross_entropy(
                    torchs_logits(parts, at, layout, some), some.label, reduction="none"
                )
                return (weight[rows] * losses).sum() / len(rows)

            leaf = at.clone().requires_grad_()
            (gradient,) = torch.autograd.grad(loss(leaf), leaf)
            course.append(at)
            steps.append((rows, rate))
            at = at - rate * gradient
    return [*course, at], steps


@pytest.fixture(params=["lstm", "gru"])
def case(request, make_traces, make_model):
    parts, batch = exact_parts(request.param), exact_batch(N)
    layout = Curvature(parts).layout
    g = torch.Generator().manual_seed(4)
    orders = [torch.randperm(N, generator=g) for _ in range(EPOCHS)]
    start = weights_of(parts, layout)
    course, steps = trained(parts, layout, batch, orders, torch.ones(N))
    view = exact_view(parts, batch, make_traces, make_model)
    with torch.no_grad():
        for name, weight in layout.named(course[-1]).items():
            parts.parameters()[name].copy_(weight)
    index = view.traces.index
    kept = [Step(w, index[rows], rate) for w, (rows, rate) in zip(course, steps, strict=False)]
    view = replace(view, trajectory=Trajectory(kept, course[-1]))

    def losses_with(j, weight, queries):
        with torch.no_grad():
            for name, value in layout.named(start).items():
                parts.parameters()[name].copy_(value)
        weights = torch.ones(N, dtype=torch.double)
        weights[j] = weight
        end = trained(parts, layout, batch, orders, weights)[0][-1]
        logits = torchs_logits(parts, end, layout, batch.rows(queries))
        return cross_entropy(logits, batch.label[queries], reduction="none").detach()

    return parts, layout, batch, view, losses_with


def test_scores_are_what_training_without_the_sample_leads_to(case, monkeypatch):
    monkeypatch.setattr(sgd_influence, "WALKED_TOGETHER", 1)
    _, _, _, view, losses_with = case
    queries = torch.tensor([2, 9])
    scorer = SGDInfluence().fit(view)
    having = scorer.scores(view.traces.select(queries)).double()
    group = scorer.group_scores(view.traces.select(queries))
    torch.testing.assert_close(group, having.mean(0).float())
    slope = [
        (losses_with(j, 0.999, queries) - losses_with(j, 1.001, queries)) / 0.002 for j in range(N)
    ]
    torch.testing.assert_close(-having, torch.stack(slope, 1), rtol=1e-4, atol=1e-6)
    before = losses_with(0, 1.0, queries)
    removed = torch.stack([losses_with(j, 0.0, queries) - before for j in range(N)], 1)
    for expected, found in zip(removed, -having, strict=True):
        assert float(torch.corrcoef(torch.stack([expected, found]))[0, 1]) > 0.95


def test_a_walk_of_several_queries_is_that_of_each(case):
    _, _, _, view, _ = case
    queries = view.traces.select(torch.tensor([2, 9, 4]))
    scorer = SGDInfluence().fit(view)
    together = scorer.scores(queries)
    alone = [scorer.scores(queries.select(torch.tensor([m]))) for m in range(3)]
    torch.testing.assert_close(together, torch.cat(alone))
    rows = torch.tensor([7, 0])
    torch.testing.assert_close(scorer.scores(queries, rows), together[:, rows])
    ranking = scorer.rank(queries, 3)
    torch.testing.assert_close(-ranking.distance, together.abs().topk(3, 1).values)


def test_samples_that_are_gone_have_no_score_and_shift_no_others(case):
    """Of a sample that was trained on and removed since, nothing is asked."""
    _, _, _, view, _ = case
    scores = SGDInfluence().fit(view).scores(view.traces.select(torch.tensor([1])))
    kept = view.traces.index.argsort()[:-1]  # without the highest index
    few = replace(view, traces=view.traces.select(kept))
    found = SGDInfluence().fit(few).scores(view.traces.select(torch.tensor([1])))
    torch.testing.assert_close(found, scores[:, kept])


def test_own_adds_up_squared_norms_at_every_step(case):
    parts, layout, batch, view, _ = case
    expected = torch.zeros(N, dtype=torch.double)
    row_of = {int(index): row for row, index in enumerate(view.traces.index)}
    for step in view.trajectory.steps:
        rows = torch.tensor([row_of[int(index)] for index in step.index])
        gradients = LossGradients(parts, layout.named(step.weights)).gradients(batch.rows(rows))
        norms = layout.flat(gradients).square().sum(1)
        expected[rows] += step.rate / len(rows) * norms
    torch.testing.assert_close(SGDInfluence().fit(view).own(), expected.float())


def test_a_trajectory_must_be_there_and_end_at_the_network(case):
    parts, _, _, view, _ = case
    with pytest.raises(ConfigurationError, match="TrajectoryRecorder"):
        SGDInfluence().fit(replace(view, trajectory=None))
    with torch.no_grad():
        parts.head.bias.add_(1e-3)
    with pytest.raises(ConfigurationError, match="does not end"):
        SGDInfluence().fit(view)


def test_a_trajectory_is_kept_on_disk(case, tmp_path):
    trajectory = case[3].trajectory
    path = tmp_path / "t.safetensors"
    trajectory.save(path)
    found = Trajectory.load(path)
    assert torch.equal(found.final, trajectory.final)
    for one, other in zip(found.steps, trajectory.steps, strict=True):
        assert torch.equal(one.weights, other.weights)
        assert torch.equal(one.index, other.index)
        assert one.rate == other.rate
    (tmp_path / "other").write_bytes(b"nothing")
    for wrong in ("other", "none"):
        with pytest.raises(IncompatibleCheckpointError, match="trajectory"):
            Trajectory.load(tmp_path / wrong)
