"""Ranking against a plain sort, and the equivalences that make it fast."""

import pytest
import torch

from rnnrepair.errors import ConfigurationError
from rnnrepair.influence import (
    Distance,
    Role,
    TraceIndex,
    TraceSimilarity,
    TransitionOverlap,
    find_evidence,
    found,
    never_right,
    ranking,
    step_distance,
    tie_order,
)
from rnnrepair.traces import Traces
from tests.conftest import view_of

RAGGED = [1, 4, 9, 2, 7, 3, 5, 8] * 9
UNIFORM = [6] * 72
# Two states and two classes over two steps: nearly all distances are ties.
COARSE = {"n_states": 2, "n_classes": 2}


def plain_order(distance, top, traces, allowed=None):
    """Rows of each column by (distance, turn), and their distances; -1 and infinity beyond."""
    turn = {row: turn for turn, row in enumerate(tie_order(traces.index, 0).tolist())}
    rows, values = [], []
    for column in distance.T.tolist():
        triples = sorted(
            (d, turn[r], r) for r, d in enumerate(column) if allowed is None or allowed[r]
        )[:top]
        lacking = top - len(triples)
        rows.append([r for _, _, r in triples] + [-1] * lacking)
        values.append([d for d, _, _ in triples] + [float("inf")] * lacking)
    return torch.tensor(rows), torch.tensor(values)


def index_of(traces, model, kind="aligned", n_steps=None):
    return TraceIndex(traces, step_distance(model, kind), n_steps)


@pytest.mark.parametrize("kind", list(Distance))
@pytest.mark.parametrize("lengths", [RAGGED, UNIFORM, [2] * 200])
@pytest.mark.parametrize("top", [1, 5, 71, 72, 300])
def test_rank_equals_a_plain_sort_when_there_are_ties(make_traces, make_model, kind, lengths, top):
    model = make_model(**COARSE)
    train = make_traces(lengths, **COARSE)
    index = index_of(train, model, kind)
    queries = make_traces([max(lengths)] * 4, **COARSE, seed=1)
    found = index.rank(queries, top)
    row, distance = plain_order(index.distances(queries), top, train)
    assert len(distance[0].unique()) < len(lengths) or top == 1
    assert found.row.tolist() == row.tolist()
    assert torch.equal(found.distance, distance)


@pytest.mark.parametrize("allowed", ["some", "few", "none"])
@pytest.mark.parametrize("lengths", [RAGGED, UNIFORM])
def test_rank_returns_only_what_is_allowed(make_traces, make_model, lengths, allowed):
    model = make_model(**COARSE)
    train = make_traces(lengths, **COARSE)
    index = index_of(train, model)
    queries = make_traces([5, 3, 9 if max(lengths) == 9 else 6], **COARSE, seed=1)
    mask = {
        "some": torch.arange(72) % 3 == 1,
        "few": torch.arange(72) % 30 == 7,
        "none": torch.zeros(72, dtype=torch.bool),
    }[allowed]
    found = index.rank(queries, 5, mask)
    row, distance = plain_order(index.distances(queries), 5, train, mask)
    assert found.row.tolist() == row.tolist()
    assert torch.equal(found.distance, distance)


@pytest.mark.parametrize("chunk", [1, 2, 7])
def test_rank_is_the_same_when_queries_come_in_chunks(make_traces, make_model, monkeypatch, chunk):
    index = index_of(make_traces(RAGGED), make_model())
    queries = make_traces([4, 9, 1, 5, 5], seed=1)
    whole = index.rank(queries, 7)
    monkeypatch.setattr(ranking, "QUERY_CHUNK", chunk)
    parts = index.rank(queries, 7)
    assert torch.equal(parts.row, whole.row)
    assert torch.equal(parts.distance, whole.distance)


@pytest.mark.parametrize("kind", list(Distance))
def test_distances_are_the_same_when_no_runs_are_joined(make_traces, make_model, monkeypatch, kind):
    # Few codes and many traces: runs repeat, so that joining them pays.
    train, queries = make_traces([8] * 3000 + [3, 5]), make_traces([4, 8, 1], seed=1)
    joined = index_of(train, make_model(), kind)
    assert joined._levels
    monkeypatch.setattr(ranking, "merge_runs", lambda member, n_rows: ([], member))
    alone = index_of(train, make_model(), kind)
    assert torch.equal(joined.distances(queries), alone.distances(queries))


