"""What data are padded with changes nothing that is computed of them, NaN included."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from rnnrepair.edits import ImageEdits, SeriesEdits, apply_edits
from rnnrepair.influence import Curvature, LossGradients, Parts, input_distances
from rnnrepair.influence.labels.features import input_features
from rnnrepair.models import SequenceClassifier
from rnnrepair.models.stacked import Stack
from rnnrepair.patterns.vectors import vectors_of
from rnnrepair.sequences import DataSpec, Kind, SequenceBatch, offsets_of
from rnnrepair.traces import Traces

LENGTHS = torch.tensor([9, 3, 6, 1, 9, 5])
N, T, F, C = len(LENGTHS), 9, 4, 3
PADDINGS = [-1.0, torch.inf, torch.nan]


def batch(padding: float) -> SequenceBatch:
    g = torch.Generator().manual_seed(0)
    inputs, label = torch.randn(N, T, F, generator=g), torch.randint(0, C, (N,), generator=g)
    made = SequenceBatch(torch.arange(N), inputs, LENGTHS, label)
    return replace(made, inputs=inputs.masked_fill(~made.mask[..., None], padding))


def fetch_of(padding):
    whole = batch(padding)
    return lambda index: whole.rows(index, int(LENGTHS[index].max()))


def traces() -> Traces:
    steps = int(LENGTHS.sum())
    zeros = torch.zeros(steps, dtype=torch.uint8)
    return Traces(zeros, zeros, offsets_of(LENGTHS), torch.arange(N), batch(0).label, 1, C)


@pytest.mark.parametrize("padding", PADDINGS)
def test_what_is_behind_the_end_is_zero(padding):
    assert torch.equal(batch(padding).zero_padded, batch(0.0).inputs)


@pytest.mark.parametrize("padding", PADDINGS)
def test_sequences_are_compared_by_what_stands_in_them(padding):
    found, expected = (
        input_distances(traces(), traces(), fetch_of(p))(torch.tensor([3, 1, 5, 0]))
        for p in (padding, 0.0)
    )
    assert torch.equal(found, expected)
    assert torch.equal(
        torch.as_tensor(input_features(traces(), fetch_of(padding))),
        torch.as_tensor(input_features(traces(), fetch_of(0.0))),
    )


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("kind", ["image", "series"])
def test_edits_and_the_vectors_of_what_they_make_are_of_the_sequences(padding, kind):
    spec = DataSpec(Kind(kind), F, C)
    edits = ImageEdits() if kind == "image" else SeriesEdits()
    vectors = []
    for made in (batch(padding), batch(0.0)):
        drawn = edits.draw(N, torch.Generator().manual_seed(1))
        edited = apply_edits(made.inputs, drawn, made.lengths)
        vectors.append(vectors_of(replace(made, inputs=edited), spec, T))
    assert torch.equal(*vectors)


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_gradients_and_curvature_are_of_the_sequences(padding, kind):
    torch.manual_seed(0)
    parts = Parts(kind(F, 5, batch_first=True), nn.Linear(5, C))
    found, expected = (LossGradients(parts).gradients(batch(p)) for p in (padding, 0.0))
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    curvature = Curvature(parts)
    weights = curvature.layout.flat(parts.parameters())
    directions = torch.randn(2, len(weights), generator=torch.Generator().manual_seed(2))
    products = [
        curvature.gauss_newton_products(weights, batch(p), directions) for p in (padding, 0.0)
    ]
    assert torch.equal(*products)


@pytest.mark.parametrize("padding", PADDINGS)
def test_networks_in_a_stack_learn_from_the_sequences(padding):
    torch.manual_seed(0)
    networks = [SequenceClassifier(F, C, hidden_size=5) for _ in range(2)]
    found = []
    for made in (batch(padding), batch(0.0)):
        stack = Stack(networks)
        stack.losses(
            made, made.label.expand(2, -1), torch.ones(2, N, dtype=torch.bool)
        ).sum().backward()
        found.append({name: weight.grad for name, weight in stack.weights.items()})
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[1])
