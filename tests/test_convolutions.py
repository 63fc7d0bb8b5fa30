"""Random convolutions, and when labels are judged by them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import pad_sequence

from rnnrepair.influence import suspect_labels
from rnnrepair.influence.labels import input_features, kernel_labels, neighbour_labels
from rnnrepair.influence.labels.convolutions import TAPS, RandomConvolutions
from rnnrepair.sequences import SequenceBatch, offsets_of
from rnnrepair.traces import Traces
from tests.conftest import random_model, view_of

LENGTHS = torch.tensor([30, 7, 1, 19, 26, 12])


def batch_of(lengths=LENGTHS, n_channels=3, padding=0.0, seed=0):
    g = torch.Generator().manual_seed(seed)
    inputs = torch.randn(len(lengths), int(lengths.max()), n_channels, generator=g)
    made = SequenceBatch(torch.arange(len(lengths)), inputs, lengths, torch.zeros_like(lengths))
    return replace(made, inputs=inputs.masked_fill(~made.mask[..., None], padding))


@pytest.mark.parametrize("n_channels", [1, 3])
def test_features_are_those_of_brute_force(n_channels):
    batch = batch_of(n_channels=n_channels)
    convolutions = RandomConvolutions.of(batch)
    found, place = convolutions.features(batch).double(), 0
    for kernels in convolutions.kernels:
        n = len(kernels.level)
        each = n // convolutions.mixture.shape[1]
        for k in (0, n // 2, n - 1):
            mixture = convolutions.mixture[:, k // each]
            for row, sequence in enumerate(batch.sequences()):
                mixed = ((sequence - convolutions.mean) @ mixture).tolist()
                answers = [
                    sum(
                        float(kernels.weight[k, 0, tap]) * mixed[at]
                        for tap in range(TAPS)
                        if 0 <= (at := step + (tap - TAPS // 2) * kernels.dilation) < len(mixed)
                    )
                    for step in range(len(mixed))
                ]
                above = np.mean(np.array(answers) > float(kernels.level[k]))
                assert found[row, place + k] == pytest.approx(above, abs=0.04)
                assert found[row, place + n + k] == pytest.approx(max(answers), rel=1e-3, abs=1e-4)
        place += 2 * n
    assert place == found.shape[1]


@pytest.mark.parametrize("padding", [-1.0, torch.inf, torch.nan])
def test_neither_padding_nor_the_batch_changes_anything(padding):
    plain, odd = batch_of(), batch_of(padding=padding)
    expected = RandomConvolutions.of(plain).features(plain)
    convolutions = RandomConvolutions.of(odd)
    assert torch.equal(convolutions.features(odd), expected)
    torch.testing.assert_close(
        convolutions.features(odd.rows(torch.tensor([3, 1]), 19)), expected[[3, 1]]
    )


def test_units_of_channels_and_channels_that_never_change_make_no_difference():
    batch = batch_of()
    expected = RandomConvolutions.of(batch).features(batch)
    # By powers of two nothing is rounded.
    scaled = replace(batch, inputs=batch.inputs * torch.tensor([1024.0, 1.0, 2.0**-10]))
    found = RandomConvolutions.of(scaled).features(scaled)
    torch.testing.assert_close(found, expected)
    still = replace(batch, inputs=torch.full_like(batch.inputs, 3.0))
    assert RandomConvolutions.of(still).features(still).isfinite().all()


N, T = 900, 60


def disturbed(seed=0, share=0.0):
    """Waves of any phase, undisturbed, damped or noisy for a while; some labels are wrong."""
    g = torch.Generator().manual_seed(seed)
    true, step = torch.arange(N) % 3, torch.arange(T)
    begin = torch.randint(10, 30, (N, 1), generator=g)
    part = (step >= begin) & (step < begin + 20)
    wave = (0.3 * step + 6.28 * torch.rand(N, 1, generator=g)).sin()
    wave = torch.where(part & (true == 1)[:, None], 0.6 * wave, wave)
    noise = torch.randn(2, N, T, generator=g)
    wave += 0.05 * noise[0] + 0.3 * noise[1] * (part & (true == 2)[:, None])
    wrong = torch.rand(N, generator=g) < share
    label = torch.where(wrong, (true + 1) % 3, true)
    # The network has learnt all labels by heart.
    said = label.to(torch.uint8).repeat_interleave(T)
    lengths = torch.full((N,), T)
    traces = Traces(said, said, offsets_of(lengths), torch.arange(N), label, 5, 3)

    def fetch(asked):
        return SequenceBatch(asked, wave[asked][..., None], lengths[asked], label[asked])

    return replace(view_of(random_model(), traces), fetch=fetch), true, wrong


def test_what_may_occur_anywhere_is_seen_by_convolutions():
    view, true, _ = disturbed()
    features = torch.from_numpy(input_features(view.traces, view.fetch))
    assert (kernel_labels(features, true, 3).argmax(1) == true).float().mean() > 0.95
    batch = view.fetch(torch.arange(N))
    step_by_step = kernel_labels(batch.inputs.flatten(1), true, 3).argmax(1)
    assert (step_by_step == true).float().mean() < 0.75


@pytest.mark.parametrize("seed", [0, 1])
def test_wrong_labels_of_such_series_are_found_and_right_ones_left(seed):
    view, true, wrong = disturbed(seed, share=0.08)
    found = suspect_labels(view)
    assert found.suspect[wrong].float().mean() > 0.85
    assert wrong[found.suspect].float().mean() > 0.85
    assert (found.suggested[wrong & found.suspect] == true[wrong & found.suspect]).all()
    clean, _, _ = disturbed(seed)
    assert suspect_labels(clean).suspect.float().mean() <= 0.01


def test_held_out_series_are_described_by_what_training_has_in_common():
    view, _, _ = disturbed()
    traces = view.traces
    both = input_features(traces.between(0, 600), view.fetch, 0, traces.between(600, N))
    alone = input_features(traces.between(0, 600), view.fetch)
    np.testing.assert_allclose(both[:600], alone, rtol=1e-4, atol=1e-4)
    judged = kernel_labels(torch.from_numpy(both), traces.label[:600], 3)
    assert (judged[600:].argmax(1) == traces.label[600:]).float().mean() > 0.9
    votes, _ = neighbour_labels(both, traces.label[:600], 3)
    assert (votes[600:].argmax(1) == traces.label[600:]).float().mean() > 0.8


def images(n=300):
    """Rows whose place tells the class: nothing that convolutions see."""
    g = torch.Generator().manual_seed(0)
    label = torch.arange(n) % 3
    inputs = 0.3 * torch.randn(n, 12, 4, generator=g)
    inputs[torch.arange(n), 4 * label] += 1
    return inputs, label


def test_what_stands_in_its_place_is_compared_step_by_step():
    inputs, label = images()
    lengths = torch.full((300,), 12)
    zeros = torch.zeros(3600, dtype=torch.uint8)
    traces = Traces(zeros, zeros, offsets_of(lengths), torch.arange(300), label, 1, 3)

    def fetch(asked):
        return SequenceBatch(asked, inputs[asked], lengths[asked], label[asked])

    found = torch.from_numpy(input_features(traces, fetch)).double()
    values = inputs.flatten(1).double()
    # 48 numbers are no more than the components that are kept.
    torch.testing.assert_close(
        torch.cdist(found, found), torch.cdist(values, values), rtol=1e-3, atol=1e-3
    )


def test_series_of_any_length_are_described():
    g = torch.Generator().manual_seed(0)
    series = [
        torch.randn(int(n), 2, generator=g) for n in torch.randint(1, 40, (250,), generator=g)
    ]
    inputs = pad_sequence(series, batch_first=True)
    lengths = torch.tensor(list(map(len, series)))
    batch = SequenceBatch(torch.arange(250), inputs, lengths, torch.arange(250) % 2)
    assert RandomConvolutions.of(batch).features(batch).isfinite().all()
