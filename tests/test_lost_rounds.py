"""Which rounds are taken back where val has fallen."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from rnnrepair.callbacks.lost_rounds import take_back_lost
from rnnrepair.repair import (
    Action,
    Campaign,
    LedgerRow,
    lost_by_mending,
    lost_by_patterns,
)
from rnnrepair.scores import Monitor, Scored
from rnnrepair.sequences import Changes

ADDED, MENDED = Action.ADD.value, Action.REWEIGHT.value


def row(number, action, taken_back=-1, new_id=5):
    told = ("", 0, "", "{}", -1, -1, -1, 3, 0)
    return LedgerRow(new_id, 5, 7, *told, action=action, round=number, taken_back=taken_back)


def campaign(*scores):
    """Val before each round that was made."""
    made = Campaign(budget=1, rounds=9, patience=9, max_samples=99)
    for score in scores:
        made.open_round(5, replace(Scored.share(round(100 * score), 100), value=score))
    return made


# The standard error of .9 on 100 sequences is .031, of .84 .037.
@pytest.mark.parametrize(
    ("rounds", "now", "expected"), [([1, 2, 3], 0.76, 3), ([1, 2, 3], 0.81, None), ([1], 0.5, None)]
)
def test_the_last_round_alone_answers_for_what_it_has_mended(rounds, now, expected):
    ledger = [row(number, MENDED) for number in rounds]
    assert lost_by_mending(campaign(0.90, 0.87, 0.84), ledger, Scored(now, 0.0)) == expected
    assert lost_by_mending(campaign(0.90, 0.87, 0.84), [row(3, ADDED)], Scored(now, 0.0)) is None


@pytest.mark.parametrize(
    ("taught_in", "now", "expected"),
    [
        # Each round has lost a standard error: no round by itself, all of them together.
        ({1, 2, 3}, 0.81, 1),
        ({1, 2, 3}, 0.85, None),
        # Rounds that taught nothing, or were taken back, are not judged.
        ({2, 3}, 0.81, None),
        ({2, 3}, 0.79, 2),
        (set(), 0.1, None),
    ],
)
def test_rounds_of_a_pattern_answer_together(taught_in, now, expected):
    assert lost_by_patterns(campaign(0.90, 0.87, 0.84), taught_in, Scored(now, 0.0)) == expected


def test_nothing_is_lost_before_a_round_was_made():
    assert lost_by_mending(campaign(), [], Scored(0.1, 0.0)) is None
    assert lost_by_patterns(campaign(), (), Scored(0.1, 0.0)) is None


class Taught:
    """A strategy that has taught a pattern, and remembers what it is told."""

    def __init__(self, taught_in):
        self.taught_in = taught_in
        self.told = []

    def give_up_patterns(self):
        self.told.append("given up")

    def take_back(self, first):
        self.told.append(first)


def after_rounds(make_data, scores):
    """Rounds that have each mended a sample and taught: the data, and who has made them."""
    data = make_data()
    mended = data.indices("fit")[: len(scores)]
    for index in mended:
        weight = torch.tensor([0.1], dtype=torch.float64)
        data.apply(Changes(reweighted=index[None], weight=weight))
    ledger = [
        row(number, action, new_id=int(index))
        for number, index in enumerate(mended, 1)
        for action in (ADDED, MENDED)
    ]
    injection = SimpleNamespace(
        campaign=campaign(*scores),
        ledger=ledger,
        strategy=Taught(range(1, len(scores) + 1)),
        monitor=Monitor.ACCURACY,
    )
    injection.keep_ledger = lambda rows: setattr(injection, "ledger", rows)
    return SimpleNamespace(datamodule=data), injection


@pytest.mark.parametrize(
    ("scores", "now", "held", "settled"),
    [
        # All together are to blame, none of what was mended by itself.
        ((0.90, 0.87, 0.84), 0.81, 0, []),
        # What the last round has mended is to blame as well.
        ((0.90, 0.87, 0.84), 0.70, 0, [3]),
        # That alone.
        ((0.84, 0.90, 0.90), 0.83, 2, [1, 2, 3]),
    ],
)
def test_what_was_mended_is_mended_no_more_where_its_own_round_did_harm(
    make_data, scores, now, held, settled
):
    trainer, injection = after_rounds(make_data, scores)
    assert take_back_lost(trainer, injection, Scored(now, 0.0), epoch=9)
    assert trainer.datamodule.n_rounds == held
    assert [r.round for r in injection.ledger if r.settled] == settled
    assert {r.round for r in injection.ledger if r.holds} == set(range(1, held + 1))
    # Patterns forget the rounds whose samples are gone.
    assert injection.strategy.told == ([1, "given up"] if held == 0 else [3])
