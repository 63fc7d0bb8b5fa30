"""Counterfactuals: one word is another, one that moves the other way, and a second model agrees."""

from dataclasses import replace

import pytest
import torch

from rnnrepair.edits import IDENTITY
from rnnrepair.errors import ConfigurationError, SettingsError
from rnnrepair.influence import BagOfWords, WordEffects, responsible_step
from rnnrepair.repair import CounterfactualRepair, ledger_rows, rebuild


@pytest.fixture
def proposal(text_case):
    return CounterfactualRepair().propose(text_case.context, 6)


def turned(proposal):
    return [i for i, edit in enumerate(proposal.edits) if edit != IDENTITY]


def text(batch, i):
    return batch.inputs[i, : batch.lengths[i]]


def effects_of(case):
    return WordEffects.of(case.fit, case.context.state_counts, 20)


def test_every_failure_gets_its_budget_and_stands_beside_its_counterfactuals(text_case, proposal):
    n = len(text_case.failures)
    assert proposal.failure.tolist() == torch.arange(n).repeat_interleave(6).tolist()
    assert torch.equal(proposal.parent, text_case.failures.index[proposal.failure])
    found = turned(proposal)
    assert len(found) > 10
    assert all(i % 6 % 2 == 1 for i in found)
    parents = text_case.data.fetch(proposal.parent)
    for i in range(len(proposal)):
        if i not in found:
            assert torch.equal(text(proposal, i), text(parents, i))
            assert proposal.label[i] == parents.label[i]


def test_the_responsible_word_is_turned_and_nothing_else(text_case, proposal):
    failures, step = text_case.failures, responsible_step(text_case.failures)
    effects = effects_of(text_case)
    parents = text_case.data.fetch(proposal.parent)
    seen = set()
    for i in turned(proposal):
        row = int(proposal.failure[i])
        before, after, at = text(parents, i), text(proposal, i), int(step[row])
        changed = (before != after).nonzero()[:, 0].tolist()
        assert changed == [at]
        truth, mistaken = failures.label[row], failures.final_prediction[row]
        moves = effects.effect[:, mistaken] - effects.effect[:, truth]
        assert moves[before[at]] * moves[after[at]] < 0
        assert effects.count[after[at]] >= 5
        assert proposal.label[i] == mistaken != truth
        seen.add((row, int(after[at])))
    assert len(seen) == len(turned(proposal))


def test_only_what_a_model_without_order_confirms_is_injected(text_case, proposal):
    fit = text_case.fit
    model = BagOfWords.of(fit.token, fit.offsets, fit.label, 20, 3)
    made = [text(proposal, i) for i in turned(proposal)]
    assert torch.equal(model.predict(made), proposal.label[turned(proposal)])
    # Which is no matter of course.
    everything = CounterfactualRepair(tried=100).confirmed(text_case.context)
    effects = effects_of(text_case)
    failures, step = text_case.failures, responsible_step(text_case.failures)
    refused = 0
    for row, sentence in enumerate(text_case.data.fetch(failures.index).sequences()):
        mistaken, at = int(failures.final_prediction[row]), int(step[row])
        moves = effects.effect[:, mistaken] - effects.effect[:, failures.label[row]]
        for token in range(20):
            other = sentence.clone()
            other[at] = token
            wanted = bool(moves[token] * moves[sentence[at]] < 0) and effects.count[token] >= 5
            agreed = int(model.predict([other])) == mistaken
            assert (token in everything[row]) == (wanted and agreed)
            refused += wanted and not agreed
    assert refused > 5


def test_words_that_stand_so_in_training_come_first(text_case):
    fit, effects = text_case.fit, effects_of(text_case)
    failures, step = text_case.failures, responsible_step(text_case.failures)
    texts = text_case.data.fetch(fit.index).sequences()
    pairs = {(int(a), int(b)) for t in texts for a, b in zip([-1, *t], [*t, -1], strict=True)}
    several = 0
    for row, found in enumerate(CounterfactualRepair(tried=100).confirmed(text_case.context)):
        sentence = text_case.data.fetch(failures.index[row : row + 1]).sequences()[0].tolist()
        at = int(step[row])
        around = [-1, *sentence, -1]
        moves = effects.effect[:, failures.final_prediction[row]]
        moves = (moves - effects.effect[:, failures.label[row]]).abs()
        keys = [
            (
                -((around[at], token) in pairs) - ((token, around[at + 2]) in pairs),
                -float(moves[token]),
            )
            for token in found
        ]
        assert keys == sorted(keys)
        several += len({key[0] for key in keys}) > 1
    assert several > 2


def test_samples_are_rebuilt_from_the_ledger(text_case, proposal):
    new_id = text_case.data.apply(proposal.changes())
    context, model = text_case.context, text_case.abstract
    rows = ledger_rows(proposal, new_id, context.evidence, model, "counterfactual", 3, 5)
    for row in rows:
        batch = text_case.data.fetch(torch.tensor([row.new_id]))
        assert torch.equal(rebuild(row, text_case.data), batch.sequences()[0])
        assert row.label == int(batch.label)


def test_unknown_words_turn_nothing(text_case, proposal):
    step = responsible_step(text_case.failures)
    used = [int(text(proposal, i)[step[proposal.failure[i]]]) for i in turned(proposal)]
    unknown = max(set(used), key=used.count)
    context = replace(text_case.context, unknown=unknown)
    assert all(unknown not in found for found in CounterfactualRepair().confirmed(context))


def test_injected_samples_teach_no_effect(text_case):
    """What a repair has put in is no evidence of what words do."""
    context = text_case.context
    some = replace(context, originals=context.originals[::2])
    fit = context.fit.select(torch.arange(0, len(context.fit), 2))
    alone = replace(some, fit=fit)
    strategy = CounterfactualRepair()
    assert strategy.confirmed(some) == strategy.confirmed(alone)
    assert strategy.confirmed(some) != strategy.confirmed(context)


def test_what_is_lacking_is_told(text_case):
    with pytest.raises(ConfigurationError, match="fit="):
        CounterfactualRepair().propose(replace(text_case.context, fit=None), 2)
    with pytest.raises(SettingsError, match="tried"):
        CounterfactualRepair(tried=0)