@pytest.mark.parametrize("rows", [[0, 3, 70], [5], list(range(72))])
@pytest.mark.parametrize("lengths", [RAGGED, UNIFORM])
def test_distances_of_some_rows_are_those_of_all(make_traces, make_model, lengths, rows):
    index = index_of(make_traces(lengths), make_model(), n_steps=9)
    queries = make_traces([4, 9, 1], seed=1)
    rows = torch.tensor(rows)
    assert torch.equal(index.distances(queries, rows), index.distances(queries)[rows])


def test_distances_are_the_same_when_traces_are_sharded(make_traces, make_model):
    train, queries = make_traces(RAGGED), make_traces([4, 9, 1], seed=1)
    whole = index_of(train, make_model(), n_steps=9).distances(queries)
    shards = [
        index_of(train.select(rows), make_model(), n_steps=9).distances(queries)
        for rows in torch.arange(72).split(25)
    ]
    assert torch.equal(torch.cat(shards), whole)


def test_distances_are_the_same_when_equal_lengths_stand_among_ragged_ones(make_traces, make_model):
    """Uniform traces take a short cut; ragged company must not change them."""
    uniform, ragged = make_traces(UNIFORM), make_traces(RAGGED, seed=2)
    both = Traces(
        torch.cat([uniform.state, ragged.state]),
        torch.cat([uniform.prediction, ragged.prediction]),
        torch.cat([uniform.offsets, ragged.offsets[1:] + uniform.offsets[-1]]),
        torch.cat([uniform.index, ragged.index]),
        torch.cat([uniform.label, ragged.label]),
        5,
        3,
    )
    queries = make_traces([4, 6, 1], seed=1)
    alone = index_of(uniform, make_model(), n_steps=9).distances(queries)
    assert torch.equal(index_of(both, make_model()).distances(queries)[:72], alone)


@pytest.mark.parametrize("kind", list(Distance))
@pytest.mark.parametrize("lengths", [RAGGED, UNIFORM])
def test_nearest_to_a_training_trace_is_itself(make_traces, make_model, lengths, kind):
    traces = make_traces(lengths, 43, 10)
    found = index_of(traces, make_model(43, 10), kind).rank(traces, 1)
    codes = [code.tolist() for code in traces.code.split(traces.lengths.tolist())]
    assert [codes[row] for row in found.row[:, 0].tolist()] == codes
    assert (found.distance == 0).all()


def test_distances_refuse_when_a_query_is_longer_than_the_index(make_traces, make_model):
    index = index_of(make_traces(UNIFORM), make_model())
    with pytest.raises(ConfigurationError, match="n_steps"):
        index.distances(make_traces([7], seed=1))


METHODS = [TraceSimilarity(), TransitionOverlap()]


def evidence_of(method, model, fit, failures, top, roles=(Role.NEAREST, Role.PARENTS), n=None):
    view = view_of(model, fit, n)
    return find_evidence(method.fit(view), view, failures, roles, top)


def checked(neighbours, fit, top):
    """Return the rows of each failure's neighbours: different, in order, filled up with nothing."""
    row_of = {int(index): row for row, index in enumerate(fit.index)}
    found = []
    for index, distance in zip(neighbours.index, neighbours.distance, strict=True):
        known = index >= 0
        assert index.shape == distance.shape == (top,)
        assert bool((~known[1:] | known[:-1]).all())
        assert (distance[~known] == torch.inf).all()
        assert (distance[known].diff() >= 0).all()
        found.append([row_of[int(i)] for i in index[known]])
        assert len(set(found[-1])) == len(found[-1])
    return found


@pytest.mark.parametrize("method", METHODS)
def test_every_role_is_the_plain_order_of_those_that_may_play_it(make_traces, make_model, method):
    fit, failures = make_traces(RAGGED), make_traces([4, 9, 12, 5], seed=1)
    roles = (Role.NEAREST, Role.PARENTS, Role.OPPONENTS)
    evidence = evidence_of(method, make_model(), fit, failures, 6, roles, n=50)
    distance = method.fit(view_of(make_model(), fit)).distances(failures).T
    original = torch.arange(len(fit)) < 50
    usable = fit.correct & original
    everyone = torch.ones_like(usable)
    for role, allowed, label in (
        (evidence.nearest, everyone, None),
        (evidence.parents, usable, failures.label),
        (evidence.opponents, usable, failures.final_prediction),
    ):
        for m, rows in enumerate(checked(role, fit, 6)):
            of_label = allowed if label is None else allowed & (fit.label == label[m])
            expected, _ = plain_order(distance[:, [m]], 6, fit, of_label)
            assert rows == expected[expected >= 0].tolist()
    assert evidence.contexts is None
    assert evidence.random_contexts is None
    with pytest.raises(ConfigurationError, match="contexts"):
        found(evidence.contexts, Role.CONTEXTS)


