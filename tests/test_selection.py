"""Choice of K."""

import pytest

from rnnrepair.abstraction import Candidate, Selection, choose
from rnnrepair.abstraction.selection import check_components
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
def test_check_gives_a_list_when_given_one_or_several(given):
    sizes, rule = check_components(given, "stability")
    assert sizes == ([given] if isinstance(given, int) else list(given))
    assert rule is Selection.STABILITY


@pytest.mark.parametrize("given", [0, -1, [], [5, 0], [5.5]])
def test_check_refuses_when_a_size_is_none(given):
    with pytest.raises(ConfigurationError, match=r"abstraction\.n_components"):
        check_components(given, "bic")


def test_check_names_the_rules_when_one_is_unknown():
    with pytest.raises(ConfigurationError, match=r"selection.*bic.*stability.*'aic'"):
        check_components(5, "aic")
