"""Methods that know training samples by themselves, and by what the network says of them."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from scipy.stats import rankdata
from torch import tensor

from rnnrepair.errors import ConfigurationError
from rnnrepair.explanation import explain
from rnnrepair.influence import (
    AverageMargin,
    ConfidentLearning,
    FirstRight,
    Forgetting,
    KnownScorer,
    Need,
    RandomInfluence,
    Role,
    StateSimilarity,
    TrainingDynamics,
    TrainingLoss,
    check_method,
    find_evidence,
    standing,
)
from rnnrepair.influence.confident_learning import adjusted_confidence
from rnnrepair.influence.method import OWN_NEIGHBOURS
from rnnrepair.network import verified
from tests.conftest import view_of

BY_DYNAMICS = [AverageMargin, TrainingLoss, Forgetting, FirstRight]


def test_places_are_shares_of_those_below_and_equal_ones_share_theirs():
    values = tensor([3.0, 1, torch.nan, 3, -2])
    assert standing(values).tolist() == [0.875, 0.5, 0.5, 0.875, 0.25]
    known = torch.randn(50, generator=torch.Generator().manual_seed(0)).round(decimals=1)
    assert standing(known).numpy() == pytest.approx(rankdata(known) / 50)
    assert standing(known).max() <= 1
    assert (standing(torch.full((3,), torch.nan)) == 0.5).all()


@pytest.fixture
def scored(make_traces):
    """Scorer of known values of 60 traces, and queries that are wrong."""
    traces = make_traces([4] * 60)
    values = torch.randn(60, generator=torch.Generator().manual_seed(1)).round(decimals=1)
    queries = make_traces([5] * 30, seed=2)
    return KnownScorer(traces, values, seed=3), traces, queries.select(~queries.correct)


def test_scores_push_the_way_that_the_label_says(scored):
    scorer, traces, queries = scored
    scores = scorer.scores(queries)
    placed = standing(scorer.own())
    for m in range(len(queries)):
        for i in range(len(traces)):
            sign = int(traces.label[i] == queries.final_prediction[m]) - int(
                traces.label[i] == queries.label[m]
            )
            assert float(scores[m, i]) == pytest.approx(sign * float(placed[i]))
    rows = tensor([5, 0, 33])
    assert torch.equal(scorer.scores(queries, rows), scores[:, rows])


@pytest.mark.parametrize("share", [1.0, 0.3, 0.0])
def test_ranks_are_those_of_a_sort_among_what_is_allowed(scored, share):
    scorer, traces, queries = scored
    allowed = torch.rand(len(traces), generator=torch.Generator().manual_seed(5)) < share
    ranking = scorer.rank(queries, 25, None if share == 1 else allowed)
    strength = scorer.scores(queries).abs()
    for m in range(len(queries)):
        rows = allowed.nonzero()[:, 0] if share < 1 else torch.arange(len(traces))
        found = ranking.row[m][ranking.row[m] >= 0]
        assert len(found) == min(25, len(rows))
        assert torch.isin(found, rows).all()
        assert len(found.unique()) == len(found)
        best = strength[m, rows].sort(descending=True).values[:25]
        assert torch.equal(strength[m, found], best)
        assert ranking.distance[m, : len(found)].tolist() == (-best).tolist()
        assert ranking.distance[m, len(found) :].isinf().all()


def test_equal_samples_come_by_seed_and_not_in_the_order_of_the_file(scored):
    _, traces, queries = scored
    equal = torch.zeros(len(traces))
    one, same, other = (KnownScorer(traces, equal, seed).rank(queries, 10) for seed in (1, 1, 2))
    assert torch.equal(one.row, same.row)
    assert not torch.equal(one.row, other.row)
    # The same samples in another order of the file.
    turned = torch.arange(len(traces)).flip(0)
    back = KnownScorer(traces.select(turned), equal, 1).rank(queries, 10)
    assert torch.equal(traces.index[one.row], traces.index[turned[back.row]])


@pytest.fixture
def watched(make_traces, make_model):
    """A view of 30 samples, of which the last 4 are injected, with dynamics of the others."""
    traces = make_traces([3] * 30)
    traces = replace(traces, index=torch.randperm(30, generator=torch.Generator().manual_seed(0)))
    dynamics = TrainingDynamics(26)
    g = torch.Generator().manual_seed(7)
    label = torch.empty(30, dtype=torch.int64)
    label[traces.index] = traces.label
    for _ in range(6):
        index = torch.randperm(25, generator=g)
        dynamics.update(index, torch.randn(25, 3, generator=g), label[index])
        dynamics.end_epoch()
    return replace(view_of(make_model(), traces, 26), dynamics=dynamics)


@pytest.mark.parametrize("method", BY_DYNAMICS)
def test_what_is_unknown_stands_in_the_middle(watched, method):
    own = method().fit(watched).own()
    index = watched.traces.index
    assert torch.equal(own.isnan(), index >= 25)  # one was never shown, four are injected
    row = int((index == 7).nonzero()[0])
    label = watched.traces.label.clone()
    label[row] = (label[row] + 1) % 3
    relabelled = replace(watched, traces=replace(watched.traces, label=label))
    assert method().fit(relabelled).own()[row].isnan()


def test_methods_by_dynamics_are_these_numbers(watched):
    dynamics, index = watched.dynamics, watched.traces.index
    shown = index < 25
    at = index[shown]

    def own(method):
        return method().fit(watched).own()[shown].double()

    assert torch.allclose(own(AverageMargin), -dynamics.margin[at], atol=1e-6)
    assert torch.allclose(own(TrainingLoss), dynamics.loss[at], atol=1e-6)
    never = dynamics.first_right[at] < 0
    assert never.any()
    assert torch.equal(own(Forgetting)[~never], dynamics.forgotten[at][~never].double())
    assert (own(Forgetting)[never] >= own(Forgetting).max()).all()
    assert torch.equal(own(FirstRight)[~never], dynamics.first_right[at][~never].double())
    assert own(FirstRight)[never].min() > own(FirstRight)[~never].max()


@pytest.mark.parametrize("method", BY_DYNAMICS)
def test_methods_without_dynamics_are_refused(watched, method, make_data):
    with pytest.raises(ConfigurationError, match="TrainingDynamicsRecorder"):
        method().fit(replace(watched, dynamics=None))
    with pytest.raises(ConfigurationError, match="no epoch"):
        method().fit(replace(watched, dynamics=TrainingDynamics(26)))


def test_a_need_that_is_not_met_is_refused_with_its_reason(repair_case):
    network = verified(repair_case.context.judge.args[0].module, repair_case.data)
    check = partial(check_method, network=network, data=repair_case.data)
    missing = {Need.DYNAMICS: "nobody watched.", Need.TOKENS: "no texts."}
    with pytest.raises(ConfigurationError, match=r"first_right.*nobody watched"):
        check(FirstRight(), missing=missing)
    check(RandomInfluence(), missing=missing)
    with pytest.raises(ConfigurationError, match="training went"):
        explain(network.module, repair_case.data, method=AverageMargin())


def test_chance_leaves_a_sample_its_number_when_others_come(watched):
    whole = RandomInfluence(seed=4).fit(watched).own()
    some = replace(watched, traces=watched.traces.select(tensor([9, 2, 17])))
    assert torch.equal(RandomInfluence(seed=4).fit(some).own(), whole[[9, 2, 17]])
    assert not torch.equal(RandomInfluence(seed=5).fit(watched).own(), whole)
    assert len(whole.unique()) == 30


def view_in(case):
    network = case.context.judge.args[0]
    view = view_of(case.abstract, case.fit, len(case.data.indices("fit")))
    return replace(view, network=network, fetch=case.data.fetch)


def ends_of(view, traces):
    parts = view.network.steps([view.fetch(traces.index)], view.model.reduction)
    (batch,) = parts
    return batch.hidden[batch.lengths.cumsum(0) - 1]


def test_nearness_of_last_states_is_that_of_a_search_over_all_pairs(repair_case):
    view = view_in(repair_case)
    scorer = StateSimilarity().fit(view)
    end, label = ends_of(view, view.traces).double(), view.traces.label
    far = (end[:, None] - end).square().sum(2).sqrt().fill_diagonal_(torch.inf)
    near = far.argsort(1)[:, :OWN_NEIGHBOURS]
    expected = (label[near] != label[:, None]).float().mean(1)
    assert torch.allclose(scorer.own(), expected)
    assert expected.unique().numel() > 3
    failures = repair_case.failures
    apart = (ends_of(view, failures).double()[:, None] - end).square().sum(2).sqrt()
    assert torch.allclose(scorer.distances(failures).double(), apart, atol=1e-4)
    ranking = scorer.rank(failures, 4)
    assert torch.allclose(ranking.distance.double(), apart.sort(1).values[:, :4], atol=1e-4)


def test_confident_learning_asks_the_network_itself(repair_case):
    view = view_in(repair_case)
    own = ConfidentLearning().fit(view).own()
    batch = view.fetch(view.traces.index)
    module = view.network.module.eval()
    with torch.no_grad():
        probability = module.logits(batch).double().softmax(1)
    expected = 1 - adjusted_confidence(batch.label, probability)
    assert torch.allclose(own.double(), expected, atol=1e-5)


def test_confidence_is_set_against_classes_as_cleanlab_does_it():
    rank = pytest.importorskip("cleanlab.rank")
    g = torch.Generator().manual_seed(0)
    probability = torch.randn(300, 4, generator=g).double().softmax(1)
    label = torch.randint(4, (300,), generator=g)
    theirs = rank.get_label_quality_scores(
        label.numpy(), probability.numpy(), method="self_confidence", adjust_pred_probs=True
    )
    assert adjusted_confidence(label, probability).numpy() == pytest.approx(theirs)


@pytest.mark.parametrize(
    "method", [*BY_DYNAMICS, RandomInfluence, StateSimilarity, ConfidentLearning]
)
def test_every_method_gives_evidence(repair_case, method):
    view = view_in(repair_case)
    dynamics = TrainingDynamics(int(view.traces.index.max()) + 1)
    g = torch.Generator().manual_seed(7)
    logits = torch.randn(len(view), 3, generator=g)
    dynamics.update(view.traces.index, logits, view.traces.label)
    dynamics.end_epoch()
    view = replace(view, dynamics=dynamics)
    scorer = method().fit(view)
    roles = {Role.NEAREST, Role.PARENTS, Role.OPPONENTS}
    evidence = find_evidence(scorer, view, repair_case.failures, roles, 5)
    assert evidence.nearest.index.shape == (len(repair_case.failures), 5)
    parents = evidence.parents.index
    for m, label in enumerate(repair_case.failures.label.tolist()):
        assert (repair_case.data.labels_of(parents[m][parents[m] >= 0]) == label).all()
