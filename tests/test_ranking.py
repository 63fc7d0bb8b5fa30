"""Ranking against a plain sort, and the equivalences that make it fast."""

import pytest
import torch

from rnnrepair.errors import ConfigurationError
from rnnrepair.influence import (
    Distance,
    TraceIndex,
    TraceSimilarity,
    TransitionOverlap,
    rank_by_label,
    ranking,
    step_distance,
    tie_order,
)
from rnnrepair.traces import Traces

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


def test_rank_by_label_looks_at_the_label_of_each_query(make_traces, make_model):
    train, queries = make_traces(RAGGED), make_traces([4, 9, 1, 5, 2], seed=1)
    index = index_of(train, make_model())
    wanted = torch.tensor([2, 0, 2, 1, 0])
    allowed = torch.arange(72) % 5 != 0
    found = rank_by_label(index, queries, wanted, 30, allowed)
    distance = index.distances(queries)
    for query, label in enumerate(wanted.tolist()):
        row, _ = plain_order(distance[:, [query]], 30, train, allowed & (train.label == label))
        assert found.row[query].tolist() == row[0].tolist()
        assert (found.row[query] == -1).any()


@pytest.mark.parametrize("method", [TraceSimilarity("aligned", 6), TransitionOverlap(6)])
def test_influence_speaks_of_samples_by_index_and_keeps_its_promises(
    make_traces, make_model, method
):
    fit = make_traces(RAGGED)
    failures = make_traces([4, 9, 12, 5], seed=1)
    influence = method(make_model(), fit, failures)
    assert len(influence) == 4
    assert influence.nearest.shape == influence.sources.shape == (4, 6)
    row_of = {int(index): row for row, index in enumerate(fit.index)}
    assert all(int(i) in row_of for i in influence.nearest.flatten())
    for sources, distance, label in zip(
        influence.sources, influence.source_distance, failures.label, strict=True
    ):
        found = sources[sources >= 0].tolist()
        assert len(set(found)) == len(found)
        assert all(bool(fit.correct[row_of[i]]) for i in found)
        assert all(fit.label[row_of[i]] == label for i in found)
        available = int((fit.correct & (fit.label == label)).sum())
        assert len(found) == min(6, available)
        assert (distance[sources < 0] == torch.inf).all()
        assert (distance[: len(found)].diff() >= 0).all()


def test_similarity_is_the_plain_order_when_queries_are_longer_than_training(
    make_traces, make_model
):
    fit, failures = make_traces(RAGGED), make_traces([4, 30], seed=1)
    influence = TraceSimilarity("paper", 4)(make_model(), fit, failures)
    index = index_of(fit, make_model(), "paper", 30)
    row, distance = plain_order(index.distances(failures), 4, fit)
    assert influence.nearest.tolist() == fit.index[row].tolist()
    assert torch.equal(influence.nearest_distance, distance)


@pytest.mark.parametrize("method", [TraceSimilarity("aligned", 99), TransitionOverlap(99)])
def test_influence_is_filled_with_minus_one_when_training_is_smaller_than_top(
    make_traces, make_model, method
):
    influence = method(make_model(), make_traces(RAGGED), make_traces([4, 9], seed=1))
    for row, distance in (
        (influence.nearest, influence.nearest_distance),
        (influence.sources, influence.source_distance),
    ):
        assert row.shape == distance.shape == (2, 99)
        assert (row[:, 72:] == -1).all()
        assert (distance[:, 72:] == torch.inf).all()
    assert (influence.nearest[:, :72] >= 0).all()


@pytest.mark.parametrize("method", [TraceSimilarity, TransitionOverlap])
def test_sources_are_empty_when_no_training_sample_of_the_label_is_right(
    make_traces, make_model, method
):
    fit = make_traces(RAGGED)
    fit = fit.select(fit.label != 2)
    failures = make_traces([4, 9, 3], seed=1)
    failures.label[:] = torch.tensor([2, 0, 2])
    influence = method(top=3)(make_model(), fit, failures)
    assert (influence.sources[[0, 2]] == -1).all()
    assert (influence.sources[1] >= 0).all()


@pytest.mark.parametrize("method", [TraceSimilarity, TransitionOverlap])
def test_sources_of_a_class_that_is_never_right_are_all_its_originals(
    make_traces, make_model, method
):
    fit, n_original = make_traces(RAGGED), 60
    last = fit.last_step
    fit.label[70] = fit.prediction[last[70]] = 2  # injected, and right
    wrong = (fit.label == 2) & (torch.arange(72) < n_original)
    fit.prediction[last[wrong]] = 1
    failures = make_traces([4, 9, 3], seed=1)
    failures.label[:] = torch.tensor([2, 0, 2])
    influence = method(top=99)(make_model(), fit, failures, n_original)
    right = (fit.label == 0) & fit.correct & (torch.arange(72) < n_original)
    for sources, expected in zip(influence.sources, (wrong, right, wrong), strict=True):
        assert set(sources[sources >= 0].tolist()) == set(fit.index[expected].tolist())
        assert bool(expected.any())


def test_settings_are_refused_when_out_of_range():
    with pytest.raises(ConfigurationError, match=r"influence\.distance"):
        TraceSimilarity("cosine")
    for method in (TraceSimilarity, TransitionOverlap):
        with pytest.raises(ConfigurationError, match=r"influence\.top"):
            method(top=0)
