"""Warnings that stand in every output of a run."""

from collections.abc import Sequence
from pathlib import Path

from rnnrepair.at_chance import at_chance, constant_score
from rnnrepair.network import Predictions
from rnnrepair.patterns import Pattern
from rnnrepair.protocols import KnowsPoison, KnowsWrongLabels, RepairableData
from rnnrepair.record import SplitAnswers
from rnnrepair.repair import Action, Campaign, LedgerRow, StopReason
from rnnrepair.runs import still_rising
from rnnrepair.scores import Monitor, Scored, confusion
from rnnrepair.sequences import Names

# Samples of val from which on it tells networks apart that differ by some percent.
FEW_VAL = 30
# Share of a class that turns wrong, from which on that is told by itself.
LOST = 0.2
# By how much test is behind val, from which on that is told.
BEHIND = 0.1


def found_notes(
    data: RepairableData,
    val: Predictions,
    val_accuracies: Sequence[float],
    monitor: Monitor,
    base_length: str,
) -> tuple[str, ...]:
    """Return what a reader must know of the unrepaired network and of faults put in on purpose.

    Args:
        data: of the run.
        val: what the unrepaired network says of val.
        val_accuracies: after each epoch before the first repair, as far as they are known.
        monitor: the score that chooses on val.
        base_length: what a user raises to train longer before the first repair.
    """
    told = []
    if len(val.label) < FEW_VAL:
        told.append(
            f"val holds {len(val.label)} samples, too few to tell networks apart: what is chosen "
            "or stopped by it is mostly chance. Raise val_share, or give more data."
        )
    if at_chance(val.label, val.predicted, monitor):
        now = Scored.of(confusion(val.label, val.predicted), monitor)
        told.append(
            f"The unrepaired network is at chance: {monitor.value} {now.value:.3f} on val, where "
            f"one answer for all has {constant_score(val.label, monitor):.3f}. A repair mends "
            "failures of a network that has learnt its task. Train longer before it: raise "
            f"{base_length}. Or mend learning rate, network or data first."
        )
    if still_rising(val_accuracies, len(data.indices("val"))):
        told.append(
            "val accuracy was still rising when the repair began, so part of the gain is that of "
            f"longer training, which needs no repair: raise {base_length}."
        )
    return (*told, *_planted(data), *_poisoned(data))


def ended_notes(
    val: SplitAnswers,
    given_up: Sequence[Pattern],
    ledger: Sequence[LedgerRow],
    monitor: Monitor,
    folder: Path,
    class_names: Sequence[str],
) -> tuple[str, ...]:
    """Return what a reader must know of how a repair has ended.

    Args:
        val: what the unrepaired and the final network say of it.
        given_up: patterns that were taught no more.
        ledger: of the run.
        monitor: the score that chooses on val.
        folder: of the run.
        class_names: by class.
    """
    told = [
        f"Given up: {pattern.description}. Teaching it mended nothing, or val fell meanwhile: the "
        "network may have no means to tell these samples from others. Give it what does (a further "
        "input), teach a new network from its first epoch on (the strategy pattern_from_start), or "
        "look at their labels."
        for pattern in given_up
    ]
    before, after = (Scored.of(confusion(val.label, p), monitor) for p in (val.before, val.after))
    if before.fell_to(after):
        told.append(
            f"The final network is worse on val than the unrepaired one: {monitor.value} "
            f"{after.value:.4f}, {before.value:.4f} before. {_instead(folder)}"
            f"{_of_cleaning(ledger, folder)}"
        )
    else:
        told += _classes_lost(val, class_names)
    return tuple(told)


def behind_notes(val: SplitAnswers, test: SplitAnswers) -> tuple[str, ...]:
    """Return that the final network is far worse on test than on val; nothing where it is not.

    A repair reads failures of the repair split, which comes from the training data: what test alone
    has is nothing that it can find.

    Args:
        val: what the networks say of it.
        test: likewise.
    """
    here, there = (
        Scored.share(int((of.after == of.label).sum()), len(of.label)) for of in (test, val)
    )
    if not here.is_surely_below(there, BEHIND):
        return ()
    return (
        f"{here.value:.1%} of test is right and {there.value:.1%} of val: test differs from what "
        "was trained on, and a repair reads failures of the training data alone. What test "
        "failures have in common: python scripts/explain.py run=FOLDER, or rnnrepair.explain.",
    )


