"""The sign-flip test and Holm's correction against brute force and numbers worked out by hand."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from scipy import stats

from rnnrepair.paired import (
    MAX_EXACT,
    RANDOM_PATTERNS,
    holm,
    interval,
    interval_within,
    sign_flip_p,
)


def brute_force(of, against):
    """Count sign patterns one by one, in exact arithmetic."""
    differences = [Fraction(a) - Fraction(b) for a, b in zip(of, against, strict=True)]
    observed = abs(sum(differences))
    patterns = list(product((1, -1), repeat=len(differences)))
    extreme = [
        abs(sum(s * d for s, d in zip(signs, differences, strict=True))) >= observed
        for signs in patterns
    ]
    return sum(extreme) / len(patterns)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("n", [1, 2, 7, 10])
def test_p_is_that_of_brute_force(n, seed):
    # Whole numbers make many ties.
    of, against = np.random.default_rng(seed).integers(0, 6, size=(2, n))
    assert sign_flip_p(of.astype(float), against.astype(float)) == brute_force(
        of.tolist(), against.tolist()
    )


def test_p_is_that_of_scipy():
    rng = np.random.default_rng(1)
    difference = rng.normal(0.4, 1, 11)
    expected = stats.permutation_test(
        (difference,), lambda d: abs(d.mean()), permutation_type="samples", alternative="greater"
    )
    assert sign_flip_p(difference, np.zeros(11)) == pytest.approx(expected.pvalue, abs=1e-12)


def test_rounding_decides_no_tie():
    # Ten times one item of 10,000: in exact arithmetic every difference is the same.
    against = np.array([9801, 9804, 9799, 9812, 9820, 9793, 9807, 9811, 9816, 9802])
    of = against + np.array([1, 1, 1, 1, 1, 1, -1, 1, 1, 1])
    exact = brute_force(of.tolist(), against.tolist())
    assert exact == 22 / 1024
    assert sign_flip_p(of / 10_000, against / 10_000) == exact


def test_equal_differences_never_have_p_zero():
    same = np.array([0.1, 0.2, 0.3, 0.25, 0.7])
    assert sign_flip_p(same + 0.25, same) == 2 / 2**5
    assert sign_flip_p(same, same) == 1.0
    many = np.linspace(0, 1, MAX_EXACT + 30)
    assert sign_flip_p(many + 0.25, many) == pytest.approx(1 / (RANDOM_PATTERNS + 1))


def test_random_patterns_come_near_the_exact_p():
    rng = np.random.default_rng(3)
    difference = rng.normal(0.35, 1, MAX_EXACT + 4)
    patterns = 1 - 2 * ((np.arange(2**20)[:, None] >> np.arange(20)) & 1)
    exact = (abs(patterns @ difference) >= abs(difference.sum()) - 1e-9).mean()
    assert 0.01 < exact < 0.5
    assert sign_flip_p(difference, np.zeros(20)) == pytest.approx(exact, rel=0.05)


def test_p_is_at_most_5_percent_in_5_percent_of_worlds_without_an_effect():
    rng = np.random.default_rng(4)
    p = [sign_flip_p(rng.normal(size=10), rng.normal(size=10)) for _ in range(1000)]
    assert np.mean(np.array(p) <= 0.05) == pytest.approx(0.05, abs=0.02)


def test_no_pairs_have_no_p():
    assert np.isnan(sign_flip_p(np.empty(0), np.empty(0)))


def test_holm_by_hand():
    # Sorted: .005 * 4, .01 * 3, .03 * 2, .04 * 1 -> .02, .03, .06, .04, of which .04 is raised.
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([0.6, 0.7])).tolist() == [1.0, 1.0]
    assert len(holm(np.empty(0))) == 0


def test_a_test_that_was_not_made_counts_as_one_of_the_family():
    corrected = holm(np.array([np.nan, 0.01, 0.04]))
    assert np.isnan(corrected[0])
    assert corrected[1:] == pytest.approx([0.03, 0.08])


def test_t_interval_covers_the_mean_95_times_in_100():
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(2000):
        low, high = interval(rng.normal(3.0, 1.0, 6))
        covered += low <= 3.0 <= high
    assert covered / 2000 == pytest.approx(0.95, abs=0.02)
    assert np.isnan(interval(np.array([1.0]))).all()


def test_intervals_within_groups_leave_out_what_differs_between_them():
    rng = np.random.default_rng(1)
    group = np.repeat(np.arange(4), 50)
    values = rng.normal(size=200) + 100 * group
    low, high = interval_within(values, group)
    # Within groups the values are those of a normal of deviation 1: half a width is 1.96 / sqrt(n).
    assert low < values.mean() < high
    assert (high - low) / 2 == pytest.approx(1.96 / np.sqrt(200), rel=0.1)
    assert all(np.isnan(interval_within(values[:1], group[:1])))
