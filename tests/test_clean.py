"""Cleaning: what is mended, within which limits, and what is made beside it."""

from dataclasses import replace

import pytest
import torch

from rnnrepair.callbacks.pattern_outcome import labels_before
from rnnrepair.errors import ConfigurationError, SettingsError
from rnnrepair.influence import LabelDoubt, SharedValue, Suspicion
from rnnrepair.repair import (
    Action,
    Campaign,
    ClassRepair,
    CleanFromStart,
    CleanLabels,
    CleanThen,
    FailureRepair,
    GuidedRepair,
    InfluenceRepair,
    LedgerRow,
    NoRepair,
    PatternRepair,
    PhraseRepair,
    RandomRepair,
    RepairStrategy,
    ledger_rows,
    propose_for,
    read_ledger,
    rebuild,
    rounds_held,
    taken_back,
    write_ledger,
)
from rnnrepair.scores import Scored


def judged(case, suspects=(), own=(), neighbours=(), **changes):
    """Return the context of a case in which some rows are suspect; later ones are more so."""
    n, context = len(case.context.originals), case.context
    m = len(context.evidence)
    score = torch.arange(n) / (2 * n)
    score[list(suspects)] += 0.5
    suggested = (context.original_label + 1) % 3
    suspicion = Suspicion(context.originals, score, suggested, score >= 0.5)
    flags = torch.zeros(2, m, dtype=torch.bool)
    flags[0, list(own)] = True
    flags[1, list(neighbours)] = True
    odds = torch.where(flags[0], 39.0, 1.0)
    copies = torch.full((m, 20), -1)
    doubt = LabelDoubt(odds, flags[0], flags[1], copies, torch.full((m,), -1))
    return replace(context, suspicion=suspicion, doubt=doubt, **changes)


def test_each_action_becomes_its_change(repair_case):
    context = judged(repair_case, suspects=[2, 5], own=[1])
    index, label = context.originals[[5, 2]], context.original_label[[5, 2]]
    failure = context.evidence.failures.index[1:2]

    changes = CleanLabels("remove").propose(context, 1).changes()
    assert changes.removed.tolist() == [*index.tolist(), *failure.tolist()]
    assert changes.inputs is None
    assert len(changes.relabelled) == len(changes.reweighted) == 0

    changes = CleanLabels("reweight", weight=0.25).propose(context, 1).changes()
    assert changes.reweighted.tolist() == [*index.tolist(), *failure.tolist()]
    assert changes.weight.tolist() == [0.25] * 3

    changes = CleanLabels("relabel").propose(context, 1).changes()
    assert torch.equal(changes.relabelled, index)
    assert torch.equal(changes.new_label, (label + 1) % 3)
    assert torch.equal(changes.removed, failure)  # never relabelled: it measures
    assert len(changes.reweighted) == 0


def test_labels_that_a_value_explains_are_left_and_that_is_said(repair_case, caplog):
    context = judged(repair_case, suspects=[2, 5])
    explained = torch.zeros(len(context.originals), dtype=torch.bool)
    explained[[1, 7, 8]] = True
    by_kim = SharedValue("annotator", "kim", 3, 5, 9, len(explained), 0.001, (0,))
    context = replace(
        context, suspicion=replace(context.suspicion, explained=explained, shared=(by_kim,))
    )
    with caplog.at_level("INFO"):
        changes = CleanLabels("remove").propose(context, 1).changes()
    assert changes.removed.tolist() == context.originals[[5, 2]].tolist()
    assert "3 doubted labels are left as they are" in caplog.text
    assert "annotator=kim" in caplog.text
    caplog.clear()
    with caplog.at_level("INFO"):
        CleanLabels("remove").propose(judged(repair_case, suspects=[2]), 1)
    assert "left as they are" not in caplog.text


def test_what_is_settled_is_not_mended_again(repair_case):
    context = judged(repair_case, suspects=[2, 5, 9], own=[0, 1])
    settled = torch.cat([context.originals[[5]], context.evidence.failures.index[:1]])
    mends = CleanLabels().propose(replace(context, settled=settled), 1).mends
    expected = [*context.originals[[9, 2]].tolist(), int(context.evidence.failures.index[1])]
    assert [mend.index for mend in mends] == expected


def test_never_above_half_of_a_class_is_mended(repair_case, caplog):
    label = repair_case.context.original_label
    rows = (label == 1).nonzero()[:, 0]
    context = judged(repair_case, suspects=rows.tolist())
    strategy = CleanLabels("remove", share=0.9)
    mends = strategy.propose(context, 1).mends
    half = len(rows) // 2
    assert len(mends) == half
    assert [m.index for m in mends] == context.originals[rows.flip(0)[:half]].tolist()
    assert "class 1" in caplog.text
    # What was mended before counts, relabelled ones as of the class that they had.
    before = rows.flip(0)[:2].sort().values
    moved = context.original_label.clone()
    moved[before] = 2
    later = replace(
        context,
        original_label=moved,
        settled=context.originals[before],
        mended=context.originals[before],
        mended_label=label[before],
    )
    assert len(strategy.propose(later, 1).mends) == half - 2


