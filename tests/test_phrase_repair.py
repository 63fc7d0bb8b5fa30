"""Repair by phrases: whose they are, what they hold, how many, and the controls."""

from collections import Counter
from dataclasses import replace

import pytest
import torch

from rnnrepair.errors import ConfigurationError, SettingsError
from rnnrepair.influence import TraceIndex, responsible_step, step_distance, token_at
from rnnrepair.repair import (
    CleanThen,
    PhraseRepair,
    PhrasesFromStart,
    RandomPhraseRepair,
    ledger_rows,
    rebuild,
)
from rnnrepair.sequences import Phrases

STRATEGIES = [PhraseRepair, RandomPhraseRepair, PhrasesFromStart]


def random_phrases(data, seed=2):
    """Every proper part of every fit and repair sequence, half of them, with random labels."""
    index = torch.cat([data.indices("fit"), data.indices("repair")]).sort().values
    batch = data.fetch(index)
    parts = [
        (i, first, end)
        for i, n in zip(index.tolist(), batch.lengths.tolist(), strict=True)
        for first in range(n)
        for end in range(first + 1, n + 1)
        if end - first < n
    ]
    g = torch.Generator().manual_seed(seed)
    part = torch.tensor(parts)[torch.rand(len(parts), generator=g) < 0.5]
    label = torch.randint(3, (len(part),), generator=g)
    return Phrases(*part.T.contiguous(), label)


@pytest.fixture
def case(text_case):
    text_case.context = replace(text_case.context, phrases=random_phrases(text_case.data))
    return text_case


def texts_of(case, index):
    return case.data.fetch(index).sequences()


def parts_of(proposal):
    return [(e.parameters["first"], e.parameters["end"]) for e in proposal.edits]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_samples_are_known_phrases_with_their_own_labels(case, strategy):
    proposal = strategy().propose(case.context, 6)
    phrases = case.context.phrases
    known = set(zip(*(getattr(phrases, n).tolist() for n in vars(phrases)), strict=True))
    parents = texts_of(case, proposal.parent)
    own = case.data.fetch(proposal.parent).label
    assert (proposal.label != own).any()
    for i, (first, end) in enumerate(parts_of(proposal)):
        label = int(proposal.label[i])
        assert (int(proposal.parent[i]), first, end, label) in known
        assert proposal.inputs[i, : proposal.lengths[i]].tolist() == parents[i][first:end].tolist()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_samples_are_rebuilt_from_the_ledger(case, strategy):
    proposal = strategy().propose(case.context, 6)
    new_id = case.data.apply(proposal.changes())
    rows = ledger_rows(
        *(proposal, new_id, case.context.evidence, case.abstract, strategy.name, 3, 5)
    )
    assert len(rows) == len(proposal) > 0
    for row in rows:
        batch = case.data.fetch(torch.tensor([row.new_id]))
        assert torch.equal(rebuild(row, case.data), batch.sequences()[0])
        assert row.label == int(batch.label)


