"""Traces and the collection of hidden states."""

import json

import pytest
import torch
from torch import nn

from rnnrepair.errors import IncompatibleCheckpointError, NonFiniteError
from rnnrepair.network import evaluating, hidden_batch
from rnnrepair.sequences import RecurrentOutput, SequenceBatch, smallest_int
from rnnrepair.traces import Traces

LENGTHS = [3, 1, 5, 2]
FIELDS = ("state", "prediction", "offsets", "index", "label")


def sequences(traces):
    """The traces as plain lists, sequence by sequence."""
    rows = zip(traces.offsets[:-1].tolist(), traces.offsets[1:].tolist(), strict=True)
    return [
        (traces.state[a:b].tolist(), traces.prediction[a:b].tolist(), int(i), int(y))
        for (a, b), i, y in zip(rows, traces.index, traces.label, strict=True)
    ]


def assert_same(left, right):
    for name in FIELDS:
        assert getattr(left, name).dtype == getattr(right, name).dtype, name
        torch.testing.assert_close(getattr(left, name), getattr(right, name), rtol=0, atol=0)
    assert (left.n_states, left.n_classes) == (right.n_states, right.n_classes)


@pytest.mark.parametrize(
    ("n_values", "dtype"),
    [
        (1, torch.uint8),
        (256, torch.uint8),
        (257, torch.int16),
        (2**15, torch.int16),
        (2**15 + 1, torch.int32),
    ],
)
def test_smallest_int_holds_all_values_when_at_the_edge(n_values, dtype):
    assert smallest_int(n_values) is dtype
    assert int(torch.tensor(n_values - 1).to(dtype)) == n_values - 1


@pytest.mark.parametrize(("n_states", "n_classes"), [(5, 3), (300, 200)])
def test_code_tells_every_pair_apart_when_types_are_small(make_traces, n_states, n_classes):
    traces = make_traces([400], n_states, n_classes)
    pairs = zip(traces.state.tolist(), traces.prediction.tolist(), strict=True)
    assert traces.code.tolist() == [q * n_classes + y for q, y in pairs]
    assert int(traces.code.max()) < traces.n_codes == n_states * n_classes


def test_final_prediction_is_that_of_the_last_step_when_ragged(make_traces):
    traces = make_traces(LENGTHS)
    last = [prediction[-1] for _, prediction, _, _ in sequences(traces)]
    right = [a == y for a, (*_, y) in zip(last, sequences(traces), strict=True)]
    assert traces.final_prediction.tolist() == last
    assert traces.correct.tolist() == right
    assert traces.accuracy == sum(right) / len(right)


@pytest.mark.parametrize(("lengths", "width"), [(LENGTHS, None), (LENGTHS, 7), ([4, 4], None)])
def test_padded_code_ends_in_the_extra_code_when_shorter(make_traces, lengths, width):
    traces = make_traces(lengths)
    padded = traces.padded_code(width)
    assert padded.shape == (len(lengths), width or max(lengths))
    for row, start, length in zip(padded, traces.offsets, lengths, strict=False):
        assert row[:length].tolist() == traces.code[start : start + length].tolist()
        assert (row[length:] == traces.n_codes).all()


@pytest.mark.parametrize("rows", [[2, 0], [1, 1, 3], []])
def test_select_gives_these_sequences_when_rows_are_in_any_order(make_traces, rows):
    traces = make_traces(LENGTHS)
    selected = traces.select(torch.tensor(rows, dtype=torch.int64))
    assert sequences(selected) == [sequences(traces)[row] for row in rows]


def test_select_equals_positions_when_given_a_mask(make_traces):
    traces = make_traces(LENGTHS)
    mask = torch.tensor([True, False, False, True])
    assert_same(traces.select(mask), traces.select(torch.tensor([0, 3])))


@pytest.mark.parametrize("lengths", [LENGTHS, [4, 4, 4], []])
@pytest.mark.parametrize("n_states", [5, 300])
def test_load_gives_back_what_was_saved_when_reopened(make_traces, tmp_path, lengths, n_states):
    traces = make_traces(lengths, n_states)
    traces.save(tmp_path / "traces", "abc")
    assert_same(Traces.load(tmp_path / "traces"), traces)
    assert json.loads((tmp_path / "traces/manifest.json").read_text())["fingerprint"] == "abc"


def test_save_replaces_the_folder_when_it_exists(make_traces, tmp_path):
    make_traces(LENGTHS).save(tmp_path / "traces")
    other = make_traces([2, 2], seed=1)
    other.save(tmp_path / "traces")
    assert_same(Traces.load(tmp_path / "traces"), other)
    assert [path.name for path in tmp_path.iterdir()] == ["traces"]