def test_never_above_the_share_is_mended(repair_case, caplog):
    n = len(repair_case.context.originals)
    context = judged(repair_case, suspects=range(n))
    mends = CleanLabels(share=0.2).propose(context, 1).mends
    assert len(mends) == int(0.2 * n)
    assert "left as they are" in caplog.text
    first = context.originals[:3]
    later = replace(context, settled=first, mended=first, mended_label=context.original_label[:3])
    assert len(CleanLabels(share=0.2).propose(later, 1).mends) == int(0.2 * n) - 3


@pytest.mark.parametrize(
    "then", [GuidedRepair(5, 4), FailureRepair(), InfluenceRepair(), RandomRepair(), ClassRepair()]
)
def test_samples_are_made_of_and_for_what_can_be_trusted(repair_case, then):
    parents = repair_case.context.evidence.parents.index
    rows = torch.searchsorted(repair_case.context.originals, parents[3, :2])
    context = judged(repair_case, suspects=rows.tolist(), own=[0], neighbours=[2])
    proposal = CleanThen(then).propose(context, 3)
    assert proposal.withheld == 2
    assert len(proposal) > 0
    assert not {0, 2} & set(proposal.failure.tolist())
    suspect = context.originals[rows].tolist()
    assert not set(suspect) & set(proposal.parent.tolist())
    assert set(suspect) <= {mend.index for mend in proposal.mends}
    # Nor by later epochs, which draw some samples anew, and whether they could be mended or not.
    capped = CleanThen(then, CleanLabels(share=0.001)).propose(context, 3)
    own = context.evidence.failures.index[:1].tolist()
    assert {mend.index for mend in capped.mends} == set(own)
    for made in (proposal, capped):
        assert set(made.limited(2).changes().untrusted.tolist()) == {*suspect, *own}
    # Samples carry the label of the failure that they are meant for, except random ones.
    if not isinstance(then, RandomRepair):
        assert torch.equal(proposal.label, context.evidence.failures.label[proposal.failure])


def test_failures_whose_cause_was_found_are_not_doubted(repair_case, monkeypatch):
    then = FailureRepair()
    context = judged(repair_case, own=[0, 1], neighbours=[2])
    cause = torch.zeros(len(context.evidence), dtype=torch.bool)
    cause[[0, 2]] = True
    monkeypatch.setattr(then, "explains", lambda context: cause[: len(context.evidence)])
    proposal = CleanThen(then).propose(context, 3)
    assert proposal.withheld == 1
    assert {0, 2} <= set(proposal.failure.tolist())
    failures = context.evidence.failures.index
    assert {mend.index for mend in proposal.mends} & set(failures.tolist()) == {int(failures[1])}
    assert proposal.untrusted.tolist() == [int(failures[1])]


def test_all_failures_share_the_budget_those_without_samples_too(repair_case):
    context = judged(repair_case, own=[0, 1])
    assert CleanThen(FailureRepair()).serves(context).all()
    assert len(CleanThen(FailureRepair()).propose(context, 3)) == 3 * (len(context.evidence) - 2)


def test_failures_that_others_withhold_are_left_out_and_labels_are_mended_all_the_same(repair_case):
    n = len(repair_case.context.evidence)
    context = replace(judged(repair_case, suspects=[4], own=[0], neighbours=[3]), room=2 * n)
    kept = torch.arange(1, n)
    made = propose_for(CleanThen(FailureRepair()), context, kept, 2)
    assert made.withheld == 2
    assert set(made.failure.tolist()) == set(range(n)) - {0, 3}
    assert len(made) == 2 * (n - 2)
    nothing = propose_for(CleanThen(FailureRepair()), context, kept[:0], 2)
    assert (len(nothing), nothing.withheld) == (0, n)
    suspect = int(context.originals[4])
    assert [mend.index for mend in nothing.mends] == [suspect]
    assert suspect in {mend.index for mend in made.mends}


def test_a_part_of_the_failures_has_its_share_of_the_room_and_its_own_doubt(repair_case):
    context = replace(judged(repair_case, own=[1]), room=10)
    n = len(context.evidence)
    part = context.select(torch.tensor([1, 3]))
    assert part.room == 10 * 2 // n
    assert part.doubt.own.tolist() == [True, False]
    assert part.doubt.copies.shape[0] == 2
    failures = context.evidence.failures.index
    assert part.evidence.failures.index.tolist() == failures[[1, 3]].tolist()


def test_nothing_is_made_where_no_failure_can_be_trusted(repair_case):
    everything = range(len(repair_case.context.evidence))
    proposal = CleanThen(GuidedRepair(5, 4)).propose(judged(repair_case, own=everything), 3)
    assert len(proposal) == 0
    assert proposal.withheld == len(everything)


def test_a_second_strategy_that_makes_nothing_is_refused():
    for then in (NoRepair(), CleanLabels()):
        with pytest.raises(SettingsError, match=r"then.*makes samples"):
            CleanThen(then)


