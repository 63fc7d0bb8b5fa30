"""The two-way bootstrap against a loop that literally resamples rows, and its coverage."""

import warnings

import numpy as np
import pytest
from scipy import stats

from rnnrepair.paired import interval
from rnnrepair.record import Contrast
from rnnrepair.runs.comparison import bootstrap as module
from rnnrepair.runs.comparison.bootstrap import Bootstrap
from tests.comparison_runs import random_right, runs_of

DRAWS = 60


def measure(metric, before, after, label):
    """Compute a metric from rows, NaN where it is a share of nothing."""
    if metric == "test_balanced_accuracy":
        return np.mean([after[label == c].mean() for c in np.unique(label)])
    repaired, broken = (~before & after).sum(), (before & ~after).sum()
    above, below = {
        "test_accuracy": (after.sum(), len(after)),
        "test_repaired_share": (repaired, (~before).sum()),
        "repaired": (repaired, 1),
        "newly_broken": (broken, 1),
        "net_change": (repaired - broken, 1),
        "efficiency": (repaired, repaired + broken),
    }[metric]
    return above / below if below else np.nan


def slow_interval(right, seeds, metric, item_draws, seed_draws):
    """Resample rows one draw at a time; ``item_draws`` are (draws, N) by seed."""
    means = []
    for draw in range(len(seed_draws)):
        differences = []
        for place in seed_draws[draw]:
            items = item_draws[seeds[place]][draw]
            a, b = (
                measure(metric, *(side[items] for side in right[arm, seeds[place]]), items % 3)
                for arm in ("a", "b")
            )
            differences.append(a - b)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # no defined seed in this draw
            means.append(np.nanmean(differences))
    return np.nanquantile(means, [0.025, 0.975])


METRICS = [
    "test_accuracy",
    "test_balanced_accuracy",
    "test_repaired_share",
    "repaired",
    "newly_broken",
    "net_change",
    "efficiency",
]


@pytest.mark.parametrize("cells", [1_000_000, 70, 1])
@pytest.mark.parametrize("metric", METRICS)
def test_interval_is_that_of_a_loop_over_rows(metric, cells, monkeypatch):
    monkeypatch.setattr(module, "CELLS", cells)
    # High accuracy: some draws hold nothing that was wrong before.
    right = random_right(np.random.default_rng(1), "abc", [3, 5, 9], 12, accuracy=0.85)
    seed_rng, item_rng = np.random.default_rng(0).spawn(2)
    items = item_rng.integers(12, size=(DRAWS, 12))
    seed_draws = seed_rng.integers(3, size=(DRAWS, 3))
    expected = slow_interval(right, [3, 5, 9], metric, dict.fromkeys([3, 5, 9], items), seed_draws)
    found = Bootstrap(runs_of(right), DRAWS).interval(Contrast("a", "b", metric), [3, 5, 9])
    assert (found.low, found.high) == pytest.approx(tuple(expected), rel=1e-12, abs=1e-12)
    assert found.low < found.high
    assert found.drawn == "seeds x items"


def test_seeds_with_items_of_their_own_draw_their_own():
    rng = np.random.default_rng(2)
    right = random_right(rng, "ab", [0, 1], 10) | random_right(rng, "ab", [2], 14)
    indices = {0: np.arange(10), 1: np.arange(1, 11), 2: np.arange(14)}
    seed_rng, *item_rngs = np.random.default_rng(0).spawn(4)
    items = {
        seed: item_rngs[seed].integers(n, size=(DRAWS, n)) for seed, n in enumerate([10, 10, 14])
    }
    seed_draws = seed_rng.integers(3, size=(DRAWS, 3))
    expected = slow_interval(right, [0, 1, 2], "test_accuracy", items, seed_draws)
    runs = runs_of(right, indices=indices)
    found = Bootstrap(runs, DRAWS).interval(Contrast("a", "b", "test_accuracy"), [0, 1, 2])
    assert (found.low, found.high) == pytest.approx(tuple(expected), rel=1e-12)
    assert found.drawn == "seeds x own items"


def test_a_single_seed_draws_items_alone():
    right = random_right(np.random.default_rng(3), "ab", [4], 30)
    _, item_rng = np.random.default_rng(0).spawn(2)
    items = {4: item_rng.integers(30, size=(DRAWS, 30))}
    expected = slow_interval(right, [4], "test_accuracy", items, np.zeros((DRAWS, 1), int))
    found = Bootstrap(runs_of(right), DRAWS).interval(Contrast("a", "b", "test_accuracy"), [4])
    assert (found.low, found.high) == pytest.approx(tuple(expected), rel=1e-12)
    assert found.drawn == "items only"


def test_items_of_one_group_are_drawn_together():
    right = random_right(np.random.default_rng(8), "ab", [0, 1], 12, accuracy=0.85)
    group = np.array([40, 40, 7, 40, 9, 7, 7, 3, 3, 3, 3, 1])
    members = [np.flatnonzero(group == g) for g in (40, 7, 9, 3, 1)]
    seed_rng, item_rng = np.random.default_rng(0).spawn(2)
    drawn = item_rng.integers(5, size=(DRAWS, 5))
    items = [np.concatenate([members[g] for g in of]) for of in drawn]
    seed_draws = seed_rng.integers(2, size=(DRAWS, 2))
    for metric in METRICS:
        expected = slow_interval(right, [0, 1], metric, dict.fromkeys([0, 1], items), seed_draws)
        runs = runs_of(right, groups=group)
        found = Bootstrap(runs, DRAWS).interval(Contrast("a", "b", metric), [0, 1])
        assert (found.low, found.high) == pytest.approx(tuple(expected), rel=1e-12, abs=1e-12)
        assert found.drawn == "seeds x groups"


