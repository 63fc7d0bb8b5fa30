"""Repair of text by labelled phrases: what the words around a fault say by themselves."""

from collections import deque
from collections.abc import Mapping, Sequence
from itertools import zip_longest

import torch
from torch import Tensor

from rnnrepair.errors import ConfigurationError
from rnnrepair.influence import Evidence, Role, found, token_at
from rnnrepair.repair.graft import Pick, grafted, part, proposal_of
from rnnrepair.repair.proposal import Proposal, RepairContext
from rnnrepair.repair.strategy import RepairStrategy
from rnnrepair.seeding import torch_generator
from rnnrepair.sequences import Kind, Phrases
from rnnrepair.settings import Share, check_settings


def known_phrases(context: RepairContext) -> Phrases:
    """Return the phrases of a round.

    Raises:
        ConfigurationError: there are none.
    """
    if context.phrases is None:
        raise ConfigurationError(
            "Labelled phrases are needed: give RepairContext(phrases=...) those of data that "
            "know some (rnnrepair.protocols.KnowsPhrases)."
        )
    return context.phrases


def pick_of(phrases: Phrases, row: int, failure: int) -> Pick:
    """Return the sample that a phrase is, for the failure in a row."""
    first, end = int(phrases.first[row]), int(phrases.end[row])
    sentence, label = int(phrases.sequence[row]), int(phrases.label[row])
    return Pick(failure, sentence, part(first, end), label=label)


class PhraseRepair(RepairStrategy):
    """``phrase``: labelled phrases around the responsible word, of the failure and of others.

    A sentence has one label for all its words. Its phrases tell which of them carry it, and where
    it turns: in "not bad" the part and the whole have different labels. So each failure is answered
    by the phrases of its own sentence that hold the responsible word, those that are most like the
    responsible segment first, and by phrases of the nearest training sentences that hold the same
    word, of each label in turn. No phrase is injected twice for a failure in a round. Where these
    do not suffice, other phrases of its sentence fill up.

    Source: ours; the treebank was made to train on phrases (Socher et al. 2013).
    """

    name = "phrase"
    fits = frozenset({Kind.TOKENS})
    needs = frozenset({Role.HOLDERS})
    reads_phrases = True

    def __init__(self, own: Share = 0.5) -> None:
        """Choose the mixture.

        Args:
            own: share of the samples that are phrases of the failure's own sentence; where either
                kind runs out, the other fills up.

        Raises:
            SettingsError: the share is out of range.
        """
        check_settings(PhraseRepair, locals())
        self.own = own

    def propose(self, context: RepairContext, budget: int) -> Proposal:
        """Propose different phrases for each failure; fewer where no more are known."""
        rows = range(len(context.evidence))
        return proposal_of([p for row in rows for p in self._picks(context, row, budget)], context)

    def _picks(self, context: RepairContext, row: int, budget: int) -> list[Pick]:
        """Return the samples for the failure in a row."""
        phrases, evidence = known_phrases(context), context.evidence
        holders = found(evidence.holders, Role.HOLDERS).index[row]
        sentences = torch.cat([evidence.failures.index[row : row + 1], holders[holders >= 0]])
        texts = dict(zip(sentences.tolist(), context.fetch(sentences).sequences(), strict=True))
        seen: set[bytes] = set()
        holding, not_holding = of_failure(phrases, evidence, row)
        own = deque(_different(phrases, holding, texts, seen))
        others = _different(phrases, _around_holders(phrases, context, row, texts), texts, seen)
        rest = deque(_different(phrases, not_holding, texts, seen))
        is_same = (phrases.label == evidence.failures.label[row])[others].tolist()
        by_label = [[p for p, s in zip(others, is_same, strict=True) if s == w] for w in (0, 1)]
        near = deque(_in_turn(by_label))
        picks: list[Pick] = []
        while (own or near or rest) and len(picks) < budget:
            # Evenly over the picks, so that a round that leaves some out keeps the mixture.
            due = int((len(picks) + 1) * self.own + 0.5) > int(len(picks) * self.own + 0.5)
            queue = own if own and (due or not near) else near or rest
            picks.append(pick_of(phrases, queue.popleft(), row))
        return picks


