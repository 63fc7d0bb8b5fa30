"""Influence by inverse curvature: dense matrices, and what leaving a sample out really does."""

import logging

import pytest
import torch
from torch.autograd.functional import hessian
from torch.nn.functional import cross_entropy

from rnnrepair.errors import ConfigurationError, SettingsError
from rnnrepair.influence import CurvatureKind, KohLiang, LossGradients, koh_liang
from rnnrepair.influence.gradients import Curvature
from rnnrepair.influence.gradients.conjugate_gradient import conjugate_gradient
from tests.gradient_parts import (
    N_CLASSES,
    N_UNITS,
    exact_batch,
    exact_parts,
    exact_view,
    torchs_logits,
    weights_of,
)

EXACT = {"tolerance": 1e-10, "max_iterations": 500}


def dense_system(parts, batch, damping):
    """The damped Hessian of the mean loss, and the gradients of all losses."""
    layout = Curvature(parts).layout

    def mean_loss(at):
        return cross_entropy(torchs_logits(parts, at, layout, batch), batch.label)

    matrix = hessian(mean_loss, weights_of(parts, layout), vectorize=True)
    gradients = layout.flat(LossGradients(parts).gradients(batch))
    return matrix + damping * torch.eye(len(matrix), dtype=matrix.dtype), gradients


def test_scores_are_those_of_the_dense_hessian(make_traces, make_model, monkeypatch):
    monkeypatch.setattr(koh_liang, "SOLVED_TOGETHER", 2)
    parts, batch = exact_parts("lstm"), exact_batch(10)
    matrix, gradients = dense_system(parts, batch, damping=2.0)
    assert float(torch.linalg.eigvalsh(matrix)[0]) > 0
    effects = gradients @ torch.linalg.solve(matrix, gradients.T) / len(batch)
    view = exact_view(parts, batch, make_traces, make_model)
    method = KohLiang("hessian", damping=2.0, own_directions=len(matrix), **EXACT)
    scorer, rows = method.fit(view), torch.tensor([4, 0, 7])
    queries = view.traces.select(rows)
    scores = scorer.scores(queries)
    torch.testing.assert_close(scores, -effects[rows].float())
    assert scorer.residual < 1e-9
    torch.testing.assert_close(scorer.scores(queries, torch.tensor([9, 1])), scores[:, [9, 1]])
    torch.testing.assert_close(scorer.group_scores(queries), scores.mean(0))
    torch.testing.assert_close(scorer.own(), effects.diagonal().float(), rtol=1e-4, atol=1e-6)
    ranking = scorer.rank(queries, 3)
    torch.testing.assert_close(-ranking.distance, scores.abs().topk(3, 1).values)


def readout_losses(at, states, label):
    """Losses of a linear readout, all of whose numbers stand in one vector."""
    weight, bias = at[: N_CLASSES * N_UNITS].view(N_CLASSES, N_UNITS), at[N_CLASSES * N_UNITS :]
    return cross_entropy(states @ weight.T + bias, label, reduction="none")


def fitted(at, states, label, damping, weight):
    """The readout that minimises weighted losses / n + damping / 2 |w|^2, by Newton's method."""

    def objective(at):
        losses = readout_losses(at, states, label)
        return (weight * losses).sum() / len(label) + damping / 2 * at.square().sum()

    for _ in range(6):
        gradient = torch.func.grad(objective)(at)
        at = at - torch.linalg.solve(torch.func.hessian(objective)(at), gradient)
    assert float(torch.func.grad(objective)(at).norm()) < 1e-10
    return at


