"""The strategy that teaches patterns: what it makes, of what, how much, and that it resumes."""

from dataclasses import replace

import pytest
import torch

from rnnrepair.edits import SeriesEdits
from rnnrepair.errors import ConfigurationError, SettingsError
from rnnrepair.influence import Role
from rnnrepair.models import SequenceClassifier
from rnnrepair.network import logits_of, margin_of, verified
from rnnrepair.patterns import Candidate, PatternContext
from rnnrepair.repair import (
    CleanLabels,
    CleanThen,
    FailureRepair,
    InfluenceRepair,
    NoRepair,
    PatternFromStart,
    PatternRepair,
    PhraseRepair,
    Sought,
    TrainOnAll,
    ledger_rows,
    rebuild,
)
from rnnrepair.repair.known_pattern import SAFE
from rnnrepair.sequences import EditRegion
from tests.conftest import case_of, trained


class OneEdit:
    """Finds one edit, in the same samples."""

    name = "edit"

    def __init__(self, inside):
        self.inside = inside

    def candidates(self, context, difficulty):
        here = torch.isin(context.index, self.inside)
        parameters = {"edit": "speed", "from": 0.6, "to": 0.9}
        return [Candidate("edit", "speed", here, parameters)]

    def refined(self, context, candidate, stratum):
        return candidate


class OneGroup(OneEdit):
    name = "group"

    def candidates(self, context, difficulty):
        here = torch.isin(context.index, self.inside)
        return [Candidate("group", "some", here, {}, context.originals[:7])]


@pytest.fixture
def case(make_data):
    """A real network with its failures; what is looked through is the repair split."""
    data = make_data(repair_share=0.4)
    network = trained(SequenceClassifier(4, 3, hidden_size=8), data)
    found = case_of(data, network, SeriesEdits(), {Role.NEAREST, Role.PARENTS})
    traced = verified(network, data)
    index = data.indices("repair")
    logits = logits_of(traced, data.fetch, index)
    label = data.fetch(index).label
    samples = PatternContext(
        *(data.spec, data.fetch, data.indices("fit"), found.context.original_label),
        *(index, label, logits.argmax(1) != label),
    )
    sought = Sought(samples, margin_of(logits, label))
    return replace(found, context=replace(found.context, sought=sought))


@pytest.fixture
def inside(case):
    """Six failures, and no sample that is right."""
    return case.failures.index[:6]


def strategy_of(monkeypatch, finder, **settings):
    # What passes the test is not this file's question.
    monkeypatch.setattr("rnnrepair.patterns.tried.LEAST_INSIDE", 2)
    monkeypatch.setattr("rnnrepair.patterns.excess.PRIOR", 0.1)
    return PatternRepair(finders=[finder], **settings)


