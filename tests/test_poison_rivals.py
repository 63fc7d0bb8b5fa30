"""Ways of the field to find poison, against their definitions and on states with planted poison."""

import numpy as np
import pytest
import torch

from rnnrepair.influence import (
    ActivationClustering,
    BackdoorKeywords,
    FinalLoss,
    SpectralSignatures,
    TrainingView,
)
from rnnrepair.influence.activation_clustering import ClusteringScorer
from rnnrepair.influence.final_states import final_states
from rnnrepair.influence.keywords import COMMON, KeywordScorer, word_importance
from rnnrepair.influence.spectral import SpectralScorer
from rnnrepair.models import SequenceClassifier
from rnnrepair.network import verified
from rnnrepair.sequences import SequenceBatch
from tests.conftest import random_traces, trained


@pytest.fixture
def text_view(text_case):
    data = text_case.data
    network = trained(SequenceClassifier(6, 3, hidden_size=8, vocabulary_size=20), data)
    fit = text_case.fit
    return TrainingView(fit, text_case.abstract, len(fit), verified(network, data), data.fetch)


@pytest.fixture
def states():
    """States of 300 samples of 3 labels; some of label 2 lie apart, along one direction."""
    traces = random_traces([3] * 300, n_classes=3)
    g = torch.Generator().manual_seed(8)
    ends = torch.randn(300, 20, generator=g)
    poison = (traces.label == 2).nonzero()[:12, 0]
    ends[poison, :4] += 6
    return traces, ends, poison


def test_spectral_scores_are_the_squared_projections_on_the_first_component(states):
    traces, ends, poison = states
    own = SpectralScorer(traces, ends).own()
    for c in range(3):
        rows = traces.label == c
        centred = (ends[rows] - ends[rows].mean(0)).double().numpy()
        values, vectors = np.linalg.eigh(centred.T @ centred)
        squared = (centred @ vectors[:, -1]) ** 2
        np.testing.assert_allclose(
            own[rows].numpy(),
            squared / np.sort(squared)[(len(squared) - 1) // 2],
            rtol=1e-3,
            atol=1e-4,
        )
        assert values[-1] > 0
    assert set(own.argsort(descending=True)[:12].tolist()) == set(poison.tolist())


def test_the_smaller_cluster_comes_first(states):
    traces, ends, poison = states
    own = ClusteringScorer(traces, ends).own()
    assert set(own.argsort(descending=True)[:12].tolist()) == set(poison.tolist())
    same = ClusteringScorer(traces, ends).own()
    assert torch.equal(own, same)


def test_a_label_of_equal_states_has_no_clusters():
    traces = random_traces([2] * 30, n_classes=3)
    own = ClusteringScorer(traces, torch.ones(30, 4)).own()
    assert (own == 0).all()


def test_final_states_are_those_of_the_last_steps(text_view):
    ends = final_states(text_view)
    batch = text_view.fetch(text_view.traces.index)
    with torch.no_grad():
        hidden = text_view.network.module.eval().trace(batch).hidden
    rows = torch.arange(len(batch))
    torch.testing.assert_close(ends, hidden[rows, batch.lengths - 1])


def test_importance_of_a_word_is_its_change_and_what_the_end_is_without_it(text_view):
    batch = text_view.fetch(text_view.traces.index[:15])
    found = word_importance(text_view.network, batch).split(batch.lengths.tolist())
    module = text_view.network.module.eval()

    def states(tokens):
        if not len(tokens):
            return torch.zeros(1, 8)
        one = SequenceBatch(
            torch.zeros(1).long(), tokens[None], torch.tensor([len(tokens)]), torch.zeros(1).long()
        )
        with torch.no_grad():
            return torch.cat([torch.zeros(1, 8), module.trace(one).hidden[0]])

    assert int(batch.lengths.min()) == 1
    for text, importance in zip(batch.sequences(), found, strict=True):
        whole = states(text)
        for i in range(len(text)):
            change = (whole[i + 1] - whole[i]).abs().max()
            shorter = states(torch.cat([text[:i], text[i + 1 :]]))
            expected = change + (whole[-1] - shorter[-1]).abs().max()
            assert float(importance[i]) == pytest.approx(float(expected), rel=1e-4, abs=1e-5)


def test_keywords_are_scored_by_importance_and_frequency(text_view):
    traces = text_view.traces
    g = torch.Generator().manual_seed(0)
    importance = torch.rand(traces.n_steps, generator=g)
    scorer = KeywordScorer(traces, importance)
    kept = {}
    for row, (tokens, values) in enumerate(
        zip(
            traces.token.split(traces.lengths.tolist()),
            importance.split(traces.lengths.tolist()),
            strict=True,
        )
    ):
        best = values.argsort(descending=True)[:5]
        for place in best.tolist():
            kept.setdefault((row, int(tokens[place])), float(values[place]))
    words = {}
    for (_, word), value in kept.items():
        words.setdefault(word, []).append(value)
    common = COMMON * len(traces)
    score = {
        w: np.mean(v) * np.log10(len(v)) * max(np.log10(common / len(v)), 0)
        for w, v in words.items()
    }
    own = scorer.own()
    for row in range(len(traces)):
        expected = max(score[w] for r, w in kept if r == row)
        assert float(own[row]) == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_loss_is_that_of_the_network(text_view):
    batch = text_view.fetch(text_view.traces.index)
    with torch.no_grad():
        logits = text_view.network.module.eval()(batch).logits
    expected = torch.nn.functional.cross_entropy(logits, batch.label, reduction="none")
    torch.testing.assert_close(FinalLoss().fit(text_view).own(), expected)


@pytest.mark.parametrize(
    "method", [SpectralSignatures(), ActivationClustering(), BackdoorKeywords(), FinalLoss()]
)
def test_scores_of_a_failure_follow_from_the_labels(text_view, text_case, method):
    """Towards where the label is the predicted one, away where it is the true one, more or less."""
    scorer = method.fit(text_view)
    failures, label = text_case.failures, text_view.traces.label
    scores, own = scorer.scores(failures), scorer.own()
    towards = label == failures.final_prediction[:, None]
    away = label == failures.label[:, None]
    assert torch.equal(scores > 0, towards)
    assert torch.equal(scores < 0, away)
    assert float(scores.abs().max()) <= 1
    for row in scores.abs()[:3]:
        for mine in (towards[0], away[0]):
            pair = own[row > 0], row[row > 0]
            assert (pair[1][pair[0].argsort()].diff() >= 0).all()
            assert mine.any()
    ranking = scorer.rank(failures, 5)
    largest = scores.abs().sort(1, descending=True).values[:, :5]
    torch.testing.assert_close(-ranking.distance, largest)
    rows = torch.tensor([4, 0, 7])
    assert torch.equal(scorer.scores(failures, rows), scores[:, rows])
