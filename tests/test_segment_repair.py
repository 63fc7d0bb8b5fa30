"""Segment repair: equal budgets, one edit a copy, positions that are valid, right parents."""

from collections import Counter
from dataclasses import replace

import pytest
import torch

from rnnrepair.edits import IDENTITY
from rnnrepair.errors import ConfigurationError
from rnnrepair.influence import TraceIndex, responsible_step, step_distance
from rnnrepair.repair import (
    ContrastRepair,
    FailureRepair,
    InsertionRepair,
    RandomContextRepair,
    RandomSampleRepair,
    graft,
    grafted,
    marked,
)

INSERTING = [RandomSampleRepair, RandomContextRepair, InsertionRepair]
STRATEGIES = [*INSERTING, ContrastRepair, FailureRepair]


@pytest.fixture
def case(text_case):
    failures = text_case.failures
    assert len(failures) >= 8
    # All kinds of failures: both directions, and some whose first word is responsible.
    assert (
        len(set(zip(failures.label.tolist(), failures.final_prediction.tolist(), strict=True))) > 3
    )
    assert (responsible_step(failures) == 0).any()
    assert (responsible_step(failures) > 0).any()
    return text_case


def tokens(case, index):
    return case.data.fetch(torch.tensor([index])).sequences()[0]


def made(proposal):
    return [row[:n] for row, n in zip(proposal.inputs, proposal.lengths.tolist(), strict=True)]


@pytest.mark.parametrize("strategy", [RandomSampleRepair, ContrastRepair, FailureRepair])
@pytest.mark.parametrize("budget", [1, 3, 8])
def test_every_strategy_spends_the_same_budget(case, strategy, budget):
    proposal = strategy().propose(case.context, budget)
    assert Counter(proposal.failure.tolist()) == dict.fromkeys(range(len(case.failures)), budget)


@pytest.mark.parametrize("strategy", [RandomContextRepair, InsertionRepair])
@pytest.mark.parametrize("per_parent", [1, 2, 100])
def test_no_parent_is_edited_more_often_than_it_may(case, strategy, per_parent):
    """One sentence took 66 of 128 insertions before there was a limit."""
    contexts = {"insertion": "contexts", "random_context": "random_contexts"}[strategy.name]
    contexts = getattr(case.context.evidence, contexts)
    available = (contexts.sample >= 0).sum(1).tolist()
    proposal = strategy(per_parent).propose(case.context, 5)
    uses = Counter(proposal.parent.tolist())
    assert max(uses.values()) <= per_parent
    served = Counter(proposal.failure.tolist())
    assert all(served[row] <= min(5, n) for row, n in enumerate(available))
    if per_parent == 100:  # more than there are failures: nothing is in the way
        assert all(served[row] == min(5, n) for row, n in enumerate(available))
    # Every failure's samples come in the order of its contexts, each context once.
    for row in range(len(available)):
        order = contexts.sample[row].tolist()
        places = [order.index(p) for p in proposal.parent[proposal.failure == row].tolist()]
        assert places == sorted(set(places))


def test_first_samples_are_made_before_any_second_ones(case):
    proposal = InsertionRepair(1).propose(case.context, 5)
    turns = [Counter(proposal.failure[: i + 1].tolist()) for i in range(len(proposal))]
    firsts = [i for i, turn in enumerate(turns) if turn[int(proposal.failure[i])] == 1]
    assert firsts == list(range(len(firsts)))


@pytest.mark.parametrize("strategy", INSERTING)
def test_unknown_words_are_never_inserted(case, strategy):
    """Injected samples alone would say what an unknown word means: their label."""
    failures = case.failures
    responsible = failures.token[failures.offsets[:-1] + responsible_step(failures)]
    unknown = int(responsible[0])
    context = replace(case.context, unknown=unknown)
    served = strategy().serves(context)
    assert torch.equal(served, responsible != unknown)
    assert 0 < int(served.sum()) < len(failures)
    proposal = strategy().propose(context, 3)
    assert len(proposal)
    for i, child in enumerate(made(proposal)):
        first, _ = marked(proposal.edits[i])
        assert child[first] != unknown
    assert served[proposal.failure].all()