@pytest.mark.parametrize("own", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("budget", [1, 4, 7, 200])
def test_phrases_hold_the_responsible_word(case, own, budget):
    proposal = PhraseRepair(own).propose(case.context, budget)
    failures = case.failures
    step = responsible_step(failures)
    word = token_at(failures, step)
    originals = set(case.context.originals.tolist())
    parents = texts_of(case, proposal.parent)
    for i, (first, end) in enumerate(parts_of(proposal)):
        row = int(proposal.failure[i])
        if proposal.parent[i] != failures.index[row]:
            assert int(word[row]) in parents[i][first:end]
            assert int(proposal.parent[i]) in originals
        elif not first <= int(step[row]) < end:  # fills up what is lacking
            own, near, _ = available(case, row)
            assert len(own | near) < budget
    texts = [
        (int(f), tuple(x[:n].tolist()))
        for f, x, n in zip(proposal.failure, proposal.inputs, proposal.lengths, strict=True)
    ]
    assert len(set(texts)) == len(texts)
    assert all(n <= budget for n in Counter(proposal.failure.tolist()).values())


def available(case, row):
    """Different phrases that a failure could get: of its own, of others, and what fills up."""
    phrases, failures = case.context.phrases, case.failures
    step = responsible_step(failures)
    word = int(token_at(failures, step)[row])
    own, near, rest = set(), set(), set()
    for sentence in {int(failures.index[row]), *case.context.evidence.holders.index[row].tolist()}:
        if sentence < 0:
            continue
        (text,) = texts_of(case, torch.tensor([sentence]))
        is_own = sentence == failures.index[row]
        at = int(step[row]) if is_own else text.tolist().index(word)
        for p in (phrases.sequence == sentence).nonzero()[:, 0].tolist():
            first, end = int(phrases.first[p]), int(phrases.end[p])
            held = first <= at < end
            if held or is_own:
                kind = (own if is_own else near) if held else rest
                kind.add(tuple(text[first:end].tolist()))
    return own, near, rest


@pytest.mark.parametrize("own", [0.0, 0.5, 1.0])
def test_the_mixture_is_kept_and_either_kind_fills_up_for_the_other(case, own):
    budget = 6
    proposal = PhraseRepair(own).propose(case.context, budget)
    mixed = 0
    for row in range(len(case.failures)):
        mine = proposal.failure == row
        is_own = proposal.parent[mine] == case.failures.index[row]
        of_own, of_near, rest = available(case, row)
        assert int(mine.sum()) == min(budget, len(of_own | of_near | rest))
        n_own = round(own * budget)
        if len(of_own) >= n_own and len(of_near - of_own) >= budget - n_own:
            assert int(is_own.sum()) == n_own
            mixed += 1
    assert mixed >= 3
    # A round that leaves samples out keeps the mixture.
    if own == 0.5:
        few = proposal.limited(len(proposal) // 2)
        share = (few.parent == case.failures.index[few.failure]).double().mean()
        assert 0.3 < float(share) < 0.7


def test_own_phrases_most_like_the_segment_come_first(case):
    proposal = PhraseRepair(1.0).propose(case.context, 5)
    segment = case.context.evidence.segment

    def alike(row, first, end):
        one, two = set(range(first, end)), set(range(*segment[row].tolist()))
        return len(one & two) / len(one | two)

    compared = 0
    for row in range(len(case.failures)):
        mine = (proposal.failure == row) & (proposal.parent == case.failures.index[row])
        parts = [parts_of(proposal)[i] for i in mine.nonzero()[:, 0].tolist()]
        step = int(case.context.evidence.step[row])
        holding = [first <= step < end for first, end in parts]
        assert holding == sorted(holding, reverse=True)
        for held in (True, False):
            likeness = [alike(row, *p) for p, h in zip(parts, holding, strict=True) if h == held]
            assert likeness == sorted(likeness, reverse=True)
            compared += len(set(likeness)) > 1
    assert compared > 3


def test_phrases_of_other_sentences_are_of_both_polarities(case):
    proposal = PhraseRepair(0.0).propose(case.context, 6)
    for row in range(len(case.failures)):
        mine = (proposal.failure == row) & (proposal.parent != case.failures.index[row])
        same = proposal.label[mine] == case.failures.label[row]
        if len(same) == 6 and same.any() and not same.all():
            # One of another label and one of the same in turn, as long as there are both.
            short = min(int(same.sum()), int((~same).sum()))
            assert same[: 2 * short].tolist() == [False, True] * short


def test_holders_are_the_nearest_originals_that_read_the_word(case):
    holders, fit = case.context.evidence.holders, case.fit
    failures = case.failures
    distance = TraceIndex(fit, step_distance(case.abstract, "aligned"), n_steps=9).distances(
        failures
    )
    word = token_at(failures, responsible_step(failures))
    for row in range(len(failures)):
        held = torch.tensor([int(word[row]) in text for text in texts_of(case, fit.index)])
        own = holders.index[row][holders.index[row] >= 0]
        assert set(own.tolist()) <= set(fit.index[held].tolist())
        nearest = distance[held, row].sort().values[: holders.index.shape[1]]
        assert len(own) == len(nearest)
        assert torch.equal(holders.distance[row, : len(own)], nearest)


def test_words_that_are_unknown_bring_no_other_sentences(case):
    word = token_at(case.failures, responsible_step(case.failures))
    context = replace(case.context, unknown=int(word[0]))
    proposal = PhraseRepair().propose(context, 6)
    mine = word[proposal.failure] == word[0]
    assert (proposal.parent == case.failures.index[proposal.failure])[mine].all()
    assert (proposal.parent != case.failures.index[proposal.failure])[~mine].any()


def test_random_phrases_are_as_many_and_as_long_for_every_failure(case):
    like = PhraseRepair().propose(case.context, 6)
    drawn = RandomPhraseRepair().propose(case.context, 6)
    assert torch.equal(like.failure, drawn.failure)
    assert torch.equal(like.lengths, drawn.lengths)
    assert torch.isin(drawn.parent, case.context.originals).all()
    word = token_at(case.failures, responsible_step(case.failures))
    holds = [int(word[f]) in x for f, x in zip(drawn.failure, drawn.inputs, strict=True)]
    assert sum(holds) < 0.6 * len(holds)
    assert len(set(drawn.parent.tolist())) > 30


def test_random_phrases_reach_all_of_their_length_alike(case):
    phrases = case.context.phrases.of(case.context.originals)
    parts = [RandomPhraseRepair().propose(replace(case.context, seed=s), 20) for s in range(40)]
    short = torch.cat([p.parent[p.lengths == 2] for p in parts])
    of_length = phrases.sequence[phrases.lengths == 2]
    expected = of_length.bincount(minlength=200).double() / len(of_length) * len(short)
    seen = short.bincount(minlength=200).double()
    assert len(short) > 3000
    assert (seen[expected == 0] == 0).all()
    some = expected > 0
    chi = float(((seen[some] - expected[some]) ** 2 / expected[some]).sum())
    assert chi < int(some.sum()) + 5 * (2 * int(some.sum())) ** 0.5


def test_random_phrases_take_the_nearest_length_there_is(case):
    phrases = case.context.phrases
    is_original = torch.isin(phrases.sequence, case.context.originals)
    few = phrases.select(~is_original | (phrases.lengths == 3))
    context = replace(case.context, phrases=few)
    assert set(RandomPhraseRepair().propose(context, 6).lengths.tolist()) == {3}
    own = replace(case.context, phrases=phrases.select(~is_original))
    assert len(RandomPhraseRepair().propose(own, 6)) == 0


def test_phrases_from_the_start_are_different_and_of_all_training_sentences(case):
    phrases, n = case.context.phrases, len(case.failures)
    proposal = PhrasesFromStart().propose(case.context, 9)
    assert len(proposal) == 9 * n
    places = set(zip(proposal.parent.tolist(), parts_of(proposal), strict=True))
    assert len(places) == len(proposal)
    assert Counter(proposal.failure.tolist()) == dict.fromkeys(range(n), 9)
    everything = PhrasesFromStart().propose(case.context, len(phrases))
    assert len(everything) == len(phrases)
    for split in ("fit", "repair"):
        assert torch.isin(everything.parent, case.data.indices(split)).any()


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_proposal_depends_on_the_seed_alone(case, strategy):
    first = strategy().propose(case.context, 3)
    torch.rand(5)
    second = strategy().propose(case.context, 3)
    assert torch.equal(first.inputs, second.inputs)
    assert first.edits == second.edits


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_without_phrases_the_protocol_is_named(text_case, strategy):
    with pytest.raises(ConfigurationError, match="KnowsPhrases"):
        strategy().propose(text_case.context, 3)


def test_a_new_network_is_not_cleaned_beside():
    with pytest.raises(SettingsError, match="phrases_from_start"):
        CleanThen(PhrasesFromStart())
    assert CleanThen(PhraseRepair()).reads_phrases
