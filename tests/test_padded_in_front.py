"""Texts that are padded in front: the network reads that, and texts are compared without it."""

import numpy as np
import pytest
import torch
from torch import nn

from rnnrepair import explain
from rnnrepair.datamodules import ArrayDataModule
from rnnrepair.influence.inputs import input_distances, tokens_of
from rnnrepair.influence.near_copies import nearly_same
from rnnrepair.sequences import SequenceBatch, offsets_of
from rnnrepair.traces import Traces
from tests.conftest import random_model, view_of

WIDTH = 12


def texts(n=60, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.integers(1, 30, rng.integers(2, WIDTH)).tolist() for _ in range(n)]


def padded(words, front):
    rows = np.zeros((len(words), WIDTH), dtype=np.int64)
    for row, text in zip(rows, words, strict=True):
        row[slice(WIDTH - len(text), None) if front else slice(len(text))] = text
    return rows


def data_of(words, front, **options):
    label = [text[-1] % 2 for text in words]
    arrays = padded(words, front)
    data = ArrayDataModule(
        arrays[:40], label[:40], arrays[40:], label[40:], repair_share=0, val_share=0, **options
    )
    data.setup("fit")
    return data


@pytest.mark.parametrize("empty", [False, True])
def test_the_token_that_stands_in_front_is_found_and_told(empty):
    words = texts()
    if empty:
        words[3] = [0] * WIDTH
    data = data_of(words, front=True)
    assert data.form.in_front == 0
    assert "texts are compared without the 0 that stand in front" in data.form.told
    # The network reads it.
    assert (data.lengths_of(torch.arange(60)) == WIDTH).all()


@pytest.mark.parametrize(
    "arrays",
    [
        padded(texts(), front=False),
        np.random.default_rng(0).integers(0, 30, (60, WIDTH)),
        # A token that stands elsewhere too means something.
        padded([[*text[:1], 0, *text[1:]][:WIDTH] for text in texts()], front=True),
        # The end of a series may be silence.
        padded(texts(), front=True)[..., None].astype(np.float32),
    ],
)
def test_nothing_else_is_taken_for_padding_in_front(arrays):
    label = [int(row.sum()) % 2 for row in arrays]
    data = ArrayDataModule(arrays[:40], label[:40], arrays[40:], label[40:], repair_share=0)
    data.setup("fit")
    assert data.form.in_front is None
    assert data.fetch(torch.arange(3)).in_front is None


def test_batches_without_it_hold_the_texts_alone():
    words = [*texts(8), []]
    inputs = torch.from_numpy(padded(words, front=True))
    lengths = torch.full((9,), WIDTH)
    index = torch.arange(9)
    batch = SequenceBatch(index, inputs, lengths, index, beside={"copy": inputs}, in_front=0)
    found = batch.without_front()
    # Where nothing else stands there, one is left: every sequence has a step.
    expected = [*words[:-1], [0]]
    assert [row.tolist() for row in found.sequences()] == expected
    copied = [row[:n].tolist() for row, n in zip(found.beside["copy"], found.lengths, strict=True)]
    assert copied == expected
    assert batch.rows(index[:2]).without_front().lengths.tolist() == list(map(len, words[:2]))
    assert batch.to("cpu").in_front == 0
    plain = SequenceBatch(index, inputs, lengths, index)
    assert plain.without_front() is plain


def traces_of(data):
    index = torch.arange(60)
    batch = data.fetch(index)
    n_steps = int(batch.lengths.sum())
    token = batch.inputs[batch.mask].int()
    nothing = torch.zeros(n_steps, dtype=torch.uint8)
    return Traces(nothing, nothing, offsets_of(batch.lengths), index, batch.label, 1, 2, token)


def test_texts_are_as_near_as_if_they_were_padded_behind():
    words = texts()
    front, behind = (data_of(words, front=front) for front in (True, False))
    rows = torch.arange(60)
    compared, copies = [], []
    for data in (front, behind):
        traces = traces_of(data)
        token, offsets = tokens_of(traces, data.fetch)
        assert [t.tolist() for t in token.split(offsets.diff().tolist())] == words
        compared.append(input_distances(traces, traces, data.fetch)(rows))
        view = view_of(random_model(), traces)
        view = type(view)(**{**vars(view), "fetch": data.fetch})
        copies.append(nearly_same(view, traces, rows.expand(60, -1), 0.3))
    assert torch.equal(*compared)
    assert torch.equal(*copies)
    assert not copies[0].all()


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(30, 8, padding_idx=0)
        self.rnn = nn.LSTM(8, 12, batch_first=True)
        self.head = nn.Linear(12, 2)

    def forward(self, x):
        return self.head(self.rnn(self.embedding(x))[0][:, -1])


def test_failures_among_short_texts_gather_by_their_length():
    """Short texts go by their first word, in the test set alone; padded, all are equally long."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    words = [rng.integers(1, 30, n).tolist() for n in rng.integers(3, WIDTH, 900)]
    label = np.array([text[-1] < 15 for text in words]).astype(int)
    short = np.array([len(text) < 5 for text in words])
    test = np.arange(900) >= 500
    label[test & short] = [words[i][0] < 15 for i in np.flatnonzero(test & short)]
    arrays = padded(words, front=True)
    net = Reader()
    optimizer = torch.optim.Adam(net.parameters(), 1e-2)
    inputs, wanted = torch.from_numpy(arrays[:500]), torch.from_numpy(label[:500])
    for _ in range(150):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(inputs), wanted).backward()
        optimizer.step()
    data = ArrayDataModule(
        *(arrays[:500], label[:500], arrays[500:], label[500:]), repair_share=0, val_share=0
    )
    found = explain(net, data)
    assert found.accuracy < 0.95
    assert any("steps long" in pattern.description for pattern in found.gathered)
    assert "texts are compared without" in data.form.told
