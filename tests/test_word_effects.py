"""How words move the network, and what a model without order says of texts."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.linear_model import Ridge

from rnnrepair.errors import ConfigurationError
from rnnrepair.influence import BagOfWords, WordEffects, token_bags
from rnnrepair.influence.word_effects import log_odds
from rnnrepair.sequences import offsets_of
from tests.conftest import random_traces


def with_tokens(lengths, seed=0, n_tokens=7):
    traces = random_traces(lengths, seed=seed)
    g = torch.Generator().manual_seed(seed + 1)
    return replace(traces, token=torch.randint(n_tokens, (sum(lengths),), generator=g).int())


def test_effect_is_the_mean_change_of_log_odds_where_a_word_is_read():
    traces = with_tokens([3, 1, 5, 4, 2, 6] * 5)
    counts = torch.randint(0, 50, (5, 3), generator=torch.Generator().manual_seed(3))
    effects = WordEffects.of(traces, counts, 9)
    odds = log_odds(torch.cat([counts, counts.sum(0, keepdim=True)]))
    for word in range(9):
        changes = []
        for row in range(len(traces)):
            begin, end = traces.offsets[row : row + 2].tolist()
            for at in range(begin, end):
                if traces.token[at] == word:
                    before = 5 if at == begin else int(traces.state[at - 1])
                    changes.append(odds[int(traces.state[at])] - odds[before])
        assert effects.count[word] == len(changes)
        wanted = torch.stack(changes).mean(0) if changes else torch.zeros(3).double()
        assert torch.allclose(effects.effect[word], wanted)
    assert effects.count[7:].tolist() == [0, 0]


def test_log_odds_are_those_of_the_shares_and_finite():
    counts = torch.tensor([[10**6, 3 * 10**6], [0, 50], [0, 0]])
    odds = log_odds(counts)
    assert odds.isfinite().all()
    assert odds[0].tolist() == pytest.approx([np.log(1 / 3), np.log(3)], rel=1e-4)
    assert odds[1, 1] > 3
    # A state that was never seen says what all of them say together.
    assert odds[2, 1] == pytest.approx(np.log(3), rel=1e-3)


def test_effects_of_features_are_refused():
    with pytest.raises(ConfigurationError, match="Words of traces"):
        WordEffects.of(random_traces([2, 3]), torch.ones(5, 3).long(), 4)


def test_bag_of_words_is_ridge_regression_of_tf_idf():
    g = torch.Generator().manual_seed(0)
    label = torch.arange(300) % 3
    lengths = torch.randint(2, 15, (300,), generator=g)
    token = torch.randint(0, 40, (int(lengths.sum()),), generator=g)
    of_label = torch.rand(len(token), generator=g) < 0.3
    token[of_label] = label.repeat_interleave(lengths)[of_label]
    offsets = offsets_of(lengths)
    model = BagOfWords.of(token[: int(offsets[200])], offsets[:201], label[:200], 40, 3)
    texts = list(token.split(lengths.tolist()))[200:]
    said = model.predict(texts)

    counts = (token_bags(token, offsets, 40).toarray() > 0).astype(float)
    here = TfidfTransformer(smooth_idf=True).fit(counts[:200])
    here.idf_ = here.idf_ - 1  # scikit-learn adds one
    features = here.transform(counts).toarray()
    wanted = np.eye(3)[label[:200].numpy()]
    ridge = Ridge(alpha=1e-3 * float((features[:200] ** 2).sum()), fit_intercept=False)
    ridge.fit(features[:200], wanted - wanted.mean(0))
    scores = ridge.predict(features[200:]) + wanted.mean(0)
    sure = np.sort(scores, 1)[:, -1] - np.sort(scores, 1)[:, -2] > 0.01
    assert sure.mean() > 0.9
    assert np.array_equal(said.numpy()[sure], scores.argmax(1)[sure])
    assert float((said == label[200:]).double().mean()) > 0.6  # chance: a third
    assert model.predict([]).tolist() == []
