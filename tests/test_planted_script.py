"""``scripts/planted.py``: whether what is planted is what is named."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from rnnrepair.edits.sweeps import sweeps_of
from rnnrepair.record import FoundPattern, SplitAnswers
from rnnrepair.sequences import DataSpec, Kind

SCRIPT = Path(__file__).parents[1] / "scripts" / "planted.py"
TURNED = {"ranges": {"angle": (60.0, 90.0)}, "spared": None}


@pytest.fixture(scope="module")
def script():
    return runpy.run_path(str(SCRIPT))


@pytest.fixture(scope="module")
def spec():
    return DataSpec(Kind.IMAGE, 28, 10, max_steps=28)


def pattern(failures, edit, low, high):
    parameters = {"edit": edit, "from": low, "to": high}
    return FoundPattern("edit", "told", tuple(failures), (), parameters, 0.5, 0.1, 0.002, 0, {})


@pytest.fixture
def row_of(script, spec):
    """Score patterns where the failures 0 to 9 of 40 samples have the edit, and 10 to 19 do not."""
    index = torch.arange(100, 140)
    inputs = torch.rand(40, 28, 28)
    edited = inputs.clone()
    edited[:10] += 1
    label = torch.zeros(40, dtype=torch.int64)
    before = (torch.arange(40) < 20).long()
    answers = SplitAnswers(index, label, before, label)

    def score(*patterns):
        record = SimpleNamespace(
            repair=SimpleNamespace(
                answers={"repair": answers},
                patterns=[pattern(index[list(rows)].tolist(), *rest) for rows, *rest in patterns],
            )
        )
        data, without = (SimpleNamespace(spec=spec, fetch=_Fetch(x)) for x in (edited, inputs))
        return script["row_of"](record, data, without, TURNED)

    return score


class _Fetch:
    def __init__(self, inputs):
        self.inputs = inputs

    def __call__(self, index):
        return self


def test_the_edit_its_failures_and_its_ends_are_compared(row_of):
    # Places on -90 .. 90: 58.5 to 90 degrees.
    row = row_of((range(4, 14), "rotation", 0.825, 1.0))
    assert (row["planted"], row["planted_fail"]) == (10, 10)
    assert (row["precision"], row["recall"]) == (0.6, 0.6)
    assert (row["low"], row["high"]) == pytest.approx((58.5, 90))
    assert row["edit"]
    assert row["members"]
    assert row["right"]
    assert row["near"]


def test_another_edit_or_other_failures_are_not_right(row_of):
    other = row_of((range(10), "shear", 0.9, 1.0))
    assert other["members"]
    assert not other["edit"]
    assert not other["right"]
    few = row_of((range(4), "rotation", 0.9, 1.0))
    assert few["edit"]
    assert not few["members"]
    assert not few["right"]
    # 72 degrees are more than 15 % from 60.
    assert not few["near"]
    assert not row_of()["right"]


def test_of_several_patterns_that_with_most_planted_failures_counts(row_of):
    row = row_of((range(10, 20), "blur", 0.0, 1.0), (range(8), "rotation", 0.85, 1.0))
    assert row["right"]
    assert row["recall"] == 0.8


def test_the_right_edit_of_other_sizes_is_not_right(row_of):
    row = row_of((range(4, 14), "rotation", 0.6, 1.0))
    assert row["edit"]
    assert row["members"]
    assert not row["near"]
    assert not row["right"]


def test_sides_and_channels_belong_to_what_is_planted(script, spec):
    is_planted = script["is_planted"]
    covered = {"ranges": {"covered": (0.4, 0.5), "side": (0.0, 0.0)}, "spared": None}
    named = [sweep.name for sweep in sweeps_of(spec) if is_planted(sweep, covered, 28)]
    assert len(named) == 1
    assert named[0].startswith("covered_")
    assert [s.name for s in sweeps_of(spec) if is_planted(s, TURNED, 28)] == ["rotation"]
    series = DataSpec(Kind.SERIES, 12, 9, max_steps=30)
    dead = {"ranges": {"magnitude": (0.0, 0.0)}, "spared": {"magnitude": range(4, 12)}}
    found = [sweep.name for sweep in sweeps_of(series) if is_planted(sweep, dead, 12)]
    # At least half of the four channels.
    assert found == ["dead_0-3", "dead_0-2"]
