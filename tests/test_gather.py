"""What the record tells of single failures is what the round has found."""

import json

import torch

from rnnrepair.influence import Role, responsible_segment, responsible_step
from rnnrepair.record import gather_failures
from rnnrepair.repair import LedgerRow, graft


def row_of(new_id, failure_id, label, edit):
    told = json.dumps(edit.parameters)
    return LedgerRow(new_id, 0, failure_id, "x", label, edit.name, told, 0, 0, 0, 3, 0)


def gathered(case, ledger=(), at_most=1000):
    evidence, data = case.context.evidence, case.data
    return gather_failures(evidence, ledger, lambda index: data.fetch(index).label, at_most)


def test_failures_are_told_in_the_order_of_the_round(repair_case):
    failures, near = repair_case.failures, repair_case.context.evidence.nearest
    told = gathered(repair_case)
    assert [f.index for f in told] == failures.index.tolist()
    assert [f.label for f in told] == failures.label.tolist()
    assert [f.predicted for f in told] == failures.final_prediction.tolist()
    assert [f.step for f in told] == responsible_step(failures).tolist()
    spans = responsible_segment(failures, repair_case.abstract.confidence).tolist()
    assert [list(f.segment) for f in told] == spans
    assert torch.equal(torch.cat([f.state for f in told]), failures.state.long())
    assert torch.equal(torch.cat([f.prediction for f in told]), failures.prediction.long())
    for row, failure in enumerate(told):
        found = near.index[row][near.index[row] >= 0][:8].tolist()
        assert [n.index for n in failure.neighbours] == found
        distance = near.distance[row, : len(found)].tolist()
        assert [n.distance for n in failure.neighbours] == distance
        assert {n.role for n in failure.neighbours} == {Role.NEAREST}
        labels = repair_case.data.fetch(torch.tensor(found)).label.tolist()
        assert [n.label for n in failure.neighbours] == labels
        assert failure.contrast is None
    assert [f.index for f in gathered(repair_case, at_most=2)] == [f.index for f in told[:2]]


def test_contexts_share_the_words_that_they_are_told_to_share(text_case):
    told = gathered(text_case)
    contexts = [(f, n) for f in told for n in f.neighbours if n.role == Role.CONTEXTS]
    assert any(n.run for _, n in contexts)
    for failure, neighbour in contexts:
        assert neighbour.label == failure.label
        words = text_case.data.fetch(torch.tensor([failure.index])).sequences()[0]
        other = text_case.data.fetch(torch.tensor([neighbour.index])).sequences()[0]
        end = failure.step  # the context is what stands before the responsible word
        first, last = neighbour.common
        assert last == neighbour.end <= len(other)
        if neighbour.run:
            assert torch.equal(words[end - neighbour.run : end], other[first:last])
    opponents = [(f, n) for f in told for n in f.neighbours if n.role == Role.OPPONENTS]
    assert opponents
    assert all(n.label == f.predicted for f, n in opponents)
    assert all(len(f.neighbours) <= 8 for f in told)
    assert all(f.contrast is not None for f in told)


def test_the_first_samples_injected_for_a_failure_are_told_with_their_pieces(text_case):
    index = text_case.failures.index.tolist()
    edit = graft(at=2, first=0, end=3, resume=2)
    rows = [row_of(900 + i, index[i % 2], 1, edit) for i in range(20)]
    first, second, *others = gathered(text_case, rows)
    assert [s.index for s in first.injected] == list(range(900, 916, 2))
    assert [s.index for s in second.injected] == list(range(901, 917, 2))
    assert {s.piece for s in first.injected} == {(2, 5)}
    assert not any(f.injected for f in others)