def of_failure(phrases: Phrases, evidence: Evidence, row: int) -> tuple[list[int], list[int]]:
    """Return the rows of a failure's phrases that hold its responsible step, and of its others.

    Those come first that have most steps in common with the responsible segment, as a share of all
    steps that either has; of equal ones the shorter.
    """
    own = phrases.of_one(int(evidence.failures.index[row]))
    own = own[phrases.lengths[own].argsort(stable=True)]
    first, end = phrases.first[own], phrases.end[own]
    begin, stop = evidence.segment[row].tolist()
    shared = (end.clamp_max(stop) - first.clamp_min(begin)).clamp_min(0)
    like = shared / (end - first + stop - begin - shared)
    own = own[like.argsort(descending=True, stable=True)]
    step = int(evidence.step[row])
    holds = (phrases.first[own] <= step) & (step < phrases.end[own])
    return own[holds].tolist(), own[~holds].tolist()


def _around_holders(
    phrases: Phrases, context: RepairContext, row: int, texts: Mapping[int, Tensor]
) -> list[int]:
    """Return rows of phrases around a failure's responsible word in other sentences.

    The shortest of every sentence, nearest sentence first, then the second shortest, ...

    Args:
        phrases: that are known.
        context: of the round.
        row: of the failure.
        texts: the (T,) tokens of the failure and of those sentences, nearest first, by index.
    """
    failures = context.evidence.failures
    word = int(token_at(failures, context.evidence.step)[row])
    if word == context.unknown:  # what these sentences have in common is no word
        return []
    nested = [
        phrases.around(sentence, int((tokens == word).nonzero()[0])).tolist()
        for sentence, tokens in texts.items()
        if sentence != int(failures.index[row])
    ]
    return _in_turn(nested)


def _different(
    phrases: Phrases, rows: Sequence[int], texts: Mapping[int, Tensor], seen: set[bytes]
) -> list[int]:
    """Return the rows whose words are not among those seen, and add their words to these."""
    kept = []
    for row in rows:
        pick = pick_of(phrases, row, 0)
        text = texts[pick.parent]
        words = grafted(text, text, pick.edit).numpy().tobytes()
        if words not in seen:
            seen.add(words)
            kept.append(row)
    return kept


def _in_turn(queues: Sequence[Sequence[int]]) -> list[int]:
    """Return the first of each queue, then the second of each, and so on."""
    return [each for turn in zip_longest(*queues) for each in turn if each is not None]


class RandomPhraseRepair(PhraseRepair):
    """``random_phrase``: as many phrases, as long as those, of training sentences at random.

    The control: that phrases are trained on, whatever they have to do with the failures.
    """

    name = "random_phrase"

    def propose(self, context: RepairContext, budget: int) -> Proposal:
        """Draw a phrase in the place of each that ``phrase`` would take, with replacement.

        Of those as long, or as near to that as there are any.
        """
        like = super().propose(context, budget)
        pool = known_phrases(context).of(context.originals)
        if len(pool) == 0:
            return Proposal.empty(context)
        order = pool.lengths.argsort(stable=True)
        length, count = pool.lengths.unique(return_counts=True)
        nearest = (like.lengths[:, None] - length).abs().argmin(1)
        generator = torch_generator(context.seed, "random phrases")
        draw = (torch.rand(len(like), generator=generator) * count[nearest]).long()
        rows = order[(count.cumsum(0) - count)[nearest] + draw]
        picks = zip(rows.tolist(), like.failure.tolist(), strict=True)
        return proposal_of([pick_of(pool, row, failure) for row, failure in picks], context)


class PhrasesFromStart(RepairStrategy):
    """``phrases_from_start``: what a user would do with phrases, without this tool.

    A new network, trained as ``all`` trains one, with as many phrases from the first epoch on as a
    repair injects by its end. They are drawn from all training sentences, those of the repair
    split included, whatever the failures are.
    """

    name = "phrases_from_start"
    fits = frozenset({Kind.TOKENS})
    reads_phrases = True
    starts_anew = True

    def propose(self, context: RepairContext, budget: int) -> Proposal:
        """Draw different phrases; fewer where there are no more."""
        phrases, n_failures = known_phrases(context), len(context.evidence)
        generator = torch_generator(context.seed, "phrases from the start")
        drawn = torch.randperm(len(phrases), generator=generator)[: n_failures * budget].tolist()
        # A failure after the other: the ledger has one for each.
        picks = [pick_of(phrases, row, i % n_failures) for i, row in enumerate(drawn)]
        return proposal_of(picks, context)
