"""Distances of steps and traces against the definitions written as loops."""

from itertools import product

import numpy as np
import pytest
import torch

from rnnrepair.errors import ConfigurationError
from rnnrepair.influence import (
    TraceIndex,
    aligned_distance,
    paired_distance,
    paper_distance,
    step_distance,
)
from rnnrepair.traces import Traces


def published(a, b, model, width):
    """The paper's code: pad with zero rows, normalise, mean of |a - b| over all cells."""
    confidence = model.confidence.numpy()
    n_states, n_classes = confidence.shape

    def rows(trace):
        out = np.zeros((width, 2 + n_classes))
        for j, (state, label) in enumerate(trace):
            out[j, 0], out[j, 1] = state + 1, label  # ids are 1 .. K
            out[j, 2:] = confidence[state]
        m = n_states + 1
        out[:, 0] = (out[:, 0] + 1) / (m + 1)
        out[:, 1] = (out[:, 1] + 1) / (n_classes + 1)
        return out

    return np.abs(rows(a) - rows(b)).mean()


def of_steps(step, other, confidence):
    (q, y), (other_q, other_y) = step, other
    apart = np.abs(confidence[q] - confidence[other_q]).sum() / 2
    return (float(q != other_q) + float(y != other_y) + apart) / 3


def unmatched(step, model):
    """How much a step differs from one that training makes, on average."""
    counts, confidence = model.counts.numpy(), model.confidence.numpy()
    codes = product(range(counts.shape[0]), range(counts.shape[1]))
    return sum(counts[c] * of_steps(step, c, confidence) for c in codes) / counts.sum()


def aligned(a, b, model, width):
    """From the last steps backwards, and what only one of them has."""
    confidence = model.confidence.numpy()
    total = 0.0
    for back in range(1, max(len(a), len(b)) + 1):
        if back <= min(len(a), len(b)):
            total += of_steps(a[-back], b[-back], confidence)
        else:
            total += unmatched(max(a, b, key=len)[-back], model)
    return total / max(len(a), len(b))


def overlapping(a, b, confidence):
    """What it was before: from the first steps on, over the steps that both have."""
    steps = [of_steps(x, y, confidence) for x, y in zip(a, b, strict=False)]
    return sum(steps) / len(steps)


DEFINITIONS = {"paper": published, "aligned": aligned}
UNIFORM, RAGGED = [6] * 8, [1, 4, 9, 2, 7, 3, 5, 9]


def lists(traces):
    bounds = zip(traces.offsets[:-1].tolist(), traces.offsets[1:].tolist(), strict=True)
    return [
        list(zip(traces.state[a:b].tolist(), traces.prediction[a:b].tolist(), strict=True))
        for a, b in bounds
    ]


def renumbered(traces, new_id):
    return Traces(
        new_id[traces.state.long()].to(traces.state.dtype),
        traces.prediction,
        traces.offsets,
        traces.index,
        traces.label,
        traces.n_states,
        traces.n_classes,
    )


@pytest.mark.parametrize("kind", ["paper", "aligned"])
@pytest.mark.parametrize("lengths", [UNIFORM, RAGGED, [28] * 4])
@pytest.mark.parametrize(("n_states", "n_classes"), [(5, 3), (43, 10), (7, 2)])
def test_distance_agrees_with_its_definition_when_computed_by_loops(
    make_traces, make_model, kind, lengths, n_states, n_classes
):
    model = make_model(n_states, n_classes)
    train = make_traces(lengths, n_states, n_classes)
    queries = make_traces([3, *lengths[:3]], n_states, n_classes, seed=1)
    width = max(*lengths, 3)
    found = TraceIndex(train, step_distance(model, kind), width).distances(queries)
    expected = [
        [DEFINITIONS[kind](t, q, model, width) for q in lists(queries)] for t in lists(train)
    ]
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-6, rtol=0)


def test_paper_distance_agrees_with_its_definition_when_sequences_are_long(make_traces, make_model):
    """A comment of 200 words, where rounding for exact sums is coarsest."""
    model = make_model(37, 2)
    train = make_traces([200, 150, 200, 31], 37, 2)
    queries = make_traces([200, 90], 37, 2, seed=1)
    found = TraceIndex(train, step_distance(model, "paper"), 200).distances(queries)
    expected = [[published(t, q, model, 200) for q in lists(queries)] for t in lists(train)]
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("build", [paper_distance, aligned_distance])
def test_table_is_a_metric_between_codes(make_model, build):
    table = build(make_model().counts).table.double()
    n = len(table) - 1
    assert torch.equal(table, table.T)
    assert (table.diagonal() == 0).all()
    off = table[:n, :n][~torch.eye(n, dtype=torch.bool)]
    assert (off > 0).all()
    a, b, c = table[:n, :n, None], table[None, :n, :n], table[:n, None, :n]
    assert (a + b >= c - 1e-6).all()


def test_aligned_table_lies_between_nothing_and_all_shared():
    counts = torch.tensor([[5, 0], [0, 7]])
    table = aligned_distance(counts).table[:4, :4]
    for (i, (q, y)), (j, (p, z)) in product(enumerate(product(range(2), repeat=2)), repeat=2):
        assert float(table[i, j]) == pytest.approx((2 * (q != p) + (y != z)) / 3)