def test_cleaning_without_a_judgement_is_refused(repair_case):
    with pytest.raises(ConfigurationError, match="suspicion"):
        CleanLabels().propose(repair_case.context, 1)


@pytest.mark.parametrize("wrong", [{"action": "drop"}, {"share": 0}, {"weight": 1.5}])
def test_values_out_of_range_are_refused(wrong):
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        CleanLabels(**wrong)


def test_evidence_loses_samples_and_failures_alone(repair_case):
    evidence = repair_case.context.evidence
    gone = evidence.parents.index[1, [0, 3]]
    found = evidence.select(torch.tensor([4, 1])).without(gone)
    assert torch.equal(found.failures.index, evidence.failures.index[[4, 1]])
    left = [i for i in evidence.parents.index[1].tolist() if i not in gone.tolist()]
    assert found.parents.index[1].tolist() == [*left, -1, -1]
    assert found.parents.distance[1, -2:].tolist() == [torch.inf] * 2
    kept = ~torch.isin(evidence.parents.index[1], gone)
    assert torch.equal(found.parents.distance[1, :-2], evidence.parents.distance[1][kept])


def test_mends_are_in_the_ledger_and_can_be_taken_back(repair_case, tmp_path):
    context = judged(repair_case, suspects=[2, 5], own=[1])
    told = (context.evidence, repair_case.abstract, "clean", 7, 11)
    proposal = CleanLabels("relabel").propose(context, 1)
    first = ledger_rows(proposal, torch.empty(0).long(), *told, number=1)
    made = FailureRepair().propose(context, 1)
    second = ledger_rows(made, torch.arange(900, 900 + len(made)), *told, number=2)
    rows = [*first, *second]
    write_ledger(rows, tmp_path / "ledger.csv")
    assert read_ledger(tmp_path / "ledger.csv") == rows
    row = first[0]
    assert (row.new_id, row.parent_id) == (int(context.originals[5]), int(context.originals[5]))
    assert (row.action, row.was) == ("relabel", int(context.original_label[5]))
    assert row.label == (row.was + 1) % 3
    assert [r.injected for r in rows] == [False] * 3 + [True] * len(made)
    assert rounds_held(rows) == [1, 2]
    left = taken_back(rows, 2, epoch=9)
    assert rounds_held(left) == [1]
    assert left[:3] == first
    assert {r.taken_back for r in left[3:]} == {9}
    with pytest.raises(ConfigurationError, match="relabel"):
        rebuild(row, repair_case.data)
    assert Action(row.action) is Action.RELABEL


def test_a_round_is_lost_where_val_falls_by_more_than_chance():
    campaign = Campaign(budget=1, rounds=3, patience=3, max_samples=99)
    before = Scored.share(90, 100)
    campaign.open_round(5, before)
    # Twice the standard error of .9 on 100 sequences, one more on either side, is .062.
    assert not campaign.lost(Scored(0.839, 0.0), first=1)
    assert campaign.lost(Scored(0.837, 0.0), first=1)
    before = Scored.share(50, 100)
    campaign.open_round(5, before)
    assert not campaign.lost(Scored(0.45, 0.0), first=2)
    assert campaign.lost(Scored(0.45, 0.0), first=1)


def test_labels_before_are_those_that_the_ledger_remembers():
    index, label = torch.tensor([3, 5, 8, 9]), torch.tensor([0, 1, 2, 0])
    made = {
        3: (Action.RELABEL, -1, 2),
        5: (Action.RELABEL, 4, 0),  # taken back: it has its label again
        8: (Action.REMOVE, -1, 1),
        7: (Action.RELABEL, -1, 1),  # of another split
        20: (Action.ADD, -1, 0),
    }
    ledger = [
        LedgerRow(
            *(new_id, new_id, -1, "clean", 0, "", "{}", 0, -1, -1, 3, 0),
            action=action,
            taken_back=taken_back,
            was=was,
        )
        for new_id, (action, taken_back, was) in made.items()
    ]
    assert labels_before(index, label, ledger).tolist() == [2, 1, 2, 0]
    assert label.tolist() == [0, 1, 2, 0]
    assert labels_before(index, label, []).tolist() == label.tolist()


def test_samples_are_not_made_for_a_network_that_is_replaced():
    with pytest.raises(SettingsError, match=r"clean: expected CleanLabels.*clean_from_start"):
        CleanThen(FailureRepair(), CleanFromStart())


@pytest.mark.parametrize("then", [GuidedRepair(), FailureRepair(), PatternRepair(), PhraseRepair()])
def test_whatever_is_asked_of_a_strategy_is_asked_of_cleaning_before_it(then):
    own = {"name", "cleans", "relabels"}
    both = CleanThen(then, CleanLabels("remove"))
    traits = RepairStrategy.__annotations__.keys() - own
    assert {t: getattr(both, t) for t in traits} == {t: getattr(then, t) for t in traits}
    assert (both.cleans, both.relabels) == (True, False)
    assert CleanThen(then, CleanLabels("relabel")).relabels