def test_few_groups_have_no_interval():
    right = random_right(np.random.default_rng(8), "ab", [0, 1], 12)
    contrast = Contrast("a", "b", "test_accuracy")
    for n_groups, given in ((1, False), (4, False), (5, True)):
        runs = runs_of(right, groups=np.arange(12) % n_groups)
        assert np.isfinite(Bootstrap(runs, DRAWS).interval(contrast, [0, 1]).low) == given


def test_intervals_cover_where_windows_of_a_recording_are_right_together():
    rng = np.random.default_rng(9)
    recordings, windows, worlds = 60, 15, 200
    group = np.arange(recordings).repeat(windows)
    covered = {"items": 0, "groups": 0}
    for _ in range(worlds):
        usual = {
            arm: (rng.random(recordings) < share).repeat(windows)
            for arm, share in (("a", 0.8), ("b", 0.7))
        }
        before = rng.random(len(group)) < 0.5
        right = {
            (arm, seed): (before, usual[arm] ^ (rng.random(len(group)) < 0.05))
            for arm in "ab"
            for seed in range(5)
        }
        for drawn, of in (("items", None), ("groups", group)):
            bootstrap = Bootstrap(runs_of(right, groups=of), 200)
            found = bootstrap.interval(Contrast("a", "b", "test_accuracy"), list(range(5)))
            covered[drawn] += found.low <= 0.1 * 0.9 <= found.high
    assert covered["items"] / worlds < 0.6
    assert covered["groups"] / worlds == pytest.approx(0.95, abs=0.04)


def test_a_metric_without_items_gets_the_t_interval_of_the_differences():
    rng = np.random.default_rng(4)
    right = random_right(rng, "ab", range(5), 10)
    values = {run: {"repaired_share": rng.random()} for run in right}
    difference = np.array(
        [values["a", s]["repaired_share"] - values["b", s]["repaired_share"] for s in range(5)]
    )
    expected = stats.ttest_1samp(difference, 0).confidence_interval()
    bootstrap = Bootstrap(runs_of(right, values=values), DRAWS)
    found = bootstrap.interval(Contrast("a", "b", "repaired_share"), list(range(5)))
    assert (found.low, found.high) == pytest.approx(tuple(expected))
    assert found.drawn == "seeds only"
    alone = bootstrap.interval(Contrast("a", "b", "repaired_share"), [0])
    assert np.isnan(alone.low)
    assert alone.drawn == ""


def test_two_way_interval_covers_what_an_interval_over_seeds_does_not():
    """Arms differ on the same items in all seeds, so other test items would give another result."""
    rng = np.random.default_rng(5)
    n_items, seeds, flips, worlds = 150, list(range(10)), 0.02, 300
    truth = (0.7 - 0.6) * (1 - 2 * flips)
    two_way = over_seeds = 0
    for _ in range(worlds):
        usual = {arm: rng.random(n_items) < share for arm, share in (("a", 0.7), ("b", 0.6))}
        before = rng.random(n_items) < 0.5
        right = {
            (arm, seed): (before, usual[arm] ^ (rng.random(n_items) < flips))
            for arm in "ab"
            for seed in seeds
        }
        found = Bootstrap(runs_of(right), 300).interval(Contrast("a", "b", "test_accuracy"), seeds)
        two_way += found.low <= truth <= found.high
        low, high = interval(
            np.array([right["a", s][1].mean() - right["b", s][1].mean() for s in seeds])
        )
        over_seeds += low <= truth <= high
    assert two_way / worlds == pytest.approx(0.95, abs=0.04)
    assert over_seeds / worlds < 0.5


def test_two_way_interval_covers_when_seeds_differ_too():
    """Whole seeds are better or worse in one arm: an interval over items alone would fall short."""
    rng = np.random.default_rng(6)
    n_items, seeds, worlds = 200, list(range(30)), 200
    covered = items_alone = 0
    for _ in range(worlds):
        usual = {arm: rng.random(n_items) < share for arm, share in (("a", 0.7), ("b", 0.6))}
        before = rng.random(n_items) < 0.5
        right = {}
        for seed in seeds:
            for arm in "ab":
                lost = rng.random(n_items) < rng.uniform(0, 0.4)
                right[arm, seed] = before, usual[arm] & ~lost
        runs = runs_of(right)
        bootstrap = Bootstrap(runs, 300)
        contrast = Contrast("a", "b", "test_accuracy")
        found = bootstrap.interval(contrast, seeds)
        covered += found.low <= 0.08 <= found.high
        alone = bootstrap.interval(contrast, seeds[:1])
        items_alone += alone.low <= 0.08 <= alone.high
    assert covered / worlds == pytest.approx(0.95, abs=0.04)
    assert items_alone / worlds < 0.8
