"""Exported runs give the same tables as the folders they come from."""

import numpy as np
import pandas as pd
import pytest

from rnnrepair.errors import DataError
from rnnrepair.record import Contrast
from rnnrepair.runs.comparison import (
    Runs,
    arm_table,
    class_accuracies,
    contrast_table,
    metric_table,
    read_export,
    read_folder,
    write_export,
)
from rnnrepair.runs.comparison.bootstrap import Bootstrap
from tests.comparison_runs import random_right, runs_of, write_run

CONTRASTS = [{"of": "guided", "against": "none", "metric": "test_rare_accuracy"}]


def assert_same(one, other):
    for table in (arm_table, contrast_table, class_accuracies, metric_table):
        pd.testing.assert_frame_equal(table(one), table(other), check_exact=True)
    assert one.about == other.about
    for key, run in one.by_key.items():
        assert run.base == other.by_key[key].base
        for split, answers in run.splits.items():
            for name, array in vars(answers).items():
                np.testing.assert_array_equal(getattr(other.by_key[key].splits[split], name), array)


def write_folder(folder, arms, seeds, *, own_items=False, rng_seed=0, **told):
    rng = np.random.default_rng(rng_seed)
    for seed in seeds:
        n = 23 + seed if own_items else 23
        index = np.sort(rng.choice(1000, n, replace=False)) if own_items else None
        for (arm, _), sides in random_right(rng, arms, [seed], n).items():
            options = {
                "rare": [1, 5, 6 + seed],
                "share": rng.random(),
                "contrasts": CONTRASTS,
                "source": 'a, "b"',
                "sizes": {"test": 23},
            }
            write_run(folder, arm, seed, *sides, index=index, **options | told)
    return read_folder(folder)


@pytest.mark.parametrize("own_items", [False, True])
@pytest.mark.parametrize("ending", ["", ".csv"])
def test_what_is_read_back_is_what_was_read(tmp_path, own_items, ending):
    # Names of arms that a reader of csv files takes for missing values.
    arms = ("guided", "none", "NA", "None")
    runs = write_folder(tmp_path / "runs", arms, range(11), own_items=own_items)
    name = tmp_path / "data" / "mnist_0.9"
    assert runs.items_shared("test") is not own_items
    write_export(runs, name.with_name(name.name + ending))
    assert {path.name for path in name.parent.iterdir()} == {"mnist_0.9.csv", "mnist_0.9.npz"}
    assert_same(runs, read_export(name.with_name(name.name + ending)))