def test_similarity_is_the_plain_order_when_queries_are_longer_than_training(
    make_traces, make_model
):
    fit, failures = make_traces(RAGGED), make_traces([4, 30], seed=1)
    nearest = evidence_of(TraceSimilarity("paper"), make_model(), fit, failures, 4).nearest
    index = index_of(fit, make_model(), "paper", 30)
    row, distance = plain_order(index.distances(failures), 4, fit)
    assert nearest.index.tolist() == fit.index[row].tolist()
    assert torch.equal(nearest.distance, distance)


@pytest.mark.parametrize("method", METHODS)
def test_neighbours_are_filled_with_minus_one_when_training_is_smaller_than_top(
    make_traces, make_model, method
):
    fit = make_traces(RAGGED)
    evidence = evidence_of(method, make_model(), fit, make_traces([4, 9], seed=1), 99)
    assert [len(rows) for rows in checked(evidence.nearest, fit, 99)] == [72, 72]
    assert max(len(rows) for rows in checked(evidence.parents, fit, 99)) < 72


@pytest.mark.parametrize("method", METHODS)
def test_parents_are_any_originals_of_a_class_that_is_never_right(make_traces, make_model, method):
    fit = make_traces(RAGGED)
    fit.label[:] = torch.where((fit.label == 2) & fit.correct, 1, fit.label)
    failures = make_traces([4, 9, 3], seed=1)
    failures.label[:] = torch.tensor([2, 0, 2])
    assert 2 in never_right(fit.label[:60], fit.correct[:60])
    parents = evidence_of(method, make_model(), fit, failures, 3, n=60).parents
    rows = checked(parents, fit, 3)
    assert all(fit.label[row] == 2 and row < 60 for m in (0, 2) for row in rows[m])
    assert all(fit.correct[row] for row in rows[1])
    none_of_it = fit.select(fit.label != 2)
    nobody = evidence_of(method, make_model(), none_of_it, failures, 3).parents
    assert (nobody.index[[0, 2]] == -1).all()


@pytest.mark.parametrize("method", METHODS)
def test_scores_push_where_the_label_does_and_more_where_it_is_nearer(
    make_traces, make_model, method
):
    fit, failures = make_traces(RAGGED), make_traces([4, 9, 12, 5], seed=1)
    failures = failures.select(~failures.correct)
    scorer = method.fit(view_of(make_model(), fit))
    scores = scorer.scores(failures)
    assert scores.shape == (len(failures), 72)
    for score, query in zip(scores, range(len(failures)), strict=True):
        predicted, true = int(failures.final_prediction[query]), int(failures.label[query])
        assert ((score > 0) == (fit.label == predicted)).all()
        assert ((score < 0) == (fit.label == true)).all()
        near = scorer.distances(failures)[query]
        same = (fit.label == predicted).nonzero()[:, 0]
        order = near[same].argsort()
        assert (score[same][order].diff() <= 0).all()
    some = torch.tensor([5, 70, 3])
    assert torch.equal(scorer.scores(failures, some), scores[:, some])


@pytest.mark.parametrize("method", METHODS)
def test_own_score_is_the_share_of_other_labels_among_the_nearest_others(
    make_traces, make_model, method, monkeypatch
):
    monkeypatch.setattr("rnnrepair.influence.method.AT_A_TIME", 7)
    fit = make_traces(RAGGED)
    scorer = method.fit(view_of(make_model(), fit))
    distance, own = scorer.distances(fit), scorer.own()
    assert own.shape == (72,)
    order = tie_order(fit.index, 0).tolist()
    for row in range(72):
        others = sorted(
            (r for r in order if r != row), key=lambda r, row=row: float(distance[row, r])
        )
        expected = (fit.label[others[:20]] != fit.label[row]).double().mean()
        assert float(own[row]) == pytest.approx(float(expected))


def test_settings_are_refused_when_out_of_range():
    with pytest.raises(ConfigurationError, match=r"TraceSimilarity\.distance"):
        TraceSimilarity("cosine")
