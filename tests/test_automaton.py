"""The automaton against a walk over every trace."""

import json
import re
from collections import Counter
from itertools import pairwise

import pytest
import torch

from rnnrepair.abstraction import Automaton
from rnnrepair.traces import Traces

LENGTHS = [4, 1, 7, 3, 5, 2]


def walked(traces):
    count = Counter()
    for row in range(len(traces)):
        state = [-1, *traces.state[traces.offsets[row] : traces.offsets[row + 1]].tolist()]
        count.update(pairwise(state))
    return count


def test_transitions_are_counted_within_sequences_only(make_traces):
    traces = make_traces(LENGTHS)
    edges = Automaton.of(traces).edges()
    found = {(e.source, e.target): e.count for e in edges.itertuples()}
    assert found == walked(traces)
    assert edges.groupby("source")["probability"].sum().to_numpy() == pytest.approx(1)


def test_states_know_their_majority(make_traces):
    traces = make_traces(LENGTHS)
    states = Automaton.of(traces).states()
    for row in states.itertuples():
        here = traces.prediction[traces.state == row.state].tolist()
        assert row.visits == len(here)
        assert here.count(row.majority) == max(here.count(c) for c in range(3))
        shares = [here.count(c) / len(here) for c in range(3)]
        assert [getattr(row, f"confidence_{c}") for c in range(3)] == pytest.approx(shares)
        assert row.stability == pytest.approx(max(shares))


def test_renumbering_states_renames_the_automaton_and_nothing_else(make_traces):
    traces = make_traces(LENGTHS)
    new_id = torch.tensor([3, 0, 4, 1, 2])
    renamed = Traces(**{**vars(traces), "state": new_id[traces.state.long()].to(torch.uint8)})
    plain, other = Automaton.of(traces), Automaton.of(renamed)
    rows = torch.cat([new_id, torch.tensor([5])])
    assert torch.equal(other.transitions[rows][:, new_id], plain.transitions)
    assert torch.equal(other.predictions[new_id], plain.predictions)


def test_exports_hold_every_state_and_the_transitions_asked_for(make_traces):
    automaton = Automaton.of(make_traces(LENGTHS))
    likely = automaton.edges(at_least=0.3)
    dot, mermaid = automaton.as_dot(0.3), automaton.as_mermaid(0.3)
    assert dot.count(" -> ") == mermaid.count(" --> ") == len(likely) < len(automaton.edges())
    assert dot.startswith("digraph")
    assert dot.count("{") == dot.count("}")
    assert mermaid.startswith("stateDiagram-v2")
    read = json.loads(automaton.as_json())
    assert len(read["states"]) == 5
    assert sum(t["count"] for t in read["transitions"]) == sum(LENGTHS)


def test_people_read_the_names_of_classes(make_traces):
    names = ('say "no"', "a: b; #1", "$5")
    automaton = Automaton.of(make_traces(LENGTHS), names)
    states = automaton.states()
    assert states["majority_name"].tolist() == [names[c] for c in states["majority"]]
    dot, mermaid = automaton.as_dot(), automaton.as_mermaid()
    shown = {names[c] for c in states["majority"]}
    assert all(f"class {name}".replace('"', '\\"') in dot for name in shown)
    told = {line.split(" : ", 1)[1] for line in mermaid.splitlines() if " : state" in line}
    # Signs that end a description of Mermaid, or begin an entity, are written as entities.
    assert not any(sign in re.sub(r"#\d+;", "", line) for line in told for sign in ":;#")
    back = {re.sub(r"#(\d+);", lambda sign: chr(int(sign[1])), line) for line in told}
    assert all(any(f"class {name}," in line for line in back) for name in shown)
    plain = Automaton.of(make_traces(LENGTHS)).states()
    assert plain["majority_name"].tolist() == [str(c) for c in plain["majority"]]


def test_aalpy_gets_a_chain_of_the_same_probabilities(make_traces):
    traces = make_traces(LENGTHS)
    traces.state[traces.state == 3] = 2  # a state that is never visited
    last = traces.last_step[-1]
    traces.state[last] = 4
    traces.state[:last][traces.state[:last] == 4] = 0  # and one that no sequence leaves
    chain = Automaton.of(traces).as_aalpy()
    count = walked(traces)
    number = {chain.initial_state.state_id: -1} | {f"q{i}": i for i in range(5)}
    assert [number[state.state_id] for state in chain.states] == [-1, 0, 1, 2, 3, 4]
    for state in chain.states:
        source = number[state.state_id]
        found = {number[target.state_id]: share for target, share in state.transitions}
        assert len(found) == len(state.transitions)
        left = sum(n for (before, _), n in count.items() if before == source)
        expected = {q: n / left for (before, q), n in count.items() if before == source}
        # What is never left stays where it is: a chain has no dead ends.
        assert found == pytest.approx(expected or {source: 1.0})
        assert sum(found.values()) == pytest.approx(1)
        if source < 0:
            assert state.output == "start"
        elif source != 3:
            said = traces.prediction[traces.state == source].tolist()
            assert said.count(int(state.output)) == max(said.count(c) for c in range(3))
    assert {source for source in range(5) if not any(b == source for b, _ in count)} == {3, 4}
