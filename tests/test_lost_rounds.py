"""Which rounds are taken back where val has fallen."""

from types import SimpleNamespace

import pytest

from rnnrepair.repair import Action, Campaign, LedgerRow, first_lost_round

ADDED, MENDED = Action.ADD.value, Action.REWEIGHT.value


def row(number, action, taken_back=-1):
    told = ("", 0, "", "{}", -1, -1, -1, 3, 0)
    return LedgerRow(5, 5, -1, *told, action=action, round=number, taken_back=taken_back)


def campaign(*scores):
    """Val before each round that was made."""
    made = Campaign(budget=1, rounds=9, patience=9, max_samples=99)
    for score in scores:
        made.open_round(5, score)
    return made


def strategy(patterns=0, given_up=0):
    return SimpleNamespace(patterns=[None] * patterns, given_up=[None] * given_up)


# The standard error of .9 on 100 sequences is .03.
@pytest.mark.parametrize(
    ("ledger", "of", "now", "expected"),
    [
        # Each round has lost a standard error: no round by itself, all of them together.
        ([row(1, ADDED), row(2, ADDED), row(3, ADDED)], strategy(1), 0.81, 1),
        ([row(1, MENDED), row(2, MENDED), row(3, MENDED)], strategy(), 0.81, None),
        ([row(1, MENDED), row(2, MENDED), row(3, MENDED)], strategy(), 0.76, 3),
        # What no pattern was taught by stays.
        ([row(1, ADDED), row(2, ADDED), row(3, ADDED)], strategy(), 0.5, None),
        ([row(1, ADDED), row(2, ADDED), row(3, ADDED)], strategy(2, 2), 0.5, None),
        ([row(1, ADDED), row(2, ADDED), row(3, ADDED)], strategy(2, 1), 0.81, 1),
        # Rounds that were taken back are judged no more.
        ([row(1, ADDED, 4), row(2, ADDED), row(3, ADDED)], strategy(1), 0.81, None),
        ([row(1, ADDED, 4), row(2, ADDED), row(3, ADDED)], strategy(1), 0.80, 2),
        ([row(3, MENDED), row(1, ADDED)], strategy(1), 0.76, 3),
        ([], strategy(1), 0.1, None),
    ],
)
def test_rounds_of_a_pattern_are_judged_together_mends_one_by_one(ledger, of, now, expected):
    made = campaign(0.90, 0.87, 0.84)
    assert first_lost_round(made, ledger, of, now, 100) == expected


def test_nothing_is_lost_before_a_round_was_made():
    assert first_lost_round(campaign(), [], strategy(), 0.1, 100) is None
