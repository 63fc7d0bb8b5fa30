"""Backdoor keyword identification: the word on which the states of a recurrent network depend."""

import numpy as np
import torch
from torch import Tensor
from typing_extensions import override

from rnnrepair.errors import ConfigurationError
from rnnrepair.influence.any_network import AnyNetwork
from rnnrepair.influence.need import Need
from rnnrepair.influence.own import OwnScorer
from rnnrepair.influence.view import TrainingView
from rnnrepair.network import TracedNetwork
from rnnrepair.sequences import Kind, SequenceBatch, offsets_of
from rnnrepair.traces import Traces

# Keywords of a text, as in the source.
KEPT = 5
# A keyword of more than this share of the texts is no trigger, as in the source.
COMMON = 0.1
# Texts of which all shortened forms are read at a time.
AT_A_TIME = 64


class BackdoorKeywords(AnyNetwork):
    """Words that change the state most where they are read, and at the end where they are left out.

    Knows no query. It costs a pass of the network for every word of every training text.

    Source: Chen and Dai, "Mitigating backdoor attacks in LSTM-based text classification systems by
    Backdoor Keyword Identification", 2021. There all texts of the first keyword are removed; here
    a text has the score of its best one.
    """

    name = "keyword_identification"
    fits = frozenset({Kind.TOKENS})
    needs: frozenset[Need] = frozenset({Need.TOKENS})

    def fit(self, view: TrainingView) -> "KeywordScorer":
        """Find how much depends on every word of every training text.

        Raises:
            ConfigurationError: the traces hold no tokens.
        """
        if view.traces.token is None:
            raise ConfigurationError("BackdoorKeywords reads words, and the traces hold none.")
        parts = view.traces.index.split(AT_A_TIME)
        importance = [word_importance(view.network, view.fetch(part)) for part in parts]
        return KeywordScorer(view.traces, torch.cat(importance), self.seed)


class KeywordScorer(OwnScorer):
    """Texts by the score of their best keyword."""

    def __init__(self, traces: Traces, importance: Tensor, seed: int = 0) -> None:
        """Take N training traces with tokens, and the (S,) importance of each of their words."""
        super().__init__(traces, seed)
        self._importance = importance

    @override
    def own(self) -> Tensor:
        row = torch.arange(len(self.traces)).repeat_interleave(self.traces.lengths)
        kept = self._keywords(row)
        own = torch.zeros(len(self.traces))
        score = self.keyword_scores(kept)
        token = self.traces.token[kept].long()  # type: ignore[index]  # fit has refused others
        return own.scatter_reduce(0, row[kept], score[token], "amax")

    def keyword_scores(self, kept: Tensor) -> Tensor:
        """Return (V,) scores of words: importance * log n * log(common / n), 0 for common ones.

        Args:
            kept: (k,) steps that are keywords of their texts.
        """
        token = self.traces.token[kept].long()  # type: ignore[index]
        count = token.bincount()
        total = torch.zeros(len(count)).index_add_(0, token, self._importance[kept])
        n = count.clamp_min(1).float()
        common = torch.tensor(COMMON * len(self.traces))
        return total / n * n.log10() * (common / n).log10().clamp_min(0)

    def _keywords(self, row: Tensor) -> Tensor:
        """Return the (k,) steps that are among the most important ones of their (S,) text."""
        order = self._importance.argsort(descending=True, stable=True)
        order = order[row[order].argsort(stable=True)]
        within = torch.arange(len(order)) - self.traces.offsets[:-1][row[order]]
        kept = order[within < KEPT]
        # A word that stands in a text twice is one keyword of it.
        token = self.traces.token[kept].long()  # type: ignore[index]
        pair = row[kept] * (1 + int(token.max())) + token
        return kept[torch.from_numpy(np.unique(pair.numpy(), return_index=True)[1])]


def word_importance(network: TracedNetwork, batch: SequenceBatch) -> Tensor:
    """Return (S,) largest change of a unit where a word is read, plus that at the end without it.

    Args:
        network: verified, that reads tokens.
        batch: of texts, S words in all.
    """
    (read,) = network.steps([batch])
    offsets = offsets_of(read.lengths)
    before = read.hidden.roll(1, 0)
    before[offsets[:-1]] = 0
    at_step = (read.hidden - before).abs().amax(1)
    row = torch.arange(len(batch)).repeat_interleave(read.lengths)
    step = torch.arange(len(row)) - offsets[:-1][row]
    end = read.hidden[offsets[1:] - 1][row]
    # A text of one word leaves nothing to read, and no state.
    without = torch.zeros_like(end)
    longer = read.lengths[row] > 1
    if bool(longer.any()):
        without[longer] = _ends_without(network, batch, row[longer], step[longer])
    return at_step + (end - without).abs().amax(1)


def _ends_without(
    network: TracedNetwork, batch: SequenceBatch, row: Tensor, step: Tensor
) -> Tensor:
    """Return the (s, d) states that texts end in without the word at a step."""
    place = torch.arange(batch.inputs.shape[1] - 1)
    source = place + (place >= step[:, None])
    inputs = batch.inputs[row].gather(1, source)
    shorter = SequenceBatch(batch.index[row], inputs, batch.lengths[row] - 1, batch.label[row])
    (read,) = network.steps([shorter])
    return read.hidden[offsets_of(read.lengths)[1:] - 1]
