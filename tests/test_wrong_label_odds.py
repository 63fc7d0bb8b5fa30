"""Odds that labels are wrong, against planted ones, oracles and what must change nothing."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge
from sklearn.metrics import roc_auc_score

from rnnrepair.influence.labels import (
    input_features,
    is_far,
    kernel_labels,
    linear_labels,
    neighbour_labels,
    wrong_label_odds,
)
from rnnrepair.influence.labels.kernel import DAMPINGS, WIDTH
from rnnrepair.influence.labels.linear import DAMPING, ridge
from rnnrepair.influence.labels.parts import random_parts
from rnnrepair.sequences import SequenceBatch
from rnnrepair.traces import Traces

N, C = 3000, 3


@pytest.fixture(scope="module")
def planted():
    """Labels of which every tenth is wrong, and two kinds of evidence.

    Class 0 looks suspicious as a whole.
    """
    g = torch.Generator().manual_seed(0)
    label = torch.randint(C, (N,), generator=g)
    wrong = torch.arange(N) % 10 == 0
    noise = torch.randn(2, N, generator=g)
    evidence = torch.tensor([[2.5], [2.5]]) * wrong + noise + 4.0 * (label == 0)
    return evidence.double(), label, wrong


def auc(odds, wrong):
    return roc_auc_score(wrong.numpy(), odds.numpy())


def test_both_kinds_together_tell_more_than_each_and_how_many_there_are(planted):
    evidence, label, wrong = planted
    odds = wrong_label_odds(evidence, label)
    # As if somebody had told how class 0 looks.
    single = [auc(kind - 4.0 * (label == 0), wrong) for kind in evidence]
    assert auc(odds, wrong) > max(single) + 0.01
    # A class that looks suspicious as a whole is none the more so.
    assert auc(evidence.sum(0), wrong) < 0.85
    assert 0.8 * wrong.sum() < (odds > 0).sum() < 1.25 * wrong.sum()
    assert wrong[odds > 0].float().mean() > 0.75


def test_no_more_wrong_labels_are_expected_than_there_are(planted):
    evidence, label, wrong = planted
    free = wrong_label_odds(evidence, label)
    expected = free.double().sigmoid().sum() / N
    for rate in (0.0, 0.02, 0.06):
        assert rate < expected
        odds = wrong_label_odds(evidence, label, rate)
        assert odds.isfinite().all()
        assert odds.double().sigmoid().sum() == pytest.approx(rate * N, abs=1e-3)
        # The most suspicious ones are left.
        assert rate == 0 or wrong[odds > 0].float().mean() > 0.9
    assert torch.equal(wrong_label_odds(evidence, label, 0.5), free)


def test_hard_samples_that_all_kinds_doubt_are_not_taken_for_wrong_where_few_are():
    g = torch.Generator().manual_seed(5)
    label = torch.randint(C, (N,), generator=g)
    hard = 1.5 * torch.randn(N, generator=g)
    evidence = (hard + 0.5 * torch.randn(3, N, generator=g)).double()
    assert (wrong_label_odds(evidence, label) > 0).float().mean() > 0.05
    assert (wrong_label_odds(evidence, label, 0.005) > 0).float().mean() < 0.01


def test_what_is_added_to_a_whole_class_changes_nothing(planted):
    evidence, label, _ = planted
    moved = evidence + torch.tensor([[8.0], [-2.0]]) * label
    expected, found = (wrong_label_odds(e, label) for e in (evidence, moved))
    torch.testing.assert_close(found, expected)


def test_the_order_of_the_samples_changes_nothing(planted):
    evidence, label, _ = planted
    order = torch.randperm(N, generator=torch.Generator().manual_seed(1))
    found = wrong_label_odds(evidence[:, order], label[order])
    torch.testing.assert_close(found, wrong_label_odds(evidence, label)[order])


def test_evidence_of_which_nothing_is_known_has_no_say(planted):
    evidence, label, _ = planted
    more = torch.cat([evidence, torch.full((1, N), torch.nan)])
    assert torch.equal(wrong_label_odds(more, label), wrong_label_odds(evidence, label))
    alone = torch.cat([evidence[:1], torch.full((1, N), torch.nan)])
    assert torch.equal(wrong_label_odds(alone, label), evidence[0].float())
    some = evidence.clone()
    some[0, :50] = torch.nan
    assert wrong_label_odds(some, label).isfinite().all()


def test_evidence_that_says_nothing_does_little_harm(planted):
    evidence, label, wrong = planted
    noise = torch.randn(1, N, generator=torch.Generator().manual_seed(2)).double()
    with_noise = auc(wrong_label_odds(torch.cat([evidence, noise]), label), wrong)
    assert with_noise > auc(wrong_label_odds(evidence, label), wrong) - 0.01


def classes(n=400, k=6, seed=0):
    g = torch.Generator().manual_seed(seed)
    label = torch.arange(n) % C
    centre = 3 * torch.randn(C, k, generator=g)
    return (centre[label] + torch.randn(n, k, generator=g)).numpy(), label


@pytest.mark.parametrize("form", [np.asarray, csr_array])
def test_ridge_is_that_of_scikit_learn(form):
    features, label = classes()
    wanted = np.eye(C)[label.numpy()]
    found = ridge(form(features), wanted)
    alpha = DAMPING * (features**2).sum()
    expected = Ridge(alpha=alpha, fit_intercept=False).fit(features, wanted).coef_.T
    np.testing.assert_allclose(found, expected, rtol=1e-2, atol=1e-3)


def nearest(*given):
    return neighbour_labels(*given)[0]


def smooth(features, *given):
    return kernel_labels(torch.from_numpy(features), *given)


def test_the_kernel_model_is_ridge_regression_in_each_part():
    features, label = classes(n=300)
    found = smooth(features, label, C).double()
    values = torch.from_numpy(features).double()
    usual = torch.pdist(values).median()
    wanted = np.eye(C)[label.numpy()] - 1 / C
    parts = [part.numpy() for part in random_parts(torch.arange(300), "kernel model of labels")]

    def told(p, without, damping):
        here = np.concatenate([parts[q] for q in range(5) if q not in without])
        gamma = float(1 / (2 * (WIDTH * usual) ** 2))
        model = KernelRidge(alpha=damping * len(here), kernel="rbf", gamma=gamma)
        return model.fit(features[here], wanted[here]).predict(features[parts[p]])

    for p in range(5):
        q = (p + 1) % 5
        errors = [((told(q, (p, q), d) - wanted[parts[q]]) ** 2).sum() for d in DAMPINGS]
        expected = told(p, (p,), DAMPINGS[int(np.argmin(errors))]) + 1 / C
        # All samples are centres: the approximation is exact.
        np.testing.assert_allclose(found[parts[p]], expected, atol=1e-3)


def test_the_kernel_model_says_the_same_with_several_threads():
    features, label = classes(n=1500)
    one = smooth(features, label, C)
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    try:
        torch.testing.assert_close(smooth(features, label, C), one, atol=1e-4, rtol=0)
    finally:
        torch.set_num_threads(before)


def test_copies_of_one_sample_have_the_kernel_model_say_how_often_labels_are():
    label = torch.arange(100) % 4 // 3
    found = kernel_labels(torch.zeros(100, 3), label, 2)
    torch.testing.assert_close(found[:, 1], torch.full((100,), 0.25), atol=0.05, rtol=0)


def test_inputs_of_few_dimensions_are_judged():
    g = torch.Generator().manual_seed(0)
    phase = 6.28 * torch.rand(3000, 1, generator=g)
    waves = torch.cat([(12.6 * torch.linspace(0, 1, 40) + phase).sin(), torch.zeros(3000, 10)], 1)
    label = (phase[:, 0] > 3.14).long()
    assert (kernel_labels(waves, label, 2).argmax(1) == label).float().mean() > 0.98


@pytest.mark.parametrize("judge", [linear_labels, nearest, smooth])
def test_no_sample_has_a_say_in_what_is_said_of_it(judge):
    features, label = classes()
    other = label.clone()
    other[7] = (label[7] + 1) % C
    before, after = (judge(features, y, C) for y in (label, other))
    assert torch.equal(before[7], after[7])
    assert not torch.equal(before, after)
    assert (before.argmax(1) == label).float().mean() > 0.9


def test_neighbours_are_those_of_brute_force():
    features, label = classes(n=60)
    distance = torch.cdist(*2 * [torch.from_numpy(features).double()]).fill_diagonal_(torch.inf)
    near = distance.argsort(1)[:, :20]
    expected = torch.stack([(label[near] == c).float().mean(1) for c in range(C)], 1)
    found, far = neighbour_labels(features, label, C)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(far, distance.gather(1, near).mean(1).float())


def test_far_is_what_lies_above_tukeys_fence():
    usual = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])
    assert is_far(torch.tensor([7.0, 7.01]), usual).tolist() == [False, True]
    # Copies all over: what has none is not far for that.
    assert not is_far(torch.tensor([9.0]), torch.zeros(5)).any()


def of_sequences(sequences):
    """Traces of sequences, and what fetches them; nothing but the lengths and the index is read."""
    lengths = torch.tensor([len(s) for s in sequences])
    padded = torch.nn.utils.rnn.pad_sequence(sequences, batch_first=True)
    n = len(sequences)
    steps = int(lengths.sum())
    offsets = torch.cat([torch.zeros(1).long(), lengths.cumsum(0)])
    nothing = torch.zeros(steps, dtype=torch.int8)
    token = None if padded.is_floating_point() else torch.cat(sequences).int()
    label = torch.zeros(n).long()
    traces = Traces(nothing, nothing, offsets, torch.arange(n), label, 1, 2, token)

    def fetch(index):
        inputs = padded[index][:, : int(lengths[index].max())]
        return SequenceBatch(index, inputs, lengths[index], label[index])

    return traces, fetch


def test_features_keep_the_distances_of_short_series():
    g = torch.Generator().manual_seed(3)
    sequences = [torch.randn(8, 3, generator=g) for _ in range(40)]
    found = torch.from_numpy(input_features(*of_sequences(sequences))).double()
    expected = torch.stack(sequences).flatten(1).double()
    torch.testing.assert_close(
        torch.cdist(found, found), torch.cdist(expected, expected), rtol=1e-3, atol=1e-3
    )


def test_a_series_twice_as_slow_has_the_same_features():
    g = torch.Generator().manual_seed(4)
    sequences = [torch.randn(6, 2, generator=g) for _ in range(20)]
    slow = [s.repeat_interleave(2, 0) for s in sequences]
    found = torch.from_numpy(input_features(*of_sequences([*sequences, *slow])))
    torch.testing.assert_close(found[:20], found[20:], rtol=1e-3, atol=1e-3)


def test_features_of_texts_know_which_words_there_are_not_their_order():
    texts = [torch.tensor(t) for t in ([3, 4, 5], [5, 3, 4, 4], [6, 7], [3, 7])]
    found = input_features(*of_sequences(texts)).toarray()
    np.testing.assert_allclose((found**2).sum(1), 1, rtol=1e-5)
    np.testing.assert_allclose(found[0], found[1])
    assert (found[0] @ found[2]) == 0
    # Rare words weigh more.
    assert found[2, 6] > found[2, 7]


def test_a_kind_that_is_told_twice_may_count_half(planted):
    evidence, label, _ = planted
    twice = torch.cat([evidence, evidence[1:]])
    halved = wrong_label_odds(twice, label, 0.1, [1, 0.5, 0.5])
    torch.testing.assert_close(halved, wrong_label_odds(evidence, label, 0.1), atol=0.05, rtol=0)


def test_labels_are_told_apart_within_a_range_of_evidence():
    """A fifth of the labels is wrong, in the same ranges as right ones that stand out less."""
    g = torch.Generator().manual_seed(5)
    label = torch.randint(2, (600,), generator=g)
    wrong = torch.arange(600) % 5 == 0
    evidence = 3 * wrong + torch.randn(2, 600, generator=g)
    odds = wrong_label_odds(evidence.double(), label, 0.2)
    assert len(odds.unique()) > 400
    assert odds[wrong].mean() > 0 > odds[~wrong].mean()
