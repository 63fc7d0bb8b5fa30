"""Strategies on a real network: equal budget, right parents, guided finds what it promises."""

from collections import Counter
from dataclasses import replace

import pytest
import torch

from rnnrepair.edits import EditBatch
from rnnrepair.errors import ConfigurationError
from rnnrepair.influence import paired_distance
from rnnrepair.repair import (
    ClassRepair,
    FailureRepair,
    FitFailureRepair,
    GuidedRepair,
    HardRepair,
    InfluenceRepair,
    MutatedFailureRepair,
    NoRepair,
    Proposal,
    RandomRepair,
    TrainOnAll,
    guided,
)
from rnnrepair.sequences import SequenceBatch

ACTIVE = [
    RandomRepair,
    ClassRepair,
    HardRepair,
    InfluenceRepair,
    GuidedRepair,
    FailureRepair,
    FitFailureRepair,
    MutatedFailureRepair,
]
# More samples than candidates that reproduce the fault, for some failures.
MANY = 30
FIELDS = ("inputs", "lengths", "label", "parent", "failure", "reproduces")


def assert_same(left, right):
    for name in FIELDS:
        assert torch.equal(getattr(left, name), getattr(right, name)), name
    assert left.edits == right.edits


@pytest.mark.parametrize("strategy", ACTIVE)
@pytest.mark.parametrize("budget", [1, 3, 8])
def test_strategy_spends_the_same_budget_as_any_other(repair_case, strategy, budget):
    proposal = strategy().propose(repair_case.context, budget)
    served = Counter(proposal.failure.tolist())
    with_sources = (repair_case.context.evidence.parents.index >= 0).any(1)
    assert with_sources.all()
    assert served == dict.fromkeys(range(len(repair_case.failures)), budget)


@pytest.mark.parametrize("strategy", ACTIVE)
def test_sample_is_its_parent_with_its_edit_when_rebuilt(repair_case, strategy):
    proposal = strategy().propose(repair_case.context, 3)
    assert len(proposal) == len(proposal.edits) == len(proposal.reproduces)
    for i, edit in enumerate(proposal.edits):
        parent = repair_case.data.fetch(proposal.parent[i : i + 1])
        if edit.name != "copy":
            one = EditBatch.of([edit])
            parent.inputs = repair_case.context.edits.apply(parent.inputs, one, parent.lengths)
        n = int(parent.lengths)  # what stands behind the end does not count
        assert torch.equal(proposal.inputs[i, :n], parent.inputs[0, :n])
        assert proposal.label[i] == parent.label[0]
        assert proposal.lengths[i] == parent.lengths[0]


@pytest.mark.parametrize("strategy", ACTIVE)
def test_proposal_depends_on_the_seed_of_the_round_alone(repair_case, strategy):
    context = repair_case.context
    first = strategy().propose(context, 2)
    state = torch.get_rng_state()
    torch.rand(5)
    assert_same(strategy().propose(context, 2), first)
    torch.set_rng_state(state)
    other = strategy().propose(replace(context, seed=context.seed + 1), 2)
    assert torch.equal(other.inputs, first.inputs) == (strategy is FailureRepair)


@pytest.mark.parametrize("strategy", [NoRepair, TrainOnAll])
def test_what_repairs_nothing_proposes_nothing(repair_case, strategy):
    proposal = strategy().propose(repair_case.context, 5)
    assert not strategy.injects
    assert len(proposal) == 0
    assert proposal.inputs.shape[::2] == (0, 4)


def test_random_takes_any_training_sample_whatever_failed(repair_case):
    proposal = RandomRepair().propose(repair_case.context, 60)
    fit = set(repair_case.data.indices("fit").tolist())
    assert set(proposal.parent.tolist()) == fit


def test_influence_takes_the_sources_in_turn_when_the_budget_is_larger(repair_case):
    sources = repair_case.context.evidence.parents.index.clone()
    sources[0, 2:] = -1
    sources[1] = -1
    proposal = InfluenceRepair().propose(repair_case.with_parents(sources), 7)
    a, b = sources[0, :2].tolist()
    assert proposal.parent[proposal.failure == 0].tolist() == [a, b, a, b, a, b, a]
    assert not (proposal.failure == 1).any()
    last = proposal.failure == 2
    assert proposal.parent[last].tolist() == [*sources[2].tolist(), *sources[2, :2].tolist()]
    assert len({str(edit) for edit in proposal.edits}) == len(proposal)


def test_failures_are_copied_when_they_are_injected_themselves(repair_case):
    proposal = FailureRepair().propose(repair_case.context, 2)
    index = repair_case.failures.index
    assert proposal.parent.tolist() == index.repeat_interleave(2).tolist()
    assert torch.equal(proposal.inputs, repair_case.data.fetch(proposal.parent).inputs)


@pytest.mark.parametrize("strategy", [InfluenceRepair, GuidedRepair])
def test_proposal_is_empty_when_no_failure_has_a_source(repair_case, strategy):
    """A network that predicts one class is right on no sample of any failing class."""
    none = torch.full_like(repair_case.context.evidence.parents.index, -1)
    proposal = strategy().propose(repair_case.with_parents(none), 3)
    assert len(proposal) == 0
    assert proposal.inputs.shape[::2] == (0, 4)


