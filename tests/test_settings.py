"""Ranges that are declared beside fields and arguments."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
import pytest

from rnnrepair.errors import ConfigurationError, SettingsError
from rnnrepair.settings import (
    NOT_EMPTY,
    Count,
    Counts,
    Factors,
    ProperShare,
    Share,
    Size,
    above,
    at_most,
    below,
    check_settings,
    faults_of,
    one_of,
)


def ordered(low: float, high: float | None) -> str | None:
    return f"expected less than high={high}, got {low}" if high and low >= high else None


@dataclass(frozen=True)
class Plan:
    rounds: Count = 3
    sizes: Count | Counts = 2
    low: Share = 0.25
    high: Share | None = None
    name: Annotated[str, one_of(["slow", "fast"])] = "slow"
    quiet: bool = False
    other: object = None

    def __post_init__(self) -> None:
        check_settings(Plan, vars(self), ordered)


class Base:
    def __init__(self, batch: Count = 8, title: str = "", hidden: Size = 0.0) -> None:
        check_settings(Base, locals())


class Derived(Base):
    def __init__(self, factors: Factors = (0.5, 2.0), **more) -> None:
        check_settings(Derived, locals())
        super().__init__(**more)


@pytest.mark.parametrize(
    ("hint", "right", "wrong"),
    [
        (Count, [1, 10**9, np.int64(3)], [0, -1, 1.0, "1", True, None, [1]]),
        (Count | None, [1, None], [0, "none"]),
        (Counts, [[1], (2, 3), range(1, 4)], [[], [0], [1, "2"], 1, "12"]),
        (Count | Counts, [4, [4, 5]], [0, [], [4, 0], [4.0]]),
        (Share, [0, 1, 0.5, np.float32(0.5)], [-1e-9, 1 + 1e-9, float("nan"), "0.5", True]),
        (ProperShare, [1e-9, 0.5], [0, 1, float("nan")]),
        (Size, [0, 0.0, 5], [-0.1, float("nan")]),
        (Annotated[float, above(0), at_most(0.5)], [0.1, 0.5], [0, 0.51]),
        (Annotated[int, below(3)], [2, -5], [3]),
        (Factors, [(0.9, 1.1), [1, 1]], [(1.1, 0.9), (0, 1), (1,), (1, 2, 3), 1.0, None]),
        (Annotated[str, one_of("ab")], ["a", "b"], ["c", "ab", None, 1]),
        (Annotated[Sequence[str], NOT_EMPTY], [["x"]], [[], "x", [1]]),
        (tuple[str, ...], [(), ("a",), ["a", "b"]], ["a", (1,)]),
        (bool, [True, False], [0, 1, "false"]),
        (dict[str, int], [{}, 3], []),
    ],
)
def test_a_range_takes_its_values_and_no_others(hint, right, wrong):
    def init(self, value):
        """Stand for a constructor."""

    init.__annotations__["value"] = hint
    owner = type("Owner", (), {"__init__": init})
    assert [v for v in right if faults_of(owner, {"value": v})] == []
    assert [v for v in wrong if not faults_of(owner, {"value": v})] == []


def test_all_faults_of_a_call_stand_in_one_message():
    with pytest.raises(SettingsError) as told:
        Plan(rounds=0, sizes=[4, "5"], name="fats", quiet="no")
    assert [fault.argument for fault in told.value.faults] == ["rounds", "sizes", "name", "quiet"]
    message = str(told.value)
    assert "Plan.rounds: expected an integer of at least 1, got 0; Plan.sizes: " in message
    assert "one of ['slow', 'fast'], got 'fats'" in message
    assert isinstance(told.value, ConfigurationError)


def test_rules_of_several_arguments_come_after_those_of_each():
    with pytest.raises(SettingsError, match=r"^Plan\.low: expected less than high=0\.1, got 0\.25"):
        replace(Plan(), high=0.1)
    with pytest.raises(SettingsError, match=r"Plan\.rounds.*; Plan\.low: expected less"):
        Plan(rounds=-2, high=0.1)
    # Not asked where one of its arguments makes no sense.
    with pytest.raises(SettingsError) as told:
        Plan(low="a", high=0.1)
    assert [fault.argument for fault in told.value.faults] == ["low"]


def test_what_a_class_passes_on_is_checked_with_its_own():
    with pytest.raises(SettingsError) as told:
        Derived(factors=(2, 1), batch=0, hidden=-1)
    assert {fault.argument for fault in told.value.faults} == {"factors", "batch", "hidden"}
    assert str(told.value).startswith("Derived.")
    Derived(batch=1)


def test_values_in_range_change_nothing():
    assert Plan(sizes=[3, 4]).sizes == [3, 4]
