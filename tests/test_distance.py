"""Distances of steps and traces against the definitions written as loops."""

from itertools import product

import numpy as np
import pytest
import torch

from rnnrepair.errors import ConfigurationError
from rnnrepair.influence import TraceIndex, masked_distance, paper_distance, step_distance
from rnnrepair.traces import Traces


def published(a, b, confidence, width):
    """Reference 4.2 and 4.3: pad with zero rows, normalise, mean of |a - b| over all cells."""
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


def masked(a, b, confidence, width):
    """Mean over the steps that both have of three disagreements."""
    total = 0.0
    steps = list(zip(a, b, strict=False))
    for (q, y), (other_q, other_y) in steps:
        apart = np.abs(confidence[q] - confidence[other_q]).sum() / 2
        total += (float(q != other_q) + float(y != other_y) + apart) / 3
    return total / len(steps)


DEFINITIONS = {"paper": published, "masked": masked}
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


@pytest.mark.parametrize("kind", ["paper", "masked"])
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
    confidence = model.confidence.numpy()
    expected = [
        [DEFINITIONS[kind](t, q, confidence, width) for q in lists(queries)] for t in lists(train)
    ]
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-6, rtol=0)


def test_paper_distance_agrees_with_its_definition_when_sequences_are_long(make_traces, make_model):
    """A comment of 200 words, where rounding for exact sums is coarsest."""
    model = make_model(37, 2)
    train = make_traces([200, 150, 200, 31], 37, 2)
    queries = make_traces([200, 90], 37, 2, seed=1)
    found = TraceIndex(train, step_distance(model, "paper"), 200).distances(queries)
    confidence = model.confidence.numpy()
    expected = [[published(t, q, confidence, 200) for q in lists(queries)] for t in lists(train)]
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("build", [paper_distance, masked_distance])
def test_table_is_a_metric_between_codes(make_model, build):
    table = build(make_model().confidence).table.double()
    n = len(table) - 1
    assert torch.equal(table, table.T)
    assert (table.diagonal() == 0).all()
    off = table[:n, :n][~torch.eye(n, dtype=torch.bool)]
    assert (off > 0).all()
    a, b, c = table[:n, :n, None], table[None, :n, :n], table[:n, None, :n]
    assert (a + b >= c - 1e-6).all()


def test_masked_table_lies_between_nothing_and_all_shared():
    confidence = torch.eye(2, dtype=torch.float64)
    table = masked_distance(confidence).table[:4, :4]
    for (i, (q, y)), (j, (p, z)) in product(enumerate(product(range(2), repeat=2)), repeat=2):
        assert float(table[i, j]) == pytest.approx((2 * (q != p) + (y != z)) / 3)


@pytest.mark.parametrize(("kind", "changes"), [("masked", False), ("paper", True)])
def test_distances_change_with_renumbering_only_when_ids_count_as_numbers(
    make_traces, make_model, kind, changes
):
    new_id = torch.tensor([3, 0, 4, 1, 2])
    model = make_model()
    build = {"masked": masked_distance, "paper": paper_distance}[kind]
    train, queries = make_traces(RAGGED), make_traces([4, 9], seed=1)
    before = TraceIndex(train, build(model.confidence)).distances(queries)
    after = TraceIndex(
        renumbered(train, new_id), build(model.confidence[new_id.argsort()])
    ).distances(renumbered(queries, new_id))
    assert torch.equal(before, after) != changes


def test_masked_distance_does_not_depend_on_what_lies_beyond_the_end(make_traces, make_model):
    distance = step_distance(make_model(), "masked")
    train, queries = make_traces(RAGGED), make_traces([4, 2], seed=1)
    exact = TraceIndex(train, distance, 9).distances(queries)
    torch.testing.assert_close(TraceIndex(train, distance, 40).distances(queries), exact)


@pytest.mark.parametrize("kind", ["paper", "masked"])
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
    with pytest.raises(ConfigurationError, match=r"influence\.distance.*paper.*masked.*'l2'"):
        step_distance(make_model(), "l2")