def candidates_of(proposal):
    """The samples of a proposal as the network is shown them."""
    return SequenceBatch(proposal.parent, proposal.inputs, proposal.lengths, proposal.label)


def test_guided_says_truly_what_reproduces_the_fault(repair_case):
    proposal = GuidedRepair().propose(repair_case.context, MANY)
    traces = repair_case.context.judge(candidates_of(proposal))
    wrong = repair_case.failures.final_prediction[proposal.failure]
    assert torch.equal(traces.final_prediction == wrong, proposal.reproduces)
    assert proposal.reproduces.any()
    assert not proposal.reproduces.all()
    assert torch.equal(proposal.label, repair_case.failures.label[proposal.failure])


def test_guided_puts_reproduction_first_and_then_the_nearest(repair_case):
    proposal = GuidedRepair().propose(repair_case.context, MANY)
    distance = distance_to_failure(repair_case, proposal)
    for failure in range(len(repair_case.failures)):
        rows = (proposal.failure == failure).nonzero()[:, 0]
        keys = [(not proposal.reproduces[r], float(distance[r])) for r in rows]
        assert keys == sorted(keys)


def distance_to_failure(case, proposal):
    traces = case.context.judge(candidates_of(proposal))
    return paired_distance(case.context.distance, traces, case.failures.select(proposal.failure))


def test_guided_selects_nearer_samples_than_unselected_edits_are(repair_case):
    selected, unselected = (
        distance_to_failure(repair_case, s().propose(repair_case.context, 4)).mean()
        for s in (GuidedRepair, InfluenceRepair)
    )
    assert selected < unselected


@pytest.mark.parametrize("at_a_time", [None, 1])
def test_guided_never_proposes_the_same_sample_twice(repair_case, monkeypatch, at_a_time):
    if at_a_time:
        monkeypatch.setattr(guided, "JUDGED_AT_A_TIME", at_a_time)
    proposal = GuidedRepair().propose(repair_case.context, 10)
    samples = {x.numpy().tobytes() for x in proposal.inputs}
    assert len(samples) == len(proposal) == 10 * len(repair_case.failures)
    parents = Counter(proposal.parent.tolist())
    assert max(parents.values()) > 10  # failures do share their sources


def test_guided_uses_right_samples_of_the_true_label_as_parents(repair_case):
    proposal = GuidedRepair().propose(repair_case.context, 5)
    right = set(repair_case.fit.index[repair_case.fit.correct].tolist())
    assert set(proposal.parent.tolist()) <= right
    for parent, failure in zip(proposal.parent, proposal.failure, strict=True):
        assert parent in repair_case.context.evidence.parents.index[failure]


def test_guided_serves_the_others_when_some_failures_have_no_source(repair_case):
    sources = repair_case.context.evidence.parents.index.clone()
    sources[::2] = -1
    proposal = GuidedRepair().propose(repair_case.with_parents(sources), 3)
    served = Counter(proposal.failure.tolist())
    assert served == dict.fromkeys(range(1, len(sources), 2), 3)


def test_guided_refuses_a_budget_that_no_candidates_could_fill():
    strategy = GuidedRepair()
    strategy.check(1)
    with pytest.raises(ConfigurationError, match=r"GuidedRepair\.budget: 1000000000 samples"):
        strategy.check(10**9)


@pytest.mark.parametrize("budget", [1, 3, 100])
@pytest.mark.parametrize("seed", range(4))
def test_choose_takes_the_best_of_each_owner(budget, seed):
    g = torch.Generator().manual_seed(seed)
    owner = torch.randint(6, (200,), generator=g).sort().values
    near = torch.randint(4, (200,), generator=g)
    reproduces = torch.rand(200, generator=g) < 0.3
    expected = []
    for who in range(6):
        rows = [row for row in range(200) if owner[row] == who]
        expected += sorted(rows, key=lambda r: (not reproduces[r], int(near[r]), r))[:budget]
    assert guided.choose(owner, reproduces, near.float() / 4, budget).tolist() == expected


def test_parents_are_of_the_failures_class_where_the_strategy_says_so(repair_case):
    for strategy in (ClassRepair(), HardRepair(parents=7)):
        proposal = strategy.propose(repair_case.context, 6)
        assert torch.equal(proposal.label, repair_case.failures.label[proposal.failure])
    # Any original of the class, right or wrong, near or far.
    proposal = ClassRepair().propose(repair_case.context, 200)
    fit = repair_case.fit
    for label in repair_case.failures.label.unique():
        found = set(proposal.parent[proposal.label == label].tolist())
        assert found == set(fit.index[fit.label == label].tolist())


