"""The tables of a comparison against numbers worked out by hand, and what must not change them."""

import numpy as np
import pandas as pd
import pytest

from rnnrepair.errors import DataError
from rnnrepair.paired import holm, interval, sign_flip_p
from rnnrepair.record import Contrast, RunRecord, summary_of
from rnnrepair.runs.comparison import (
    Runs,
    arm_table,
    class_accuracies,
    contrast_table,
    lacking_seeds,
    metric_table,
    parse_contrast,
    read_export,
    read_folder,
    unequal_injected,
    unequal_steps,
    write_export,
)
from tests.comparison_runs import random_right, row, runs_of, write_run
from tests.records import target_record

NAMED = [("guided", "none", "test_accuracy"), ("guided", "none", "newly_broken")]


@pytest.fixture
def ten():
    """Ten seeds of three arms, with two contrasts named in advance."""
    right = random_right(np.random.default_rng(0), ("guided", "none", "random"), range(10), 40)
    return runs_of(right, contrasts=NAMED)


def test_metrics_by_hand(tmp_path):
    #         right both times, repaired, broken, wrong both times
    before = [1, 1, 1, 0, 0, 1, 0, 0]
    after = [1, 1, 1, 1, 1, 0, 0, 0]
    write_run(tmp_path, "guided", 0, before, after, rare=[3, 5, 6], steps=77)
    (values,) = metric_table(read_folder(tmp_path)).to_dict("records")
    assert values == {
        "test_accuracy": 5 / 8,
        "test_balanced_accuracy": pytest.approx((2 / 3 + 2 / 3 + 1 / 2) / 3),
        "test_rare_accuracy": 1 / 3,
        "test_rare_balanced_accuracy": (1 / 2 + 0) / 2,
        "test_repaired_share": 2 / 4,
        "repaired": 2,
        "newly_broken": 1,
        "net_change": 1,
        "efficiency": 2 / 3,
        "repaired_share": 0.5,
        "injected": 10,
        "steps": 77,
    }


def test_metrics_are_those_of_the_summary(tmp_path):
    """One quantity has one name: what a comparison tells, the summary tells too."""
    right = [1, 0, 0, 1], [1, 1, 0, 0]
    told = {"rare": [0, 1], "share": 0.25, "monitor": "balanced_accuracy"}
    run = write_run(tmp_path, "guided", 0, *right, **told)
    summary = summary_of(RunRecord.load(run))
    (values,) = metric_table(read_folder(tmp_path)).to_dict("records")
    told = {**summary, **summary["after"]}
    assert {name: told[name] for name in values if name in told} == {
        name: value
        for name, value in values.items()
        if name not in {"repaired", "net_change", "efficiency"}
    }


def test_shares_are_averaged_over_seeds_and_shares_of_nothing_left_out():
    runs = runs_of(
        {
            ("a", 0): ([0, 0, 0, 0], [1, 0, 0, 0]),
            ("a", 1): ([0, 1, 1, 1], [1, 1, 1, 1]),
            ("a", 2): ([1, 1, 1, 1], [1, 1, 1, 1]),
        }
    )
    share = row(arm_table(runs), metric="test_repaired_share")
    assert share["mean"] == (1 / 4 + 1) / 2
    assert share["seeds"] == 2
    # A t interval of two seeds would reach from -4.1 to 5.4.
    assert np.isnan([share["low"], share["high"]]).all()
    assert row(arm_table(runs), metric="efficiency")["seeds"] == 2


def test_intervals_of_shares_end_where_shares_do():
    some = [[1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 0]]
    right = {("a", seed): ([0, 0, 0, 0], after) for seed, after in enumerate(some)}
    steps = {("a", seed): {"steps": 10.0 * (seed == 4)} for seed in range(5)}
    table = arm_table(runs_of(right, values=steps))
    low, high = interval(np.array([1.0, 1.0, 1.0, 1.0, 0.75]))
    accuracy = row(table, metric="test_accuracy")
    assert accuracy["low"] == low
    assert high > 1
    assert accuracy["high"] == 1
    # Numbers of steps have no such ends.
    assert row(table, metric="steps")["low"] == interval(np.array([0.0, 0, 0, 0, 10]))[0] < -1


def test_metrics_that_no_run_measured_are_left_out(ten):
    assert {"targets_right", "repaired_share"}.isdisjoint(arm_table(ten)["metric"])
    assert {"injected", "steps", "test_accuracy"} <= set(arm_table(ten)["metric"])


def test_accuracy_of_classes_by_hand():
    # Labels are 0 1 2 0 1 2.
    both = [0] * 6
    runs = runs_of({("a", 0): (both, [1, 1, 0, 1, 0, 0]), ("a", 1): (both, [0, 1, 0, 1, 1, 1])})
    assert class_accuracies(runs).loc["a"].to_dict() == {"0": 0.75, "1": 0.75, "2": 0.25}


