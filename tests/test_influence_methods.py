"""Influence methods that need more than states: the tokens of a sequence, or gradients."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from rnnrepair.errors import ConfigurationError
from rnnrepair.influence import LossGradients, Parts, Role, SegmentContext, TracIn, find_evidence
from rnnrepair.models import SequenceClassifier
from rnnrepair.network import TracedNetwork, verified
from tests.conftest import trained, view_of


def test_segment_scores_the_run_that_both_share_up_to_the_responsible_step(text_case):
    fit, failures = text_case.fit, text_case.failures
    scorer = SegmentContext().fit(view_of(text_case.abstract, fit))
    contexts = text_case.context.evidence.contexts
    distance = scorer.distances(failures)
    row_of = {int(index): row for row, index in enumerate(fit.index)}
    checked = 0
    for m in range(len(failures)):
        for sample, run in zip(contexts.sample[m].tolist(), contexts.run[m].tolist(), strict=True):
            if sample >= 0:
                assert float(distance[m, row_of[sample]]) == pytest.approx(1 / (1 + run))
                checked += 1
        # A sample that never visits the state has nothing to say.
        step = int(text_case.context.evidence.step[m])
        if step:
            one = failures.select(torch.tensor([m]))
            reached = int(one.code[step - 1])
            codes = fit.code.split(fit.lengths.tolist())
            visits = torch.tensor([reached in own.tolist() for own in codes])
            assert torch.equal(distance[m].isfinite(), visits)
    assert checked > 20
    ranking = scorer.rank(failures, len(fit))
    assert torch.equal((ranking.row >= 0).sum(1), distance.isfinite().sum(1))
    found = distance.gather(1, ranking.row.clamp_min(0))[ranking.row >= 0]
    assert torch.equal(found, ranking.distance[ranking.row >= 0])
    scores = scorer.scores(failures)
    assert (scores[distance.isinf()] == 0).all()


@pytest.mark.parametrize("role", [Role.CONTEXTS, Role.RANDOM_CONTEXTS])
def test_contexts_that_nobody_asked_for_are_none(text_case, role):
    view = view_of(text_case.abstract, text_case.fit)
    scorer = SegmentContext().fit(view)
    evidence = find_evidence(scorer, view, text_case.failures, {role}, 5)
    (other,) = {Role.CONTEXTS, Role.RANDOM_CONTEXTS} - {role}
    assert getattr(evidence, other) is None
    whole = getattr(text_case.context.evidence, role)
    assert torch.equal(getattr(evidence, role).sample, whole.sample)


@pytest.fixture
def lstm_case(make_data):
    """A single-layer LSTM, its data, and the traces that nobody reads."""
    data = make_data()
    network = trained(SequenceClassifier(4, 3, hidden_size=6, cell="lstm"), data)
    network.eval()
    return data, network, verified(network, data)


def view_of_data(lstm_case, make_traces, make_model):
    data, _, traced = lstm_case
    index = data.indices("fit")
    batch = data.fetch(index)
    fit = make_traces(batch.lengths.tolist())
    fit = replace(fit, index=index, label=batch.label)
    return replace(view_of(make_model(), fit), network=traced, fetch=data.fetch)


def queries_of(data, make_traces):
    index = data.indices("val")[:4]
    batch = data.fetch(index)
    return replace(make_traces(batch.lengths.tolist(), seed=2), index=index, label=batch.label)


def test_tracin_scores_are_what_a_step_on_the_sample_does_to_the_loss(
    lstm_case, make_traces, make_model
):
    data, network, traced = lstm_case
    method = TracIn()
    method.check(traced, data.fetch(data.indices("fit")[:20]))
    view = view_of_data(lstm_case, make_traces, make_model)
    queries = queries_of(data, make_traces)
    scorer = method.fit(view)
    scores = scorer.scores(queries)
    gradients = LossGradients(Parts.of(network))
    fit, query = (
        torch.cat([g.flatten(1) for g in gradients.gradients(data.fetch(index)).values()], 1)
        for index in (view.traces.index, queries.index)
    )
    torch.testing.assert_close(scores, -(query @ fit.T), rtol=1e-3, atol=1e-5)
    rows = torch.tensor([7, 0, 30])
    torch.testing.assert_close(scorer.scores(queries, rows), scores[:, rows])
    torch.testing.assert_close(scorer.own(), fit.square().sum(1), rtol=1e-3, atol=1e-5)
    allowed = torch.arange(len(view)) % 3 == 0
    ranking = scorer.rank(queries, 5, allowed)
    strength = torch.where(allowed, scores.abs(), -1)
    expected = strength.topk(5, 1)
    torch.testing.assert_close(-ranking.distance, expected.values)
    assert allowed[ranking.row].all()
    evidence = find_evidence(scorer, view, queries, {Role.NEAREST, Role.OPPONENTS}, 5)
    assert evidence.nearest.index.shape == (4, 5)


class Squared(nn.Module):
    """The layers that TracIn knows, and something else between them."""

    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(4, 6, batch_first=True)
        self.head = nn.Linear(6, 3)

    def forward(self, inputs, lengths):
        hidden, _ = self.rnn(inputs)
        return self.head(hidden[torch.arange(len(inputs)), lengths - 1].square())


class BothWays(nn.Module):
    """Reads in both directions."""

    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(4, 6, batch_first=True, bidirectional=True)
        self.head = nn.Linear(12, 3)

    def forward(self, inputs, lengths):
        hidden, _ = self.rnn(inputs)
        return self.head(hidden[torch.arange(len(inputs)), lengths - 1])


@pytest.mark.parametrize(
    ("network", "told"),
    [
        (BothWays, "one direction"),
        (Squared, "something else"),
    ],
)
def test_tracin_refuses_other_networks_before_training(make_data, network, told):
    data = make_data()
    batch = data.fetch(data.indices("fit"))
    torch.manual_seed(0)
    traced = TracedNetwork.of(network(), data.spec)
    traced.verify(batch)
    with pytest.raises(ConfigurationError, match=told):
        TracIn().check(traced, batch.rows(slice(20)))