def test_hard_judges_as_guided_does(repair_case):
    proposal = HardRepair().propose(repair_case.context, 5)
    traces = repair_case.context.judge(candidates_of(proposal))
    wrong = repair_case.failures.final_prediction[proposal.failure]
    assert torch.equal(traces.final_prediction == wrong, proposal.reproduces)
    assert proposal.judged == 20 * 16 * len(repair_case.failures)
    right = set(repair_case.fit.index[repair_case.fit.correct].tolist())
    assert set(HardRepair().propose(repair_case.context, 200).parent.tolist()) <= right
    share = ClassRepair().propose(repair_case.context, 5)
    traces = repair_case.context.judge(candidates_of(share))
    wrong = repair_case.failures.final_prediction[share.failure]
    unselected = (traces.final_prediction == wrong).double().mean()
    assert proposal.reproduces.double().mean() > unselected


def test_hard_takes_any_sample_of_a_class_that_is_never_right(repair_case):
    context, label = repair_case.context, repair_case.context.original_label
    never = int(repair_case.failures.label[0])
    wrong = replace(context, original_correct=context.original_correct & (label != never))
    proposal = HardRepair(parents=200).propose(wrong, 200)
    found = set(proposal.parent[proposal.label == never].tolist())
    assert found <= set(context.originals[label == never].tolist())
    assert not found <= set(context.originals[context.original_correct].tolist())
    others = set(proposal.parent[proposal.label != never].tolist())
    assert others <= set(context.originals[context.original_correct].tolist())


def test_a_class_without_originals_gets_no_samples(repair_case):
    label = repair_case.failures.label
    gone = int(label[0])
    kept = repair_case.context.original_label != gone
    context = replace(
        repair_case.context,
        originals=repair_case.context.originals[kept],
        original_label=repair_case.context.original_label[kept],
        original_correct=repair_case.context.original_correct[kept],
    )
    for strategy in (ClassRepair(), HardRepair()):
        served = strategy.propose(context, 2).failure.unique()
        assert torch.equal(served, (label != gone).nonzero()[:, 0])


def test_fit_failures_are_wrong_training_samples_that_come_once_before_any_comes_again(repair_case):
    context = repair_case.context
    wrong = context.originals[~context.original_correct]
    proposal = FitFailureRepair().propose(context, 6)
    assert len(proposal) == 6 * len(repair_case.failures)
    counts = (proposal.parent[:, None] == wrong).sum(0)
    assert counts.sum() == len(proposal)
    assert counts.max() - counts.min() <= 1
    assert (proposal.failure.bincount() == 6).all()
    right = replace(context, original_correct=torch.ones_like(context.original_correct))
    assert len(FitFailureRepair().propose(right, 6)) == 0


def test_mutated_failures_are_the_failures_with_edits_of_their_own(repair_case):
    proposal = MutatedFailureRepair().propose(repair_case.context, 3)
    index = repair_case.failures.index
    assert proposal.parent.tolist() == index.repeat_interleave(3).tolist()
    assert len({str(edit) for edit in proposal.edits}) == len(proposal)
    assert not torch.equal(proposal.inputs, repair_case.data.fetch(proposal.parent).inputs)


def proposal_for(failure):
    n = len(failure)
    rows = torch.arange(n)
    return Proposal(
        rows[:, None, None].float(),
        rows + 1,
        rows,
        rows,
        torch.tensor(failure),
        [f"edit {i}" for i in range(n)],
        rows % 2 == 0,
        judged=77,
    )


@pytest.mark.parametrize("failure", [[0, 0, 0, 1, 1, 1, 2], [2, 0, 2, 1, 0, 2, 0], [3, 3, 3, 1]])
def test_limited_serves_every_failure_in_turn_when_there_is_less_room(failure):
    proposal = proposal_for(failure)
    available = Counter(failure)
    for room in range(len(failure) + 2):
        limited = proposal.limited(room)
        assert len(limited) == min(room, len(failure))
        served = Counter(limited.failure.tolist())
        # Nobody is served a second more than one who still has samples left.
        hungry = [served[f] for f in available if served[f] < available[f]]
        if hungry:
            assert max(served.values(), default=0) <= min(hungry) + 1
        # The best of each failure come first.
        for f in available:
            mine = [i for i, owner in enumerate(failure) if owner == f]
            assert limited.parent[limited.failure == f].tolist() == mine[: served[f]]
        assert limited.edits == [f"edit {i}" for i in limited.parent.tolist()]
        assert limited.judged == 77


def test_proposals_of_different_widths_are_joined_without_loss(repair_case):
    whole = RandomRepair().propose(repair_case.context, 4)
    rows = torch.arange(len(whole))
    short = whole.select(rows[whole.lengths <= 2])
    short = replace(short, inputs=short.inputs[:, :2])
    long = whole.select(rows[whole.lengths > 2])
    assert len(short)
    assert len(long)
    joined = Proposal.joined([short, long])
    assert len(joined) == len(whole)
    mask = torch.arange(joined.inputs.shape[1]) < joined.lengths[:, None]
    order = torch.cat([rows[whole.lengths <= 2], rows[whole.lengths > 2]])
    assert torch.equal(joined.inputs[mask], whole.inputs[order][mask])
    assert joined.edits == [whole.edits[i] for i in order.tolist()]
    assert torch.equal(joined.parent, whole.parent[order])