def test_pairs_are_made_by_seed_not_by_position():
    def of(n_right):
        return [0] * 100, [1] * n_right + [0] * (100 - n_right)

    right = {("none", 5): of(90), ("none", 1): of(80)}
    right |= {("guided", 1): of(81), ("guided", 5): of(91), ("guided", 7): of(50)}
    runs = runs_of(right, contrasts=NAMED)
    accuracy = row(contrast_table(runs), metric="test_accuracy")
    assert accuracy["difference"] == pytest.approx(0.01)
    assert accuracy["pairs"] == 2
    assert lacking_seeds(runs) == {"none": [7]}


def test_p_needs_ten_pairs_and_is_corrected_over_what_was_named(ten):
    table = contrast_table(ten)[: len(NAMED)]
    values = metric_table(ten)
    expected = np.array(
        [
            sign_flip_p(values.loc[of, metric].to_numpy(), values.loc[against, metric].to_numpy())
            for of, against, metric in NAMED
        ]
    )
    assert table["p"].to_numpy() == pytest.approx(expected)
    assert table["p_holm"].to_numpy() == pytest.approx(holm(expected))
    nine = Runs(run for run in ten if run.seed < 9)
    assert contrast_table(nine)[["p", "p_holm"]].isna().all(axis=None)
    assert contrast_table(nine)["low"].notna().all()


def test_asking_for_more_changes_nothing_about_what_was_named(ten):
    also = [Contrast("random", "none", "test_accuracy"), Contrast("random", "none", "steps")]
    table, alone = contrast_table(ten, also), contrast_table(ten)
    pd.testing.assert_frame_equal(table[: len(alone)], alone, check_dtype=False)
    asked = table[len(alone) :]
    assert asked["why"].tolist() == ["asked for"] * 2
    assert asked[["p", "p_holm"]].isna().all(axis=None)
    assert table["low"].notna().all()


def test_every_arm_is_compared_in_a_family_of_its_own(ten):
    table = contrast_table(ten)
    assert table["why"].tolist() == ["named in advance"] * 2 + ["every arm"] * 4
    rows = table[["of", "against", "metric"]].apply(tuple, axis=1).tolist()
    assert rows[2:] == [
        ("random", "none", "test_accuracy"),
        ("guided", "random", "test_accuracy"),
        ("random", "none", "newly_broken"),
        ("guided", "random", "newly_broken"),
    ]
    for _, family in table.groupby("why"):
        assert family["p_holm"].to_numpy() == pytest.approx(holm(family["p"].to_numpy()))
    # What was named in advance is corrected as if nothing else had been run.
    alone = contrast_table(Runs(run for run in ten if run.arm != "random"))
    pd.testing.assert_frame_equal(table[:2], alone[:2])
    assert len(alone) == 2


def test_arms_that_nobody_named_are_compared_with_none():
    right = random_right(np.random.default_rng(0), ("none", "pattern"), range(3), 40)
    named = [("guided", "augment", "test_accuracy")]
    for contrasts in (named, []):
        table = contrast_table(runs_of(right, contrasts=contrasts))
        (made,) = table[table["why"] == "every arm"].to_dict("records")
        assert (made["of"], made["against"], made["metric"]) == ("pattern", "none", "test_accuracy")
        assert made["pairs"] == 3
    (only,) = {run.arm for run in runs_of({("guided", 0): ([0, 1, 1], [1, 1, 1])})}
    assert contrast_table(runs_of({(only, 0): ([0, 1, 1], [1, 1, 1])})).empty


def test_classes_have_their_names_and_runs_of_others_are_refused(tmp_path):
    for seed, names in enumerate([("ape", "bee", "cow"), ()]):
        write_run(tmp_path, "a", seed, [0] * 6, [1, 1, 0, 1, 0, 0], class_names=names)
    runs = read_folder(tmp_path)
    assert class_accuracies(runs).loc["a"].to_dict() == {"ape": 1.0, "bee": 0.5, "cow": 0.0}
    write_export(runs, tmp_path / "kept")
    assert class_accuracies(read_export(tmp_path / "kept")).columns.tolist() == [
        "ape",
        "bee",
        "cow",
    ]
    write_run(tmp_path, "a", 2, [0] * 6, [1] * 6, class_names=("bee", "ape", "cow"))
    with pytest.raises(DataError, match="different classes"):
        read_folder(tmp_path)


def test_a_named_contrast_that_was_not_run_stays_in_the_table_and_in_the_family():
    right = random_right(np.random.default_rng(0), ("guided", "none"), range(10), 40)
    missing = [("guided", "other", "test_accuracy"), ("guided", "none", "unknown")]
    table = contrast_table(runs_of(right, contrasts=[*NAMED, *missing]))
    assert table["pairs"].tolist() == [10, 10, 0, 0]
    assert table["difference"].isna().tolist() == [False, False, True, True]
    smallest = table["p"].min()
    assert table["p_holm"].min() == min(1.0, 4 * smallest)