def test_patterns_get_their_share_and_other_failures_what_influence_gives(
    case, inside, monkeypatch
):
    strategy = strategy_of(monkeypatch, OneEdit(inside), share=0.5)
    m = len(case.failures)
    proposal = strategy.propose(case.context, 6)
    is_pattern = torch.isin(case.failures.index[proposal.failure], inside)
    assert int(is_pattern.sum()) == 3 * m
    assert len(proposal) == 6 * m
    taught = proposal.select(is_pattern.nonzero()[:, 0])
    speeds = torch.tensor([edit.parameters["warp"] for edit in taught.edits])
    low, high = 0.5 * 4**0.6, 0.5 * 4**0.9
    assert low <= speeds.min() < low + 0.2
    assert high - 0.2 < speeds.max() <= high
    assert len(taught.parent.unique()) > len(case.failures)
    assert set(taught.label.tolist()) == {0, 1, 2}
    rest = proposal.select((~is_pattern).nonzero()[:, 0])
    own = torch.isin(case.failures.index, inside).logical_not().nonzero()[:, 0]
    by_influence = InfluenceRepair().propose(
        replace(case.context, evidence=case.context.evidence.select(own)), -(-3 * m // len(own))
    )
    assert set(rest.parent.tolist()) <= set(by_influence.parent.tolist())


def test_failures_of_a_pattern_are_explained_and_searched_for_once(case, inside, monkeypatch):
    strategy = strategy_of(monkeypatch, OneEdit(inside))
    explained = strategy.explains(case.context)
    assert torch.equal(explained, torch.isin(case.failures.index, inside))
    monkeypatch.setattr(OneEdit, "candidates", lambda *_: pytest.fail("a second search"))
    proposal = strategy.propose(case.context, 2)
    assert bool(explained[proposal.failure].any())
    assert not bool(InfluenceRepair().explains(case.context).any())


def test_samples_are_rebuilt_from_their_rows(case, inside, monkeypatch):
    proposal = strategy_of(monkeypatch, OneEdit(inside)).propose(case.context, 4)
    rows = ledger_rows(
        *(proposal, torch.arange(len(proposal)), case.context.evidence, case.abstract),
        *("pattern", 1, 0),
    )
    for row, made, length in zip(rows, proposal.inputs, proposal.lengths.tolist(), strict=True):
        assert torch.equal(rebuild(row, case.data), made[:length])
    # Training sees another edit of the region in every epoch.
    taught = torch.isin(case.failures.index[proposal.failure], inside)
    assert [row.redrawn for row in rows] == taught.long().tolist()
    changes = proposal.changes()
    assert changes.regions == (EditRegion("speed", 0.6, 0.9),)
    assert torch.equal(changes.region, taught.long() - 1)


def test_a_group_is_taught_by_its_own_training_samples(case, inside, monkeypatch):
    proposal = strategy_of(monkeypatch, OneGroup(inside)).propose(case.context, 4)
    taught = torch.isin(case.failures.index[proposal.failure], inside)
    assert set(proposal.parent[taught].tolist()) == set(case.context.originals[:7].tolist())


def test_a_group_whose_failures_share_an_edit_is_taught_the_edit(case, inside, monkeypatch):
    # The device that fails has slowed its recordings: all training samples can teach that.
    finders = [OneGroup(inside), OneEdit(inside)]
    strategy = strategy_of(monkeypatch, finders[0])
    strategy.finders = finders
    proposal = strategy.propose(case.context, 6)
    (found,) = strategy.patterns
    assert found.kind == "group"
    taught = torch.isin(case.failures.index[proposal.failure], inside)
    own = proposal.select(taught.nonzero()[:, 0])
    assert len(own.parent.unique()) > 7
    assert own.regions == (EditRegion("speed", 0.6, 0.9),)
    assert set(own.region.tolist()) == {0}
    # The same after the run was stopped.
    resumed = PatternRepair(finders=finders)
    resumed.load_state_dict(strategy.state_dict())
    again = resumed.propose(case.context, 6)
    assert torch.equal(again.inputs, proposal.inputs)


def test_what_a_strategy_that_cleans_has_taken_out_teaches_no_pattern(case, inside, monkeypatch):
    strategy, originals = strategy_of(monkeypatch, OneGroup(inside)), case.context.originals
    trusted = ~torch.isin(originals, originals[:4])
    context = replace(
        case.context,
        evidence=case.context.evidence.without(originals[:4]),
        originals=originals[trusted],
        original_label=case.context.original_label[trusted],
        original_correct=case.context.original_correct[trusted],
    )
    proposal = strategy.propose(context, 4)
    taught = torch.isin(case.failures.index[proposal.failure], inside)
    assert set(proposal.parent[taught].tolist()) == set(originals[4:7].tolist())
    # With nothing left to teach it with, its failures are mended like the others.
    trusted = ~torch.isin(originals, originals[:7])
    context = replace(
        context,
        evidence=case.context.evidence.without(originals[:7]),
        originals=originals[trusted],
        original_label=case.context.original_label[trusted],
        original_correct=case.context.original_correct[trusted],
    )
    proposal = strategy.propose(context, 4)
    assert len(proposal) == 4 * len(case.failures)
    assert not set(proposal.parent.tolist()) & set(originals[:7].tolist())


@pytest.mark.parametrize("rest", [CleanLabels(), TrainOnAll()])
def test_a_rest_that_cleans_or_trains_another_network_is_refused(rest):
    with pytest.raises(SettingsError, match=r"PatternRepair\.rest: expected a strategy that makes"):
        PatternRepair(rest=rest)


def test_a_rest_that_makes_nothing_leaves_other_failures_alone(case, inside, monkeypatch):
    strategy = strategy_of(monkeypatch, OneEdit(inside), rest=NoRepair())
    proposal = strategy.propose(case.context, 6)
    assert len(proposal) == 6 * len(case.failures)
    assert torch.isin(case.failures.index[proposal.failure], inside).all()


@pytest.mark.parametrize("times", [0.5, 1.0, 2.5])
def test_parents_of_an_edit_are_each_as_often_as_any_other(case, inside, monkeypatch, times):
    strategy = strategy_of(monkeypatch, OneEdit(inside), rest=NoRepair())
    originals = case.context.originals
    budget = -(-int(times * len(originals)) // len(case.failures))
    proposal = strategy.propose(case.context, budget)
    often = torch.tensor([int((proposal.parent == i).sum()) for i in originals.tolist()])
    assert int(often.sum()) == len(proposal)
    assert int(often.max()) - int(often.min()) <= 1


def test_a_group_from_the_start_is_seen_ten_times_as_often_at_most(case, inside, monkeypatch):
    strategy_of(monkeypatch, OneGroup(inside))
    proposal = PatternFromStart(finders=[OneGroup(inside)]).propose(case.context, 1000)
    # A new network is trained on the repair split too.
    own = torch.cat([case.context.originals[:7], inside])
    assert set(proposal.parent.tolist()) <= set(own.tolist())
    n_fit, n = len(case.context.originals), len(proposal)
    drawn = (n_fit - n) / (n_fit + len(case.context.sought.samples))
    assert (drawn + n / len(own)) / drawn == pytest.approx(10, rel=0.05)
    assert torch.equal(proposal.inputs, case.context.fetch(proposal.parent).inputs)


@pytest.mark.parametrize(
    ("every", "told"), [(False, "as by augment or all"), (True, "with every kind of edit")]
)
def test_without_patterns_from_the_start_makes_nothing(case, monkeypatch, every, told):
    nothing = torch.empty(0, dtype=torch.int64)
    strategy_of(monkeypatch, OneEdit(nothing))
    strategy = PatternFromStart(finders=[OneEdit(nothing)], every=every)
    assert len(strategy.propose(case.context, 5)) == 0
    (note,) = strategy.notes
    assert told in note


def test_what_the_rest_needs_is_asked_for():
    strategy = PatternRepair(rest=PhraseRepair())
    assert strategy.reads_phrases
    assert strategy.needs == PhraseRepair.needs


class ServesSome(FailureRepair):
    def __init__(self, served):
        self.served = served

    def serves(self, context):
        return torch.isin(context.evidence.failures.index, self.served)


def test_the_rest_makes_samples_for_those_that_it_serves(case, inside, monkeypatch):
    served = case.failures.index[6:9]
    strategy = strategy_of(monkeypatch, OneEdit(inside), share=0.5, rest=ServesSome(served))
    proposal = strategy.propose(case.context, 4)
    mended = set(case.failures.index[proposal.failure].tolist()) - set(inside.tolist())
    assert mended == set(served.tolist())
    nobody = strategy_of(monkeypatch, OneEdit(inside), share=0.5, rest=ServesSome(served[:0]))
    made = nobody.propose(case.context, 4)
    assert set(case.failures.index[made.failure].tolist()) <= set(inside.tolist())


def test_a_pattern_gets_less_when_less_is_left_and_nothing_once_it_is_right(
    case, inside, monkeypatch
):
    strategy = strategy_of(monkeypatch, OneEdit(inside), share=0.5)
    m = len(case.failures)
    counts = []
    for n_right in (0, 3, 5, 6):
        right = inside[:n_right]
        sought = case.context.sought
        now = torch.isin(sought.samples.index, right)
        margin = torch.where(now, SAFE, sought.margin)
        failures = (~torch.isin(case.failures.index, right)).nonzero()[:, 0]
        context = replace(
            case.context,
            sought=Sought(replace(sought.samples, failed=sought.samples.failed & ~now), margin),
            evidence=case.context.evidence.select(failures),
        )
        proposal = strategy.propose(context, 12)
        index = context.evidence.failures.index[proposal.failure]
        counts.append(int(torch.isin(index, inside).sum()) / (12 * len(failures)))
        assert len(proposal) == 12 * len(failures)
    # Full as long as a third is left; one of six is half of that.
    assert counts == pytest.approx([0.5, 0.5, 0.25, 0.0], abs=0.02)
    assert m > 6


def test_a_pattern_that_fails_as_much_after_three_rounds_is_taught_no_more(
    case, inside, monkeypatch
):
    in_vain = strategy_of(monkeypatch, OneEdit(inside))
    helped = strategy_of(monkeypatch, OneEdit(inside))
    sought = case.context.sought
    # One of six may become right by itself.
    now = torch.isin(sought.samples.index, inside[:3])
    mended = replace(
        case.context,
        sought=replace(
            sought, samples=replace(sought.samples, failed=sought.samples.failed & ~now)
        ),
    )
    for number in range(5):
        for strategy, context in (
            (in_vain, case.context),
            (helped, mended if number else case.context),
        ):
            proposal = strategy.propose(replace(context, round=number + 1), 4)
            taught = bool((proposal.region >= 0).any())
            assert taught == (strategy is helped or number < 3)
            assert len(proposal) == 4 * len(case.failures)
    assert [pattern.description for pattern in in_vain.given_up] == ["speed"]
    assert helped.given_up == []
    again = strategy_of(monkeypatch, OneEdit(inside))
    again.load_state_dict(in_vain.state_dict())
    assert [pattern.description for pattern in again.given_up] == ["speed"]


def test_rounds_that_are_taken_back_were_none_in_vain(case, inside, monkeypatch):
    """Also after a resume, and beside cleaning, which takes rounds back."""
    strategy = CleanThen(strategy_of(monkeypatch, OneEdit(inside)))

    def teaches(number):
        made = strategy.then.propose(replace(case.context, round=number), 4)
        return bool((made.region >= 0).any())

    assert all(teaches(number) for number in (1, 2, 3))
    strategy.take_back(3)
    resumed = CleanThen(strategy_of(monkeypatch, OneEdit(inside)))
    resumed.load_state_dict(strategy.state_dict())
    strategy = resumed
    # Rounds 1, 2 and 5 are the three in vain.
    assert [teaches(number) for number in (5, 6)] == [True, False]


def test_patterns_that_are_given_up_are_mended_by_influence(case, inside, monkeypatch):
    strategy = CleanThen(strategy_of(monkeypatch, OneEdit(inside)))
    strategy.then.propose(case.context, 3)
    strategy.give_up_patterns()
    assert [pattern.description for pattern in strategy.given_up] == ["speed"]
    proposal = strategy.then.propose(case.context, 3)
    expected = InfluenceRepair().propose(case.context, 3)
    assert torch.equal(proposal.inputs, expected.inputs)


def test_state_is_what_a_resumed_repair_goes_on_with(case, inside, monkeypatch):
    first = strategy_of(monkeypatch, OneEdit(inside))
    first.propose(case.context, 3)
    again = strategy_of(monkeypatch, OneEdit(inside))
    again.load_state_dict(first.state_dict())
    later = replace(case.context, seed=99)
    left, right = first.propose(later, 3), again.propose(later, 3)
    for name in ("inputs", "label", "parent", "failure"):
        assert torch.equal(getattr(left, name), getattr(right, name))
    assert left.edits == right.edits
    assert first.state_dict() == again.state_dict()
    assert len(first.known) == 1
    assert not again.seeks
    # Another run with the same object knows nothing of the first, cleaning beside it or not.
    for strategy in (again, CleanThen(again)):
        again.load_state_dict(first.state_dict())
        assert strategy.taught_in
        strategy.begin()
        assert again.seeks
        assert not strategy.patterns
        assert not strategy.taught_in


def test_without_patterns_it_is_influence(case, monkeypatch):
    nothing = torch.empty(0, dtype=torch.int64)
    proposal = strategy_of(monkeypatch, OneEdit(nothing)).propose(case.context, 4)
    expected = InfluenceRepair().propose(case.context, 4)
    assert torch.equal(proposal.inputs, expected.inputs)
    assert proposal.edits == expected.edits


def test_it_says_that_it_has_found_nothing(case, inside, monkeypatch):
    nothing = torch.empty(0, dtype=torch.int64)
    for found, told in ((nothing, ["as by influence"]), (inside, [])):
        strategy = strategy_of(monkeypatch, OneEdit(found))
        assert not strategy.notes  # nobody has looked
        strategy.propose(case.context, 4)
        assert len(strategy.notes) == len(told)
        assert all(part in note for part, note in zip(told, strategy.notes, strict=True))
        assert CleanThen(strategy).notes == strategy.notes


def test_it_says_what_it_lacks(repair_case):
    with pytest.raises(ConfigurationError, match=r"sought.*seeks_patterns"):
        PatternRepair().propose(repair_case.context, 2)
    with pytest.raises(SettingsError, match=r"PatternRepair\.share"):
        PatternRepair(share=1.5)


def test_margin_is_below_zero_where_the_answer_is_wrong():
    logits = torch.tensor([[2.0, 0.0, 0.0], [2.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    margin = margin_of(logits, torch.tensor([0, 2, 1]))
    p = logits.softmax(1)
    expected = torch.stack([p[0, 0] - p[0, 1], p[1, 2] - p[1, 0], p[2, 0] - p[2, 0]])
    assert torch.allclose(margin, expected)


def test_groups_are_copied_where_the_rest_is_not_edited(case, inside, monkeypatch):
    strategy = strategy_of(monkeypatch, OneGroup(inside), rest=FailureRepair())
    assert not strategy.edits_samples
    proposal = strategy.propose(case.context, 4)
    taught = torch.isin(case.failures.index[proposal.failure], inside)
    assert 0 < taught.sum() < len(proposal)
    assert {edit.name for edit in proposal.edits} == {"copy"}
    assert torch.isin(proposal.parent[taught], case.context.originals[:7]).all()
    # The others are copies of the failures themselves.
    others = proposal.failure[~taught]
    assert torch.equal(proposal.parent[~taught], case.failures.index[others])
    parents = case.context.fetch(proposal.parent)
    assert torch.equal(proposal.label, parents.label)
    assert torch.equal(proposal.inputs[taught], parents.inputs[taught])


def test_a_round_that_the_failures_do_not_divide_keeps_the_share_of_patterns(
    case, inside, monkeypatch
):
    strategy = strategy_of(monkeypatch, OneEdit(inside), share=0.5)
    room = 2 * len(case.failures) - 7
    proposal = strategy.propose(replace(case.context, room=room), 2)
    assert len(proposal) == len(proposal.limited(room)) == room
    is_pattern = torch.isin(case.failures.index[proposal.failure], inside)
    assert int(is_pattern.sum()) == room // 2


class OnlyInRepair(OneGroup):
    """Finds a group that no training sample belongs to."""

    def candidates(self, context, difficulty):
        here = torch.isin(context.index, self.inside)
        return [Candidate("group", "device 7", here, {})]


def test_what_no_training_sample_has_is_told_and_not_taught(case, inside, monkeypatch):
    strategy = strategy_of(monkeypatch, OnlyInRepair(inside))
    proposal = strategy.propose(case.context, 4)
    assert [pattern.description for pattern in strategy.patterns] == ["device 7"]
    assert "No training sample" in strategy.notes[0]
    assert "device 7" in strategy.notes[0]
    expected = InfluenceRepair().propose(case.context, 4)
    assert torch.equal(proposal.inputs, expected.inputs)