def test_samples_without_a_common_context_can_be_told(case):
    proposal = InsertionRepair().propose(case.context, 5)
    contexts = case.context.evidence.contexts
    for i in range(len(proposal)):
        row = int(proposal.failure[i])
        place = contexts.sample[row].tolist().index(int(proposal.parent[i]))
        assert proposal.context[i] == contexts.run[row, place]
    assert (proposal.context == 0).any()
    assert (proposal.context > 0).any()
    assert (RandomSampleRepair().propose(case.context, 2).context == -1).all()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_sample_is_rebuilt_from_parent_failure_and_edit(case, strategy):
    proposal = strategy().propose(case.context, 4)
    for i, child in enumerate(made(proposal)):
        parent = tokens(case, int(proposal.parent[i]))
        failure = tokens(case, int(case.failures.index[proposal.failure[i]]))
        assert torch.equal(child, grafted(parent, failure, proposal.edits[i]))
        label = case.data.fetch(proposal.parent[i : i + 1]).label
        assert proposal.label[i] == label[0]


@pytest.mark.parametrize("strategy", INSERTING)
def test_insertion_adds_the_responsible_token_and_nothing_else(case, strategy):
    proposal = strategy().propose(case.context, 4)
    step = responsible_step(case.failures)
    originals = set(case.data.indices("fit").tolist())
    for i, child in enumerate(made(proposal)):
        row = int(proposal.failure[i])
        failure = tokens(case, int(case.failures.index[row]))
        parent = tokens(case, int(proposal.parent[i]))
        first, end = marked(proposal.edits[i])
        assert end == first + 1
        assert child[first] == failure[step[row]]
        assert torch.equal(torch.cat([child[:first], child[end:]]), parent)
        assert int(proposal.parent[i]) in originals


@pytest.mark.parametrize("strategy", [RandomContextRepair, InsertionRepair])
def test_insertion_stands_where_the_parent_comes_to_the_failures_state(case, strategy):
    proposal = strategy().propose(case.context, 3)
    step = responsible_step(case.failures)
    row_of = {int(index): row for row, index in enumerate(case.fit.index)}
    for i, edit in enumerate(proposal.edits):
        m, at = int(proposal.failure[i]), int(edit.parameters["at"])
        assert proposal.label[i] == case.failures.label[m]
        if step[m] == 0:
            assert at == 0
            continue
        before = case.failures.code[case.failures.offsets[m] + step[m] - 1]
        own = case.fit.offsets[row_of[int(proposal.parent[i])]]
        assert case.fit.code[own + at - 1] == before


def test_random_samples_and_positions_reach_everything(case):
    proposal = RandomSampleRepair().propose(case.context, 60)
    assert set(proposal.label.tolist()) == {0, 1, 2}
    assert len(set(proposal.parent.tolist())) > 60
    lengths = proposal.lengths - 1  # of the parents
    at = torch.tensor([edit.parameters["at"] for edit in proposal.edits])
    assert (at == 0).any()
    assert (at == lengths).any()
    assert ((at > 0) & (at < lengths)).any()
    assert int((lengths - at).min()) == 0