@pytest.mark.parametrize(("kind", "changes"), [("aligned", False), ("paper", True)])
def test_distances_change_with_renumbering_only_when_ids_count_as_numbers(
    make_traces, make_model, kind, changes
):
    new_id = torch.tensor([3, 0, 4, 1, 2])
    model = make_model()
    build = {"aligned": aligned_distance, "paper": paper_distance}[kind]
    train, queries = make_traces(RAGGED), make_traces([4, 9], seed=1)
    before = TraceIndex(train, build(model.counts)).distances(queries)
    after = TraceIndex(renumbered(train, new_id), build(model.counts[new_id.argsort()])).distances(
        renumbered(queries, new_id)
    )
    assert torch.equal(before, after) != changes


def test_aligned_distance_does_not_depend_on_padding(make_traces, make_model):
    distance = step_distance(make_model(), "aligned")
    train, queries = make_traces(RAGGED), make_traces([4, 2], seed=1)
    exact = TraceIndex(train, distance, 9).distances(queries)
    torch.testing.assert_close(TraceIndex(train, distance, 40).distances(queries), exact)
    alone = [TraceIndex(train.select(torch.tensor([i])), distance, 9) for i in range(len(train))]
    found = torch.cat([index.distances(queries) for index in alone])
    torch.testing.assert_close(found, exact, rtol=0, atol=0)


def test_aligned_distance_is_symmetric_and_in_the_unit_interval(make_traces, make_model):
    distance = step_distance(make_model(n_states=2), "aligned")
    traces = make_traces(RAGGED * 20, n_states=2)
    found = TraceIndex(traces, distance).distances(traces)
    assert torch.equal(found, found.T)
    assert (found >= 0).all()
    assert (found <= 1).all()
    own = lists(traces)
    same = [[a == b for a in own] for b in own]
    assert torch.equal(found == 0, torch.tensor(same))
    assert (found == 0).sum() > len(traces)  # there are copies


def test_aligned_distance_is_what_it_was_before_where_lengths_are_equal(make_traces, make_model):
    model = make_model(43, 10)
    train, queries = make_traces([28] * 30, 43, 10), make_traces([28] * 5, 43, 10, seed=1)
    found = TraceIndex(train, step_distance(model, "aligned")).distances(queries)
    confidence = model.confidence.numpy()
    before = [[overlapping(t, q, confidence) for q in lists(queries)] for t in lists(train)]
    np.testing.assert_allclose(found.numpy(), before, atol=1e-6, rtol=0)


def test_beginning_of_a_long_trace_is_not_its_nearest_neighbour(make_traces, make_model):
    """What is compared over common steps only is near to everything that it begins like."""
    query, other = make_traces([12]), make_traces([4], seed=1)
    # One step that begins like the query, and another beginning that ends like it.
    train = Traces(
        torch.cat([query.state[:1], other.state, query.state[4:]]),
        torch.cat([query.prediction[:1], other.prediction, query.prediction[4:]]),
        torch.tensor([0, 1, 13]),
        torch.tensor([5, 6]),
        torch.tensor([0, 0]),
        5,
        3,
    )
    model = make_model()
    confidence = model.confidence.numpy()
    assert overlapping(lists(train)[0], lists(query)[0], confidence) == 0
    index = TraceIndex(train, step_distance(model, "aligned"))
    assert index.rank(query, 1).row.tolist() == [[1]]


@pytest.mark.parametrize("kind", ["paper", "aligned"])
@pytest.mark.parametrize("lengths", [UNIFORM, RAGGED])
def test_paired_distance_is_that_of_row_and_row(make_traces, make_model, kind, lengths):
    model = make_model()
    first, second = make_traces(lengths), make_traces(RAGGED[::-1], seed=1)
    found = paired_distance(step_distance(model, kind), first, second)
    assert found.dtype == torch.float32
    expected = [
        DEFINITIONS[kind](a, b, model, 9) for a, b in zip(lists(first), lists(second), strict=True)
    ]
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-6, rtol=0)
    index = TraceIndex(first, step_distance(model, kind), 9)
    assert torch.equal(found, index.distances(second).diagonal())


@pytest.mark.parametrize("kind", ["paper", "aligned"])
@pytest.mark.parametrize("n_steps", [1, 28, 500])
def test_exact_table_sums_the_same_in_any_order(make_model, kind, n_steps):
    distance = step_distance(make_model(43, 10), kind)
    exact = distance.exact(n_steps)
    g = torch.Generator().manual_seed(0)
    terms = exact.flatten()[torch.randint(exact.numel(), (200, n_steps), generator=g)]
    assert torch.equal(terms.cumsum(1)[:, -1], terms.flip(1).cumsum(1)[:, -1])
    assert torch.equal(terms.cumsum(1)[:, -1].double(), terms.double().sum(1))
    error = (exact - distance.table).abs().max()
    assert error <= 2**-24 * n_steps * max(float(distance.table.max()), 2**-24) * 1.01


def test_step_distance_names_the_kinds_when_one_is_unknown(make_model):
    with pytest.raises(ConfigurationError, match=r"step_distance\.kind.*paper.*aligned.*'l2'"):
        step_distance(make_model(), "l2")
