"""Texts as vectors: words, and pairs of words where their order tells more."""

import numpy as np
import pytest
import torch

from rnnrepair.influence.labels import linear_labels
from rnnrepair.influence.labels.text_features import text_features
from rnnrepair.sequences import offsets_of

N, C, LETTERS = 600, 3, 20


def flat(texts):
    return torch.cat(texts), offsets_of(torch.tensor(list(map(len, texts))))


def by_order(seed=0):
    """Texts of few letters, of which each class has its own chains."""
    rng = np.random.default_rng(seed)
    chains = rng.dirichlet(np.full(LETTERS, 0.2), (C, LETTERS))
    label = torch.arange(N) % C
    texts = []
    for c in label.tolist():
        text = [int(rng.integers(LETTERS))]
        for _ in range(int(rng.integers(12, 30))):
            text.append(int(rng.choice(LETTERS, p=chains[c, text[-1]])))
        texts.append(torch.tensor(text))
    return texts, label


def by_words(seed=0):
    """Texts of many words, of which each class has its own."""
    rng = np.random.default_rng(seed)
    label = torch.arange(N) % C
    texts = []
    for c in label.tolist():
        words = rng.integers(100, 900, 15)
        words[:3] = 20 * c + rng.integers(0, 20, 3)
        texts.append(torch.from_numpy(rng.permutation(words)))
    return texts, label


def error(features, label):
    return float((linear_labels(features, label, C).argmax(1) != label).float().mean())


def test_letters_are_judged_by_pairs():
    texts, label = by_order()
    found = text_features(flat(texts), None, label, C)
    words = text_features(flat(texts), None, torch.zeros_like(label), 1)
    assert found.shape[1] > words.shape[1] == LETTERS
    assert error(found, label) < 0.5 * error(words, label)


def test_words_are_enough_where_they_tell_the_class():
    texts, label = by_words()
    n_words = 1 + max(int(text.max()) for text in texts)
    assert text_features(flat(texts), None, label, C).shape == (N, n_words)


@pytest.mark.parametrize("make", [by_order, by_words])
def test_others_are_described_by_what_training_holds(make):
    texts, label = make()
    both = text_features(flat(texts[:400]), flat(texts[400:]), label[:400], C)
    alone = text_features(flat(texts[:400]), None, label[:400], C)
    n = alone.shape[1]
    # Words that training does not hold stand behind those that it does.
    if both.shape[1] == n:
        np.testing.assert_allclose(both[:400].toarray(), alone.toarray(), rtol=1e-5)
    judged = linear_labels(both, label[:400], C)
    assert (judged[400:].argmax(1) == label[400:]).float().mean() > 0.8
    np.testing.assert_allclose((both.toarray() ** 2).sum(1), 1, rtol=1e-4)


def test_pairs_do_not_reach_into_the_next_text():
    texts, label = by_order()
    order = torch.randperm(N, generator=torch.Generator().manual_seed(1))
    plain = text_features(flat(texts), None, label, C)[order.numpy()].toarray()
    turned = text_features(flat([texts[i] for i in order]), None, label[order], C).toarray()
    np.testing.assert_allclose(turned, plain, rtol=1e-5)


def test_texts_of_one_word_have_no_pairs():
    texts = [torch.tensor([i % 7]) for i in range(300)]
    label = torch.arange(300) % C
    assert text_features(flat(texts), None, label, C).shape == (300, 7)