@pytest.mark.parametrize("opponents", [0.0, 0.2, 0.5])
@pytest.mark.parametrize("budget", [1, 3, 5])
def test_contrast_mixes_failures_with_what_they_are_mistaken_for(case, opponents, budget):
    proposal = ContrastRepair(opponents).propose(case.context, budget)
    failures = case.failures
    right = set(case.fit.index[case.fit.correct].tolist())
    assert set(map(id, proposal.edits)) == {id(IDENTITY)}
    other = proposal.parent != failures.index[proposal.failure]
    for i in other.nonzero()[:, 0].tolist():
        assert proposal.label[i] == failures.final_prediction[proposal.failure[i]]
        assert int(proposal.parent[i]) in right
    # Failures that resemble nothing of the wrong label are copied instead.
    alone = (case.context.evidence.opponents.index < 0).all(1)
    possible = float((~alone[proposal.failure]).double().mean())
    assert float(other.double().mean()) == pytest.approx(opponents * possible, abs=0.1)
    # A round that leaves samples out leaves out as many of either kind.
    few = proposal.limited(len(proposal) // 2)
    kept = few.parent != failures.index[few.failure]
    assert float(kept.double().mean()) == pytest.approx(float(other.double().mean()), abs=0.15)


@pytest.mark.parametrize("opponents", [0.2, 0.5])
@pytest.mark.parametrize("leave_out", [0, 1])
def test_contrast_mixes_within_each_failure(case, opponents, leave_out):
    """Whatever the number of failures: an even one must not split them into two halves."""
    evidence = case.context.evidence
    known = (evidence.opponents.index >= 0).any(1).nonzero()[:, 0]
    some = known[: len(known) // 10 * 10 - leave_out]
    assert len(some) > 8
    few = replace(
        evidence,
        failures=evidence.failures.select(some),
        opponents=replace(evidence.opponents, index=evidence.opponents.index[some]),
    )
    proposal = ContrastRepair(opponents).propose(replace(case.context, evidence=few), 10)
    other = proposal.parent != few.failures.index[proposal.failure]
    counts = [int(other[proposal.failure == row].sum()) for row in range(len(some))]
    assert counts == [10 * opponents] * len(some)
    # And within the first sample of all of them, as far as whole numbers can.
    first = torch.arange(len(some)) * 10
    assert abs(float(other[first].sum()) - opponents * len(some)) < 2


def test_contrast_falls_back_to_the_failure_where_nothing_resembles_it(case):
    nobody = torch.full_like(case.context.evidence.opponents.index, -1)
    opponents = replace(case.context.evidence.opponents, index=nobody)
    evidence = replace(case.context.evidence, opponents=opponents)
    context = replace(case.context, evidence=evidence)
    proposal = ContrastRepair().propose(context, 4)
    assert torch.equal(proposal.parent, case.failures.index[proposal.failure])


@pytest.mark.parametrize("strategy", [ContrastRepair, InsertionRepair, RandomContextRepair])
def test_what_was_not_looked_for_is_named(case, strategy):
    plain = replace(case.context.evidence, contexts=None, random_contexts=None, opponents=None)
    with pytest.raises(ConfigurationError, match="find_evidence"):
        strategy().propose(replace(case.context, evidence=plain), 2)


@pytest.mark.parametrize("strategy", [RandomSampleRepair, RandomContextRepair])
def test_proposal_depends_on_the_seed_alone(case, strategy):
    first = strategy().propose(case.context, 3)
    torch.rand(5)
    second = strategy().propose(case.context, 3)
    assert torch.equal(first.inputs, second.inputs)
    assert first.edits == second.edits


def test_contrast_score_is_the_difference_of_two_mean_distances(case):
    influence, fit = case.context.evidence, case.fit
    index = TraceIndex(fit, step_distance(case.abstract, "aligned"), n_steps=9)
    distance = index.distances(case.failures)
    for m in range(len(case.failures)):
        nearest = [
            distance[fit.correct & (fit.label == label), m].sort().values[:5].mean()
            for label in (case.failures.label[m], case.failures.final_prediction[m])
        ]
        assert influence.contrast[m] == pytest.approx(float(nearest[0] - nearest[1]), abs=1e-6)


def test_grafts():
    parent, failure = torch.arange(10, 15), torch.arange(5)
    assert grafted(parent, failure, graft(2, 1, 3, 2)).tolist() == [10, 11, 1, 2, 12, 13, 14]
    assert grafted(parent, failure, graft(0, 0, 5, 0)).tolist() == [
        0,
        1,
        2,
        3,
        4,
        10,
        11,
        12,
        13,
        14,
    ]
    assert grafted(parent, failure, graft(2, 3, 5, 5)).tolist() == [10, 11, 3, 4]
    assert torch.equal(grafted(parent, failure, IDENTITY), parent)
    assert marked(graft(2, 1, 3, 2)) == (2, 4)
    assert marked(IDENTITY) == (0, 0)