def test_scores_are_what_leaving_a_sample_out_does(make_traces, make_model):
    """A linear readout of a recurrence that is not trained: convex, with one minimum."""
    damping, n = 0.02, 40
    parts, batch = exact_parts("gru"), exact_batch(n)
    parts.rnn.requires_grad_(False)
    hidden, _ = parts.rnn(batch.inputs)
    states = hidden[torch.arange(n), batch.lengths - 1].detach()
    everyone = torch.ones(n)
    start = torch.zeros(N_CLASSES * (N_UNITS + 1), dtype=torch.double)
    at = fitted(start, states, batch.label, damping, everyone)
    with torch.no_grad():
        parts.head.weight.copy_(at[:-N_CLASSES].view(N_CLASSES, N_UNITS))
        parts.head.bias.copy_(at[-N_CLASSES:])
    queries = torch.tensor([3, 11, 20])
    before = readout_losses(at, states, batch.label)[queries]

    def losses_with(j, weight):
        weights = everyone.clone()
        weights[j] = weight
        other = fitted(at, states, batch.label, damping, weights)
        return readout_losses(other, states, batch.label)[queries]

    removed = torch.stack([losses_with(j, 0.0) - before for j in range(n)], 1)
    slope = [(losses_with(j, 0.999) - losses_with(j, 1.001)) / 0.002 for j in range(n)]
    view = exact_view(parts, batch, make_traces, make_model)
    for curvature in CurvatureKind:
        scorer = KohLiang(curvature, damping=damping, **EXACT).fit(view)
        having = scorer.scores(view.traces.select(queries)).double()
        torch.testing.assert_close(-having, torch.stack(slope, 1), rtol=1e-4, atol=1e-6)
        for expected, found in zip(removed, -having, strict=True):
            assert float(torch.corrcoef(torch.stack([expected, found]))[0, 1]) > 0.99


def test_a_subset_for_the_curvature_is_drawn_once_and_told(make_traces, make_model, caplog):
    parts, batch = exact_parts("rnn"), exact_batch(12)
    view = exact_view(parts, batch, make_traces, make_model)
    with caplog.at_level(logging.INFO):
        few, same = (KohLiang(samples=5, seed=3, **EXACT).fit(view) for _ in range(2))
    assert "5 of 12" in caplog.text
    queries = view.traces.select(torch.tensor([2]))
    assert torch.equal(few.scores(queries), same.scores(queries))
    every = KohLiang(**EXACT).fit(view).scores(queries)
    assert not torch.allclose(few.scores(queries), every)
    assert torch.equal(KohLiang(samples=12, **EXACT).fit(view).scores(queries), every)


def test_what_has_not_converged_is_told(make_traces, make_model, caplog):
    parts = exact_parts()
    view = exact_view(parts, exact_batch(12), make_traces, make_model)
    scorer = KohLiang(damping=1e-4, tolerance=1e-6, max_iterations=2).fit(view)
    scorer.group_scores(view.traces)
    assert scorer.residual > 1e-6
    assert "max_iterations" in caplog.text


def test_a_curvature_that_is_not_positive_is_refused(make_traces, make_model):
    parts = exact_parts()
    with torch.no_grad():
        parts.head.weight.mul_(20)
    view = exact_view(parts, exact_batch(6), make_traces, make_model)
    scorer = KohLiang("hessian", damping=1e-6, **EXACT).fit(view)
    for ask in (lambda: scorer.scores(view.traces), scorer.own):
        with pytest.raises(ConfigurationError, match="damping"):
            ask()


@pytest.mark.parametrize("wrong", [{"damping": 0.0}, {"curvature": "fisher"}, {"tolerance": 1.0}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        KohLiang(**wrong)


def test_conjugate_gradient_solves_each_system_by_itself():
    """Of right-hand sides that need one, many and no products."""
    g = torch.Generator().manual_seed(0)
    root = torch.randn(9, 9, generator=g, dtype=torch.double)
    matrix = root @ root.T + torch.eye(9, dtype=torch.double)
    eigenvector = torch.linalg.eigh(matrix).eigenvectors[:, 2]
    right = torch.stack(
        [eigenvector, torch.randn(9, generator=g).double(), torch.zeros(9).double()]
    )
    asked = []

    def product(directions):
        asked.append(len(directions))
        return directions @ matrix

    solved = conjugate_gradient(product, right, 1e-12, 100)
    torch.testing.assert_close(solved.solution, torch.linalg.solve(matrix, right.T).T)
    assert float(solved.residual.max()) < 1e-10
    assert asked[:2] == [2, 1]
    assert solved.iterations <= 12
    few = conjugate_gradient(product, right, 1e-12, 2)
    expected = (right[1] - few.solution[1] @ matrix).norm() / right[1].norm()
    torch.testing.assert_close(few.residual[1], expected)
