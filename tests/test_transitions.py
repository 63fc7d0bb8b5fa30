"""The transition index against a dictionary of sets."""

from collections import defaultdict

import pytest
import torch

from rnnrepair.influence import (
    TransitionIndex,
    TransitionOverlap,
    tie_order,
    transition_keys,
)
from tests.conftest import view_of

LENGTHS = [1, 4, 9, 2, 7, 3, 5, 8] * 3


def transitions(traces):
    """Each sequence's transitions ((state, label) before, (state, label) after), None is START."""
    result = []
    for a, b in zip(traces.offsets[:-1].tolist(), traces.offsets[1:].tolist(), strict=True):
        steps = list(zip(traces.state[a:b].tolist(), traces.prediction[a:b].tolist(), strict=True))
        result.append(list(zip([None, *steps[:-1]], steps, strict=True)))
    return result


def postings(traces):
    index = defaultdict(set)
    for row, steps in enumerate(transitions(traces)):
        for step in steps:
            index[step].add(row)
    return index


def code_of(step, traces):
    return traces.n_codes if step is None else step[0] * traces.n_classes + step[1]


def test_keys_tell_every_transition_apart_when_sequences_are_ragged(make_traces):
    traces = make_traces(LENGTHS)
    flat = [step for steps in transitions(traces) for step in steps]
    keys = transition_keys(traces).tolist()
    assert len(keys) == len(flat)
    assert len(set(zip(keys, flat, strict=True))) == len(set(keys)) == len(set(flat))


def test_index_holds_the_postings_of_a_dictionary(make_traces):
    traces = make_traces(LENGTHS)
    index, expected = TransitionIndex.build(traces), postings(traces)
    assert len(index.key) == len(expected)
    for (before, after), rows in expected.items():
        found = index.rows(code_of(before, traces), code_of(after, traces))
        assert found.tolist() == sorted(rows)


def test_rows_are_none_when_the_transition_never_occurs(make_traces):
    traces = make_traces([3, 3], n_states=20)
    index, known = TransitionIndex.build(traces), postings(traces)
    pairs = [(a, b) for a in range(traces.n_codes + 1) for b in range(traces.n_codes)]
    taken = {(code_of(a, traces), code_of(b, traces)) for a, b in known}
    for pair in pairs:
        assert (len(index.rows(*pair)) > 0) == (pair in taken)


@pytest.mark.parametrize("n_states", [2, 5, 40])
def test_shared_counts_steps_when_transitions_repeat(make_traces, n_states):
    train = make_traces(LENGTHS, n_states)
    queries = make_traces([12, 1, 30, 6], n_states, seed=1)
    index = postings(train)
    expected = [
        [sum(row in index.get(step, ()) for step in steps) for row in range(len(train))]
        for steps in transitions(queries)
    ]
    assert TransitionIndex.build(train).shared(queries).tolist() == expected
    if n_states == 2:
        assert any(len(set(steps)) < len(steps) for steps in transitions(queries))


def test_shared_includes_the_last_transition(make_traces):
    """The original stops one short; it is the one that decides."""
    train = make_traces([6, 3])
    own = TransitionIndex.build(train).shared(train)
    assert own.diagonal().tolist() == [6, 3]


def test_shared_is_the_same_when_states_are_renumbered(make_traces):
    new_id = torch.tensor([3, 0, 4, 1, 2], dtype=torch.uint8)
    train, queries = make_traces(LENGTHS), make_traces([12, 5], seed=1)
    before = TransitionIndex.build(train).shared(queries)
    for traces in (train, queries):
        traces.state[:] = new_id[traces.state.long()]
    assert torch.equal(TransitionIndex.build(train).shared(queries), before)


@pytest.mark.parametrize("top", [1, 4, 24])
def test_rank_is_by_what_is_lacking_then_by_priority(make_traces, make_model, top):
    train, queries = make_traces(LENGTHS, 2, 2), make_traces([12, 5, 1], 2, 2, seed=1)
    scorer = TransitionOverlap().fit(view_of(make_model(2, 2), train))
    found, index = scorer.rank(queries, top), scorer.index
    turn = tie_order(train.index, 0).argsort().tolist()
    for query, (shared, length) in enumerate(
        zip(index.shared(queries).tolist(), queries.lengths.tolist(), strict=True)
    ):
        order = sorted(range(24), key=lambda row: (-shared[row], turn[row]))[:top]
        assert found.row[query].tolist() == order
        assert found.distance[query].tolist() == pytest.approx(
            [1 - shared[row] / length for row in order]
        )