@pytest.mark.parametrize("own_items", [False, True])
def test_groups_of_items_are_kept_and_drawn_as_before(tmp_path, own_items):
    rng = np.random.default_rng(3)
    for seed in range(3):
        n = 20 + seed if own_items else 20
        index = np.arange(n) + (7 * seed if own_items else 0)
        group = (100 + index // 4).tolist()
        for (arm, _), sides in random_right(rng, "ab", [seed], n).items():
            told = {"index": index, "group": group, "sizes": {"test": 20}}
            write_run(tmp_path / "runs", arm, seed, *sides, **told)
    runs = read_folder(tmp_path / "runs")
    write_export(runs, tmp_path / "kept")
    back = read_export(tmp_path / "kept")
    for key, run in runs.by_key.items():
        kept, was = (r.splits["test"].group for r in (back.by_key[key], run))
        assert ((kept[:, None] == kept) == (was[:, None] == was)).all()
    contrast = Contrast("a", "b", "test_accuracy")
    found = [Bootstrap(r, 100).interval(contrast, [0, 1, 2]) for r in (runs, back)]
    assert found[0] == found[1]
    assert found[0].drawn == ("seeds x own groups" if own_items else "seeds x groups")


def test_groups_that_later_runs_know_are_kept_beside_older_ones(tmp_path):
    (_, sides), (_, other) = random_right(np.random.default_rng(3), "ab", [0], 20).items()
    write_run(tmp_path / "runs", "a", 0, *sides)
    write_run(tmp_path / "runs", "b", 0, *other, group=(np.arange(20) // 3).tolist())
    runs = read_folder(tmp_path / "runs")
    write_export(runs, tmp_path / "kept")
    contrast = Contrast("a", "b", "test_accuracy")
    found = [
        Bootstrap(r, 100).interval(contrast, [0]) for r in (runs, read_export(tmp_path / "kept"))
    ]
    assert found[0] == found[1]
    assert found[0].drawn == "groups only"


def test_runs_of_several_sittings_are_merged_and_newer_ones_replace_older(tmp_path):
    everything = write_folder(tmp_path / "runs", ("guided", "none"), range(4))
    first = Runs(run for run in everything if run.seed < 3 and run.arm == "none")
    second = Runs(run for run in everything if run not in set(first))
    write_export(first, tmp_path / "x")
    assert_same(write_export(second, tmp_path / "x"), everything)
    assert_same(read_export(tmp_path / "x"), everything)
    written = (tmp_path / "x.csv").read_bytes(), (tmp_path / "x.npz").read_bytes()
    write_export(second, tmp_path / "x")
    assert written == ((tmp_path / "x.csv").read_bytes(), (tmp_path / "x.npz").read_bytes())
    again = write_folder(tmp_path / "again", ("guided", "none"), [3], rng_seed=7)
    replaced = write_export(again, tmp_path / "x")
    assert len(replaced) == len(everything)
    np.testing.assert_array_equal(
        replaced.by_key["guided", 3].splits["test"].after,
        again.by_key["guided", 3].splits["test"].after,
    )


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"experiment": "sst_repair"}, "different experiments"),
        ({"source": "c"}, "different data"),
        (
            {"contrasts": [{"of": "none", "against": "hard", "metric": "test_accuracy"}]},
            "named in advance",
        ),
    ],
)
def test_unlike_runs_are_not_merged(tmp_path, other, message):
    write_export(write_folder(tmp_path / "runs", ("none",), [0]), tmp_path / "x")
    written = (tmp_path / "x.csv").read_bytes()
    with pytest.raises(DataError, match=message):
        write_export(write_folder(tmp_path / "new", ("none",), [1], **other), tmp_path / "x")
    assert (tmp_path / "x.csv").read_bytes() == written


def test_another_network_of_a_seed_is_not_merged(tmp_path):
    write_export(write_folder(tmp_path / "runs", ("none",), [0]), tmp_path / "x")
    with pytest.raises(DataError, match="unrepaired networks or test items in seed 0"):
        write_export(write_folder(tmp_path / "new", ("guided",), [0], rng_seed=5), tmp_path / "x")


def test_files_that_do_not_belong_together_are_refused(tmp_path):
    write_export(write_folder(tmp_path / "runs", ("none", "guided"), [0, 1]), tmp_path / "x")
    write_export(
        write_folder(tmp_path / "other", ("none", "guided"), [0, 1], rng_seed=3), tmp_path / "y"
    )
    (tmp_path / "y.npz").replace(tmp_path / "x.npz")
    with pytest.raises(DataError, match="do not belong together"):
        read_export(tmp_path / "x")
    with pytest.raises(DataError, match="neither a folder of runs nor exported runs"):
        read_export(tmp_path / "y")


def test_files_of_other_runs_and_damaged_files_are_refused(tmp_path):
    write_export(write_folder(tmp_path / "runs", ("none", "guided"), [0]), tmp_path / "x")
    table = (tmp_path / "x.csv").read_text()
    (tmp_path / "x.csv").write_text(table.replace("guided,0", "guided,1"))
    with pytest.raises(DataError, match="different runs"):
        read_export(tmp_path / "x")
    (tmp_path / "x.csv").write_text(table)
    (tmp_path / "x.npz").write_bytes((tmp_path / "x.npz").read_bytes()[:-40])
    with pytest.raises(DataError, match="cannot be read as exported runs"):
        read_export(tmp_path / "x")


def test_ninety_runs_of_ten_thousand_items_stay_small(tmp_path):
    rng = np.random.default_rng(0)
    right = {}
    for seed in range(10):
        before = rng.random(10_000) < 0.985
        for arm in range(9):
            after = before.copy()
            after[rng.choice(10_000, 40, replace=False)] ^= True
            right[f"arm{arm}", seed] = before, after
    write_export(runs_of(right), tmp_path / "x")
    assert sum((tmp_path / f"x.{ending}").stat().st_size for ending in ("csv", "npz")) < 100_000
    with np.load(tmp_path / "x.npz", allow_pickle=False) as file:
        assert len(file["test/label"]) == len(file["test/index_steps"]) == 10_000
