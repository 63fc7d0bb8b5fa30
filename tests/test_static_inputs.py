"""Static inputs: samples are compared by them too, as a label may hang on them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import one_hot

from rnnrepair.influence import suspect_labels
from rnnrepair.influence.inputs import input_distances
from rnnrepair.influence.labels import input_features
from rnnrepair.influence.static_inputs import StaticInputs
from rnnrepair.sequences import SequenceBatch
from rnnrepair.traces import Traces
from tests.conftest import random_model, view_of

N, T = 600, 10


def heated(tokens=False, seed=0):
    """Sequences that rise or fall in one of two modes: in the rare one the labels are swapped."""
    g = torch.Generator().manual_seed(seed)
    rises = torch.arange(N) % 2
    cools = (torch.rand(N, generator=g) < 0.1).long()
    if tokens:
        inputs = torch.randint(2, 20, (N, T), generator=g)
        inputs[:, :4] = 20 + 4 * rises[:, None] + torch.randint(0, 4, (N, 4), generator=g)
    else:
        slope = torch.linspace(0, 2, T) * (2 * rises - 1)[:, None]
        inputs = (slope + 0.3 * torch.randn(N, T, generator=g))[..., None]
    label = rises ^ cools
    # The network has not learnt the rare mode yet.
    said = rises.to(torch.uint8).repeat_interleave(T)
    token = inputs.flatten().int() if tokens else None
    index = torch.arange(N)
    traces = Traces(said, said, torch.arange(N + 1) * T, index, label, 5, 2, token)

    def fetch(asked, *, told=True):
        static = {"mode": cools[asked].float()[:, None], "unit": torch.ones(len(asked))}
        lengths = torch.full((len(asked),), T)
        return SequenceBatch(asked, inputs[asked], lengths, label[asked], static if told else {})

    return traces, fetch, cools == 1


@pytest.mark.parametrize("tokens", [False, True])
def test_labels_that_hang_on_a_static_input_are_not_suspect(tokens):
    traces, fetch, cools = heated(tokens)
    view = view_of(random_model(), traces)
    blind = suspect_labels(replace(view, fetch=lambda asked: fetch(asked, told=False)))
    found = suspect_labels(replace(view, fetch=fetch))
    assert blind.suspect[cools].float().mean() > 0.8
    assert found.suspect.float().mean() < 0.01


def test_they_count_as_much_as_the_sequence_and_constants_nothing():
    _, fetch, _ = heated()
    batch = fetch(torch.arange(N))
    scale = StaticInputs.of(batch, 7.0)
    vectors = scale.vectors(batch)
    assert vectors.shape == (N, 2)
    torch.testing.assert_close(vectors.var(0, correction=0), torch.tensor([7.0, 0.0]))
    torch.testing.assert_close(vectors.mean(0), torch.zeros(2), atol=1e-5, rtol=0)
    # Names in another order are the same inputs.
    turned = replace(batch, static=dict(reversed(batch.static.items())))
    assert torch.equal(scale.vectors(turned), vectors)
    one = fetch(torch.tensor([0]))
    assert torch.equal(StaticInputs.of(one, 7.0).vectors(one), torch.zeros(1, 2))
    features = input_features(*heated()[:2])
    np.testing.assert_allclose(
        features[:, :-2].var(0).sum(), features[:, -2:].var(0).sum(), rtol=1e-4
    )


def test_distances_are_those_of_brute_force():
    traces, fetch, _ = heated()
    rows = torch.tensor([3, 1, 400])
    found = input_distances(traces, traces.select(torch.arange(5)), fetch)(rows)
    batch = fetch(torch.arange(N))
    values = batch.inputs.flatten(1)
    mode = batch.static["mode"]
    spread = values.var(0).sum()
    mode = (mode - mode.mean()) / mode.std(correction=0) * spread.sqrt()
    both = torch.cat([values, mode], 1)
    torch.testing.assert_close(found, torch.cdist(both[rows], both[:5]), rtol=1e-4, atol=1e-4)


def test_cosines_of_texts_are_those_of_brute_force():
    traces, fetch, _ = heated(tokens=True)
    rows = torch.tensor([3, 1, 400])
    found = input_distances(traces, traces.select(torch.arange(5)), fetch)(rows)
    batch = fetch(torch.arange(N))
    counts = one_hot(batch.inputs, 30).sum(1).float()
    mode = batch.static["mode"]
    mode = (mode - mode.mean()) / mode.std(correction=0)
    both = torch.cat([counts / counts.norm(dim=1, keepdim=True), mode], 1)
    both = both / both.norm(dim=1, keepdim=True)
    torch.testing.assert_close(found, 1 - both[rows] @ both[:5].T, rtol=1e-4, atol=1e-4)
