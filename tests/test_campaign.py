"""Budget and rounds of a repair: when it stops, why, and that all strategies plan the same."""

import pytest

from rnnrepair.callbacks.resumed_rounds import check_release
from rnnrepair.errors import ConfigurationError, IncompatibleCheckpointError
from rnnrepair.repair import Campaign, StopReason
from rnnrepair.scores import Scored

PLAN = {"budget": 4, "rounds": 3, "patience": 1, "max_samples": 10_000}


def look(campaign, failures, accuracies):
    """Open a round for each pair and return what was planned."""
    scores = [Scored(accuracy, 0) for accuracy in accuracies]
    return [campaign.open_round(n, val) for n, val in zip(failures, scores, strict=True)]


@pytest.mark.parametrize(
    ("change", "failures", "accuracies", "planned", "reason"),
    [
        ({}, [5], [0.9], [20], StopReason.TRAINING_ENDED),
        ({}, [5, 3, 3], [0.90, 0.91, 0.92], [20, 20, 20], StopReason.ROUNDS_DONE),
        ({}, [5, 3, 3, 3], [0.9, 0.91, 0.92, 0.9], [20, 20, 20, None], StopReason.ROUNDS_DONE),
        ({}, [0], [1.0], [None], StopReason.NO_FAILURES),
        # Failures may come back: a round without any counts and goes on.
        ({}, [5, 0, 2], [0.90, 0.91, 0.92], [20, 20, 20], StopReason.ROUNDS_DONE),
        ({"max_samples": 25}, [5, 5, 5], [0.9, 0.91, 0.92], [20, 5, None], "share_reached"),
        ({}, [5, 5], [0.90, 0.90], [20, None], "no_gain_on_val"),  # equal is no gain
        ({"patience": 2}, [5, 5], [0.90, 0.89], [20, 20], StopReason.TRAINING_ENDED),
        ({"patience": 2}, [5] * 3, [0.90, 0.89, 0.89], [20, 20, None], "no_gain_on_val"),
        ({"patience": 2}, [5] * 3, [0.90, 0.89, 0.92], [20, 20, 20], StopReason.ROUNDS_DONE),
        # A gain before the last rounds does not count.
        (
            {"patience": 2, "rounds": 9},
            [5] * 4,
            [0.8, 0.9, 0.85, 0.89],
            [20, 20, 20, None],
            "no_gain_on_val",
        ),
    ],
)
def test_rounds_are_planned_and_stopped(change, failures, accuracies, planned, reason):
    campaign = Campaign(**{**PLAN, **change})
    assert look(campaign, failures, accuracies) == planned
    assert campaign.stop_reason == reason
    assert campaign.planned == sum(n or 0 for n in planned)
    assert campaign.open_round(5, Scored(1.0, 0)) is None or campaign.stopped is None


def test_the_plan_after_some_rounds_is_what_rounds_plan():
    campaign = Campaign(**{**PLAN, "max_samples": 50})
    for n_rounds, failures in enumerate([5, 1, 9]):
        assert campaign.planned == campaign.planned_after(n_rounds)
        campaign.open_round(failures, Scored(0.9 + n_rounds / 100, 0))
    assert [campaign.planned_after(n) for n in (-1, 0, 1, 2, 3, 9)] == [0, 0, 20, 40, 50, 50]


def test_a_campaign_goes_on_from_its_state():
    whole, first = (Campaign(**{**PLAN, "patience": 2}) for _ in range(2))
    failures, accuracies = [5, 4, 3, 2], [0.9, 0.89, 0.91, 0.9]
    planned = look(whole, failures, accuracies)
    look(first, failures[:2], accuracies[:2])
    resumed = Campaign(**{**PLAN, "patience": 2})
    resumed.load_state_dict(first.state_dict())
    assert look(resumed, failures[2:], accuracies[2:]) == planned[2:]
    assert resumed == whole


@pytest.mark.parametrize("name", ["budget", "rounds", "patience"])
def test_a_plan_of_nothing_is_refused(name):
    with pytest.raises(
        ConfigurationError, match=rf"Campaign\.{name}: expected .* at least 1, got 0"
    ):
        Campaign(**{**PLAN, name: 0})


def test_every_reason_has_a_message():
    messages = {reason.message for reason in StopReason}
    assert len(messages) == len(StopReason)
    assert all(messages)


@pytest.mark.parametrize(
    ("accuracies", "since_best", "rising"),
    [
        ([], [], False),
        ([0.9], [0.9], False),
        ([0.9, 0.8], [0.9, 0.8], False),
        ([0.9, 0.8, 0.7], [0.9, 0.8, 0.7], False),
        ([0.9, 0.8, 0.8], [0.9, 0.8, 0.8], False),
        ([0.9, 0.8, 0.85], [0.9, 0.8, 0.85], True),
        # The first of equals is the best: what is as good later is no gain.
        ([0.7, 0.9, 0.9], [0.9, 0.9], False),
        ([0.7, 0.9, 0.8, 0.6, 0.85], [0.9, 0.8, 0.6, 0.85], True),
    ],
)
def test_more_rounds_may_help_where_val_rises_again(accuracies, since_best, rising):
    campaign = Campaign(**PLAN)
    campaign.val = [Scored(accuracy, 0) for accuracy in accuracies]
    assert campaign.since_best == since_best
    assert campaign.was_rising is rising


def test_the_repair_split_is_not_released_anew_while_rounds_are_due():
    check_release(12, 12, 14, rounds_due=True)
    check_release(12, 18, 11, rounds_due=True)
    check_release(12, 18, 14, rounds_due=False)
    check_release(None, None, 14, rounds_due=True)
    for planned, now in ((12, 18), (18, 12), (12, None)):
        with pytest.raises(IncompatibleCheckpointError, match=r"14 epochs.*final epochs"):
            check_release(planned, now, 14, rounds_due=True)
