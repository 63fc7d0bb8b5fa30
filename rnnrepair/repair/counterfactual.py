"""Repair of text by counterfactuals: the responsible word turned, and the label with it."""

import torch
from torch import Tensor

from rnnrepair.edits import IDENTITY
from rnnrepair.errors import ConfigurationError
from rnnrepair.influence import BagOfWords, WordEffects, tokens_in
from rnnrepair.repair.graft import Pick, grafted, proposal_of, word
from rnnrepair.repair.proposal import Proposal, RepairContext
from rnnrepair.repair.strategy import RepairStrategy
from rnnrepair.sequences import Kind
from rnnrepair.settings import Count, check_settings
from rnnrepair.traces import Traces


class CounterfactualRepair(RepairStrategy):
    """``counterfactual``: each failure beside itself with the responsible word turned.

    In the place of the responsible word stands one that moves the network the other way, and the
    label is the one that the failure was mistaken for. Which way words move it, its own training
    traces tell. Nobody has read these sentences, so a model that sees words without their order
    must give them that label too. Copies of the failure stand between them: the pair says what the
    word is worth here. Where fewer are confirmed, there are more copies.

    Source: ours, after Kaushik et al. (2020), where people write the counterfactuals.
    """

    name = "counterfactual"
    fits = frozenset({Kind.TOKENS})

    def __init__(self, tried: Count = 20, min_count: Count = 5) -> None:
        """Limit what is tried.

        Args:
            tried: words per failure that are put in the place of the responsible one.
            min_count: times that training must read a word, for its effect to be known.

        Raises:
            SettingsError: a value below 1.
        """
        check_settings(CounterfactualRepair, locals())
        self.tried = tried
        self.min_count = min_count

    def propose(self, context: RepairContext, budget: int) -> Proposal:
        """Propose copies and counterfactuals of each failure in turn."""
        evidence = context.evidence
        index, mistaken = evidence.failures.index.tolist(), evidence.failures.final_prediction
        step = evidence.step.tolist()
        picks = []
        for row, turned in enumerate(self.confirmed(context)):
            others = iter(turned)
            for number in range(budget):
                token = next(others, None) if number % 2 else None
                edit = IDENTITY if token is None else word(step[row], token)
                label = None if token is None else int(mistaken[row])
                picks.append(Pick(row, index[row], edit, label=label))
        return proposal_of(picks, context)

    def confirmed(self, context: RepairContext) -> list[list[int]]:
        """Return for each of M failures the tokens that turn it, best first.

        Raises:
            ConfigurationError: the context holds no training traces.
        """
        fit = _originals(context)
        failures, step = context.evidence.failures, context.evidence.step
        n_tokens = 1 + int(max(tokens_in(fit).max(), tokens_in(failures).max()))
        effects = WordEffects.of(fit, context.state_counts, n_tokens)
        known = effects.count >= self.min_count
        if context.unknown is not None:
            known[context.unknown] = False
        model = BagOfWords.of(tokens_in(fit), fit.offsets, fit.label, n_tokens, fit.n_classes)
        turned = []
        for row, text in enumerate(context.fetch(failures.index).sequences()):
            at, mistaken = int(step[row]), int(failures.final_prediction[row])
            moves = effects.effect[:, mistaken] - effects.effect[:, failures.label[row]]
            opposite = (known & (moves * moves[text[at]] < 0)).nonzero()[:, 0]
            # Those that stand between such neighbours in training, then those that move most.
            order = moves[opposite].abs().argsort(descending=True, stable=True)
            opposite = opposite[order]
            fitting = _fitting(fit, text, at, n_tokens)[opposite]
            tried = opposite[fitting.argsort(descending=True, stable=True)][: self.tried].tolist()
            made = [grafted(text, text, word(at, token)) for token in tried]
            is_turned = (model.predict(made) == mistaken).tolist()
            turned.append([token for token, yes in zip(tried, is_turned, strict=True) if yes])
        return turned


def _originals(context: RepairContext) -> Traces:
    """Return the traces of the original training samples.

    Raises:
        ConfigurationError: the context holds none.
    """
    if context.fit is None:
        raise ConfigurationError(
            "The effects of words are learnt from training traces: give RepairContext(fit=..., "
            "state_counts=...) those of an abstraction."
        )
    return context.fit.select(torch.isin(context.fit.index, context.originals))


def _fitting(fit: Traces, text: Tensor, at: int, n_tokens: int) -> Tensor:
    """Return (V,) int64: on how many sides each token has in training the neighbour it would get.

    Args:
        fit: training traces.
        text: (T,) tokens.
        at: step whose token is replaced.
        n_tokens: V.
    """
    token = tokens_in(fit).long()
    edge = -1  # no token
    before, after = fit.previous(token, edge), token.roll(-1)
    after[fit.last_step] = edge
    left = int(text[at - 1]) if at > 0 else edge
    right = int(text[at + 1]) if at + 1 < len(text) else edge
    sides = torch.zeros(2, n_tokens, dtype=torch.int64)
    sides[0, token[before == left]] = 1
    sides[1, token[after == right]] = 1
    return sides.sum(0)
