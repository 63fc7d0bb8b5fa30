"""Whether words are those of training, against texts drawn from known vocabularies."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from rnnrepair.patterns.other_vocabulary import other_vocabulary
from rnnrepair.sequences import DataSpec, Kind, SequenceBatch

WORDS, STEPS, N_TRAIN, N = 3000, 20, 2000, 2600
TRAINING, TEST = torch.arange(N_TRAIN), torch.arange(N_TRAIN, N)


def data_of(drift=0.0, renumber=lambda words: words):
    """Texts of words as frequent as Zipf has them, those of the test set changed; 0 is padding."""
    rng = np.random.default_rng(0)
    often = 1 / np.arange(2, WORDS + 2)
    other = often * np.exp(drift * rng.normal(size=WORDS))
    drawn = [
        rng.choice(WORDS, (n, STEPS), p=p / p.sum())
        for n, p in ((N_TRAIN, often), (N - N_TRAIN, other))
    ]
    words = torch.from_numpy(np.concatenate([drawn[0], renumber(drawn[1])])).long() + 5
    lengths = torch.from_numpy(rng.integers(5, STEPS + 1, N)).long()
    words[torch.arange(STEPS) >= lengths[:, None]] = 0

    def fetch(of):
        return SequenceBatch(of, words[of], lengths[of], of % 2)

    return SimpleNamespace(spec=DataSpec(Kind.TOKENS, 1, 2), fetch=fetch)


@pytest.mark.parametrize(("by", "told"), [(1, "1 higher"), (-1, "1 lower"), (3, "3 higher")])
@pytest.mark.parametrize("drift", [0.0, 0.5])
def test_words_that_are_numbered_higher_or_lower_are_told(by, told, drift):
    found = other_vocabulary(data_of(drift, lambda w: w + by), TRAINING, TEST, "test")
    assert found.startswith(f"Words of test are numbered {told} than those of training")


@pytest.mark.parametrize("drift", [0.0, 0.5])
def test_other_topics_are_no_other_numbers(drift):
    assert other_vocabulary(data_of(drift), TRAINING, TEST, "test") == ""
    few = TEST[:10]
    assert other_vocabulary(data_of(drift), TRAINING, few, "test") == ""


def test_another_vocabulary_is_asked_about():
    order = np.random.default_rng(1).permutation(WORDS)
    found = other_vocabulary(data_of(renumber=lambda w: order[w]), TRAINING, TEST, "test")
    assert found.endswith("are they numbered by the vocabulary that the network was trained with?")


def test_series_have_no_words():
    series = SimpleNamespace(spec=DataSpec(Kind.SERIES, 2, 2))
    assert other_vocabulary(series, TRAINING, TEST, "test") == ""
