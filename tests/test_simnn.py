"""SimNN by look-ups against the dense matrix that it stands for."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from rnnrepair.studies import fit_simnn
from rnnrepair.studies.simnn import CodeSums

LENGTHS = [[6] * 2000, [4, 6, 1, 3] * 20]


def dense(traces, features, n_steps):
    """(N, T * F): what a SimNN of the original is trained on."""
    return features[traces.padded_code(n_steps).long()].flatten(1)


def with_many_right(traces):
    """Let about half of the traces be classified correctly."""
    traces.label[::2] = traces.final_prediction[::2]
    return traces


@pytest.mark.parametrize("lengths", LENGTHS)
def test_sums_and_their_transpose_are_those_of_the_one_hot_matrix(make_traces, lengths):
    traces = make_traces(lengths)
    sums = CodeSums(traces, n_steps=7)
    assert len(sums._levels) > 1 or len(lengths) < 100  # runs are joined where it pays
    rows = 7 * (traces.n_codes + 1)
    member = traces.padded_code(7).long() + torch.arange(7) * (traces.n_codes + 1)
    one_hot = torch.zeros(len(traces), rows).scatter_(1, member, 1.0)[:, sums.used]
    table, gradient = torch.randn(len(sums.used), 5), torch.randn(len(traces), 5)
    torch.testing.assert_close(sums(table), one_hot @ table, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(
        sums.transposed(gradient), one_hot.T @ gradient, rtol=1e-4, atol=1e-3
    )


@pytest.mark.parametrize("lengths", LENGTHS)
def test_training_is_that_of_a_dense_linear_layer(make_traces, lengths):
    traces = with_many_right(make_traces(lengths))
    features = torch.rand(2, traces.n_codes + 1, 4)
    features[1, :, 2] = 0  # a feature set leaves columns out
    simnn = fit_simnn(traces, features, [3, 4], n_steps=6, steps=5)
    first = fit_simnn(traces, features, [3, 4], n_steps=6, steps=0)
    right = traces.select(traces.correct)
    for model in range(2):
        weight = first.weight[model].flatten(0, 1).clone().requires_grad_()
        bias = first.bias[model].clone().requires_grad_()
        optimizer = torch.optim.Adam([weight, bias], lr=0.02)
        x = dense(right, features[model], 6)
        for _ in range(5):
            optimizer.zero_grad()
            logits = x @ weight + bias
            loss = cross_entropy(logits, right.label)
            loss.backward()
            optimizer.step()
        torch.testing.assert_close(simnn.weight[model].flatten(0, 1), weight, rtol=0, atol=2e-4)
        torch.testing.assert_close(simnn.bias[model], bias, rtol=0, atol=2e-4)
        assert simnn.loss[model] == pytest.approx(loss.item(), abs=1e-4)
        predicted = (dense(traces, features[model], 6) @ weight + bias).argmax(1)
        expected = float((predicted == traces.label).double().mean())
        assert float(simnn.accuracy(traces)[model]) == pytest.approx(
            expected, abs=1.5 / len(traces)
        )


def test_seeds_make_different_models_and_equal_ones_the_same(make_traces):
    traces = with_many_right(make_traces([4] * 50))
    features = torch.rand(1, traces.n_codes + 1, 4).expand(3, -1, -1)
    simnn = fit_simnn(traces, features, [0, 1, 0], n_steps=4, steps=3)
    assert torch.equal(simnn.weight[0], simnn.weight[2])
    assert not torch.equal(simnn.weight[0], simnn.weight[1])


def test_what_can_be_learnt_is_learnt(make_traces):
    traces = make_traces([5] * 300)
    traces.label.copy_(traces.final_prediction)
    features = torch.eye(traces.n_codes + 1)[None]
    simnn = fit_simnn(traces, features, [0], n_steps=5, steps=200)
    assert float(simnn.train_accuracy) == 1
    assert float(simnn.accuracy(traces)) == 1
