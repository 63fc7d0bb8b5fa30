"""Choice of K."""

import pytest

from rnnrepair.abstraction import AbstractionSettings, Candidate, Selection, choose
from rnnrepair.errors import ConfigurationError

# Deliberately not in ascending order of K.
CANDIDATES = [Candidate(43, 5.0, 0.95), Candidate(7, 8.0, 0.6), Candidate(16, 4.0, 0.8)]


@pytest.mark.parametrize(
    ("selection", "threshold", "expected"),
    [
        (Selection.BIC, 0.72, 16),
        (Selection.STABILITY, 0.72, 16),
        (Selection.STABILITY, 0.8, 16),  # the threshold itself is enough
        (Selection.STABILITY, 0.5, 7),
        (Selection.STABILITY, 0.9, 43),
        (Selection.STABILITY, 0.99, 43),  # none is: the most stable one
    ],
)
def test_choose_follows_the_rule_when_candidates_are_in_any_order(selection, threshold, expected):
    for candidates in (CANDIDATES, CANDIDATES[::-1]):
        assert candidates[choose(candidates, selection, threshold)].n_components == expected


@pytest.mark.parametrize("given", [5, [5], (5, 7)])
def test_one_or_several_sizes_can_be_given(given):
    settings = AbstractionSettings(n_components=given, selection="stability")
    assert settings.sizes == ([given] if isinstance(given, int) else list(given))


@pytest.mark.parametrize("given", [0, -1, [], [5, 0], [5.5], True])
def test_sizes_that_are_none_are_refused(given):
    with pytest.raises(ConfigurationError, match=r"AbstractionSettings\.n_components"):
        AbstractionSettings(n_components=given)


def test_the_rules_are_named_when_one_is_unknown():
    with pytest.raises(ConfigurationError, match=r"selection.*bic.*stability.*'aic'"):
        AbstractionSettings(selection="aic")


def test_more_states_than_steps_are_refused_with_all_that_is_wrong():
    with pytest.raises(ConfigurationError, match=r"tol: .*; .*n_components: 9 are more .*=8"):
        AbstractionSettings(n_components=[3, 9], fit_states=8, tol=-1)