def test_a_pair_needs_both_values():
    right = {("guided", s): ([0, 1], [1, 1]) for s in range(3)}
    right |= {("none", s): ([0, 1], [0, 1]) for s in range(3)}
    right["none", 2] = right["guided", 2] = ([1, 1], [1, 0])
    contrasts = [("guided", "none", "test_repaired_share"), ("guided", "none", "test_accuracy")]
    table = contrast_table(runs_of(right, contrasts=contrasts))
    assert table["pairs"].tolist() == [2, 3]
    assert table["difference"].tolist() == pytest.approx([1.0, (0.5 + 0.5 + 0) / 3])


def test_order_of_runs_and_of_items_changes_nothing(tmp_path):
    rng = np.random.default_rng(8)
    right = random_right(rng, ("guided", "none"), range(10), 30)
    runs = runs_of(right, contrasts=NAMED)
    turned = runs_of(dict(reversed(right.items())), contrasts=NAMED)
    for table in (arm_table, contrast_table, class_accuracies, metric_table):
        pd.testing.assert_frame_equal(table(turned), table(runs), check_exact=True)
    # Other items in the same places: labels move along, so only the numbers of classes may change.
    order = rng.permutation(30)
    moved = {key: tuple(side[order] for side in sides) for key, sides in right.items()}
    pd.testing.assert_frame_equal(
        arm_table(runs_of(moved, contrasts=NAMED)), arm_table(runs), check_exact=True
    )


def test_a_constant_added_to_both_arms_leaves_the_difference():
    rng = np.random.default_rng(9)
    right = random_right(rng, ("guided", "none"), range(10), 20)
    values = {key: {"targets_right": float(rng.integers(9))} for key in right}
    more = {key: {"targets_right": told["targets_right"] + 50} for key, told in values.items()}
    contrasts = [("guided", "none", "targets_right")]
    one, other = (
        contrast_table(runs_of(right, contrasts=contrasts, values=v)) for v in (values, more)
    )
    pd.testing.assert_frame_equal(one, other)
    # Items that are right in all runs add one constant to the accuracies of both arms.
    always = {k: tuple(np.append(side, [True] * 20) for side in s) for k, s in right.items()}
    counts = [("guided", "none", "net_change")]
    one, other = (contrast_table(runs_of(r, contrasts=counts)) for r in (right, always))
    assert one["difference"].tolist() == other["difference"].tolist()
    assert one["p"].tolist() == other["p"].tolist()


def test_seeds_with_unequal_budgets_and_steps_are_found():
    right = random_right(np.random.default_rng(1), ("guided", "none", "random"), [0, 1], 5)
    values = {key: {"injected": 0.0 if key[0] == "none" else 10.0, "steps": 100.0} for key in right}
    equal = runs_of(right, values=values)
    assert unequal_injected(equal) == unequal_steps(equal) == {}
    values["random", 1] = {"injected": 8.0, "steps": 100.0}
    values["none", 0] = {"injected": 0.0, "steps": 0.0}
    runs = runs_of(right, values=values)
    assert unequal_injected(runs) == {1: {"guided": 10.0, "random": 8.0}}
    assert unequal_steps(runs) == {0: {"guided": 100.0, "none": 0.0, "random": 100.0}}


def test_contrasts_are_read_as_users_write_them():
    right = random_right(np.random.default_rng(1), ("guided", "guided-late", "none"), [0], 5)
    runs = runs_of(right)
    parsed = parse_contrast("guided-late-none:test_accuracy", runs)
    assert parsed == Contrast("guided-late", "none", "test_accuracy")
    for wrong in (
        "guided-nobody:test_accuracy",
        "guided-none:nothing",
        "guided-none",
        "none:steps",
    ):
        with pytest.raises(DataError, match=r"guided-late.*test_accuracy"):
            parse_contrast(wrong, runs)


def test_runs_that_count_targets_alone_can_be_compared(tmp_path):
    """The published protocol on MNIST: no network went before, and no test items are kept."""
    for seed in range(5):
        for arm, right in (("none", 4 + seed), ("published", 6 + seed)):
            record = target_record(arm, seed, right=(right - 1, right + 1))
            record.save(tmp_path / f"{arm}-{seed}")
    runs = read_folder(tmp_path)
    arms = arm_table(runs).set_index(["metric", "arm"])
    assert arms.loc[("targets_right", "published"), "mean"] == 8
    asked = parse_contrast("published-none:targets_right", runs)
    (row,) = contrast_table(runs, [asked]).to_dict("records")
    assert (row["difference"], row["low"], row["high"]) == (2, 2, 2)
    assert class_accuracies(runs).empty
    write_export(runs, tmp_path / "kept")
    assert arm_table(read_export(tmp_path / "kept")).equals(arm_table(runs))