def test_save_leaves_the_old_folder_when_it_fails(make_traces, tmp_path, monkeypatch):
    old = make_traces(LENGTHS)
    old.save(tmp_path / "traces")
    monkeypatch.setattr(json, "dumps", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        make_traces([2, 2]).save(tmp_path / "traces")
    monkeypatch.undo()
    assert_same(Traces.load(tmp_path / "traces"), old)
    assert [path.name for path in tmp_path.iterdir()] == ["traces"]


def test_loaded_traces_leave_the_file_alone_when_written_to(make_traces, tmp_path):
    traces = make_traces(LENGTHS)
    traces.save(tmp_path / "traces")
    Traces.load(tmp_path / "traces").label.fill_(99)
    assert_same(Traces.load(tmp_path / "traces"), traces)


def test_load_refuses_when_the_folder_is_foreign_or_of_another_version(make_traces, tmp_path):
    with pytest.raises(IncompatibleCheckpointError, match="manifest"):
        Traces.load(tmp_path)
    make_traces(LENGTHS).save(tmp_path / "traces")
    manifest = tmp_path / "traces/manifest.json"
    manifest.write_text(manifest.read_text().replace('"version": 2', '"version": 99'))
    with pytest.raises(IncompatibleCheckpointError, match="99"):
        Traces.load(tmp_path / "traces")


def batch_of(lengths, n_steps, first=0):
    g = torch.Generator().manual_seed(first)
    n = len(lengths)
    return SequenceBatch(
        torch.arange(n) + first + 50,
        torch.randn(n, n_steps, 3, generator=g),
        torch.tensor(lengths),
        torch.arange(n) % 2,
    )


def echo(batch):
    """A network whose hidden state is its input and whose prediction the largest unit."""
    last = batch.inputs[torch.arange(len(batch)), batch.lengths - 1]
    return RecurrentOutput(last, batch.inputs, batch.inputs, batch.lengths)


def test_prediction_of_the_last_step_is_the_networks_answer():
    """Two views of one network would count failures that are none, and repair them."""
    batch = batch_of([2, 4, 1], 4)
    output = echo(batch)
    output.logits = -output.logits  # a network that does more than its head on the last state
    part = hidden_batch(output, batch)
    assert torch.equal(part.prediction[torch.tensor([1, 5, 6])], output.logits.argmax(1))
    steps = torch.tensor([0, 2, 3, 4])
    expected = torch.cat([x[:n] for x, n in zip(batch.inputs, [2, 4, 1], strict=True)]).argmax(1)
    assert torch.equal(part.prediction[steps], expected[steps])


def test_mask_and_uniformity_agree_when_lengths_differ():
    batch = batch_of([2, 4, 1], 4)
    assert batch.mask.sum(1).tolist() == [2, 4, 1]
    assert batch.mask[0].tolist() == [True, True, False, False]
    assert not batch.is_uniform
    assert batch_of([4, 4], 4).is_uniform


@pytest.mark.parametrize("lengths", [[2, 4, 1], [4, 4, 4], [2, 2, 2]])
def test_hidden_states_holds_the_real_steps_when_padded(lengths):
    batch = batch_of(lengths, 4)
    batch.inputs[~batch.mask] = float("nan")  # what lies on padding is nobody's business
    part = hidden_batch(echo(batch), batch)
    expected = torch.cat([x[:n] for x, n in zip(batch.inputs, lengths, strict=True)])
    torch.testing.assert_close(part.hidden, expected, rtol=0, atol=0)
    torch.testing.assert_close(part.prediction, expected.argmax(1))
    assert part.lengths.tolist() == lengths
    assert part.index.tolist() == batch.index.tolist()
    assert part.label.tolist() == batch.label.tolist()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("lengths", [[2, 4, 3], [4, 4, 4]])
def test_hidden_states_names_the_sequence_when_not_finite(value, lengths):
    batch = batch_of(lengths, 4)
    batch.inputs[1, 3, 0] = value
    with pytest.raises(NonFiniteError, match=r"sequence 51 .* step 3"):
        hidden_batch(echo(batch), batch)


def test_hidden_states_passes_when_only_their_sum_overflows():
    batch = batch_of([4, 4], 4)
    batch.inputs[:] = 3e38
    part = hidden_batch(echo(batch), batch)
    assert (part.hidden == 3e38).all()


class Network(nn.Module):
    """Parts in different modes, as a user who freezes a layer leaves them."""

    def __init__(self):
        super().__init__()
        self.frozen = nn.BatchNorm1d(3).eval()
        self.dropout = nn.Dropout(0.5)


@pytest.mark.parametrize("fails", [False, True])
def test_evaluating_leaves_no_trace_when_it_ends(fails):
    network = Network()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    try:
        with evaluating(network):
            assert not network.training
            assert not network.dropout.training
            assert not torch.is_grad_enabled()
            torch.rand(17)
            if fails:
                raise ZeroDivisionError
    except ZeroDivisionError:
        assert fails
    assert [part.training for part in network.modules()] == [True, False, True]
    assert torch.is_grad_enabled()
    torch.testing.assert_close(torch.rand(3), expected, rtol=0, atol=0)


def test_evaluating_keeps_evaluation_mode_when_nested():
    network = Network().eval()
    with evaluating(network), evaluating(network):
        pass
    assert not any(part.training for part in network.modules())