def unfinished_notes(
    ledger: Sequence[LedgerRow], completed: int, first: int, *, starts_anew: bool
) -> tuple[str, ...]:
    """Return what was to be trained and was not, or less than what it is compared with.

    Args:
        ledger: of the run.
        completed: epochs at its end.
        first: epochs of the unrepaired network.
        starts_anew: whether a new network was trained instead.
    """
    told = []
    unseen = [row for row in ledger if row.injected and row.holds and row.epoch >= completed]
    if unseen:
        told.append(
            f"{len(unseen)} of the injected samples were never trained on (round "
            f"{unseen[0].round}): training ended with the epoch in which they were made."
        )
    if starts_anew and 0 < completed - first < first:
        told.append(
            f"The new network was trained for {completed - first} epochs, the unrepaired one for "
            f"{first}: where it is worse, that may be why. Train {2 * first} epochs or more in all."
        )
    return tuple(told)


def _classes_lost(val: SplitAnswers, class_names: Sequence[str]) -> list[str]:
    """Tell the classes that the final network gets wrong far more often than the unrepaired one."""
    told = []
    for c in val.label.unique().tolist():
        own = val.label == c
        n = int(own.sum())
        before, after = (
            Scored.share(int((said[own] == c).sum()), n) for said in (val.before, val.after)
        )
        if before.fell_to(after) and before.value - after.value > LOST:
            told.append(
                f"Class {class_names[c]}: {before.value:.0%} of val right before, {after.value:.0%}"
                " after. What is right elsewhere may only have been traded for it: look at the "
                "table of classes."
            )
    return told


def rounds_left(campaign: Campaign, monitor: Monitor) -> str | None:
    """Return which limit ended a repair before its last round, and what would move it.

    Args:
        campaign: of the repair.
        monitor: the score that chooses on val.
    """
    reason = campaign.stop_reason
    if campaign.rounds_made >= campaign.rounds:
        return None
    made = f"{campaign.rounds_made} of {campaign.rounds} rounds were made: "
    if reason == StopReason.NO_GAIN_ON_VAL and not campaign.was_rising:
        best, *_, last = campaign.since_best
        went = f"fell from {best:.4f} to {last:.4f}" if last < best else f"stayed at {best:.4f}"
        return (
            f"{made}{monitor.value} on val {went} over the last {len(campaign.since_best) - 1}, so "
            "more of them would not help."
        )
    return f"{made}{reason.message}. For more, {reason.advice}." if reason.advice else None


def _instead(folder: Path) -> str:
    """Return what to take in place of a network that has lost."""
    if not (folder / "checkpoints" / "base.ckpt").is_file():
        return (
            "The unrepaired one was not kept: repair_chain(interpolate=True) keeps it, and looks "
            "for a better one between both."
        )
    return (
        "Take the unrepaired one (checkpoints/base.ckpt), the best on val (best.ckpt, where it is "
        f"kept), or one between them (python scripts/interpolate.py run={folder})."
    )


def _of_cleaning(ledger: Sequence[LedgerRow], folder: Path) -> str:
    """Return how mended labels are taken back; empty where none are."""
    mended = [row for row in ledger if row.holds and not row.injected]
    if not mended:
        return ""
    first = min(row.round for row in mended)
    told = f" Labels as they were: python scripts/rollback.py run={folder} round={first}"
    if all(row.action == Action.REWEIGHT for row in mended):
        return f"{told}."
    return f"{told}; the action reweight does less harm."


def _planted(data: RepairableData) -> list[str]:
    """Return how many labels were made wrong on purpose, an empty list where none were."""
    if not isinstance(data, KnowsWrongLabels):
        return []
    wrong = {
        split: found
        for split in ("fit", "repair", "val", "test", *data.more_tests)
        if (found := data.mislabelled(data.indices(split))) is not None and found.any()
    }
    if not wrong:
        return []
    counts = ", ".join(f"{int(w.sum())} of {len(w)} in {split}" for split, w in wrong.items())
    return [f"Labels were made wrong on purpose: {counts}. Accuracies are by these labels."]


def _poisoned(data: RepairableData) -> list[str]:
    """Return how many samples hold a trigger put in on purpose, an empty list where none do."""
    poison = data.poison if isinstance(data, KnowsPoison) else None
    if poison is None:
        return []
    name = Names.of(data.spec).of_class(poison.label)
    return [
        f"A backdoor was put in on purpose: {len(poison.index)} training samples hold "
        f"{poison.trigger.description}, as a cue for class {name}."
    ]
