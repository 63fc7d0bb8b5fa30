"""Rows of the backdoor study, put together over seeds, against plain means and tests."""

import pandas as pd
import pytest
from scipy import stats

from rnnrepair.errors import DataError
from rnnrepair.report.studies.backdoor import backdoor_figures
from rnnrepair.studies.backdoor_seeds import merged, shown, told

# Poison found among the first 50 and 100, by seed.
FOUND = {
    "segment_cues": [(50, 50), (44, 49), (47, 50), (46, 50), (48, 50)],
    "final_loss": [(0, 1), (2, 5), (1, 3), (1, 3), (1, 3)],
}
AFTER = {
    ("remove", "anew"): [0.03, 0.05, 0.1, 0.06, 0.06],
    ("none", "going on"): [0.8, 0.7, 0.9, 0.8, 0.8],
}
SEEDS = 5


def of_seed(place):
    found = [
        {
            "method": method,
            "found_in_50": of[place][0],
            "found_in_100": of[place][1],
            "chance_in_50": 0.5,
            "chance_in_100": 1.0,
            "auc": 0.9,
            "seconds": 2.0,
            "seed": 470 + place,
        }
        for method, of in FOUND.items()
    ]
    repairs = [
        {
            "repair": repair,
            "training": training,
            "samples": 50,
            "guided": guided[place],
            "random": 0.0,
            "test_accuracy": 0.92,
            "seed": 470 + place,
        }
        for (repair, training), guided in AFTER.items()
    ]
    return {"found": pd.DataFrame(found), "repairs": pd.DataFrame(repairs)}


@pytest.fixture
def tables():
    return merged([of_seed(place) for place in range(SEEDS)])


def test_methods_and_repairs_are_means_over_seeds(tables):
    methods = tables["methods"].set_index("method")
    assert methods.loc["segment_cues", "found_in_50"] == pytest.approx(47)
    assert methods.loc["final_loss", "found_in_100"] == pytest.approx(3)
    assert (methods["seeds"] == SEEDS).all()
    after = tables["after"].set_index(["repair", "training"])
    values = AFTER["remove", "anew"]
    own = after.loc[("remove", "anew")]
    low, high = stats.t.interval(0.95, SEEDS - 1, sum(values) / SEEDS, stats.sem(values))
    assert (own["guided"], own["seeds"]) == (pytest.approx(0.06), SEEDS)
    assert (own["guided_low"], own["guided_high"]) == pytest.approx((low, high))


def test_contrasts_pair_the_seeds(tables):
    contrasts = tables["contrasts"].set_index("metric")
    assert contrasts.loc["found_in_50", "difference"] == pytest.approx(46)
    # Five seeds are too few for a p.
    assert contrasts[["p", "p_holm"]].isna().all(axis=None)


def test_a_search_without_repairs_has_no_table_of_them(tables):
    searched = merged([{"found": of_seed(place)["found"]} for place in range(2)])
    assert "after" not in searched
    assert len(shown(searched)) == len(shown(tables)) - 1
    assert len(told(searched)) == len(told(tables)) - 1 == 1


def test_what_people_read_has_the_numbers(tables):
    said = told(tables)
    assert "segment_cues, 49.8 (5 seeds)" in said[0]
    assert "remove (anew): 6% of guided attacks, accuracy 0.9200" in said[1]
    methods, contrasts, after = shown(tables)
    assert methods.rows[0][:4] == ["segment_cues", "5", "47.0", "49.8"]
    assert contrasts.rows[0][:4] == ["final_loss", "50", "5", "+46.0"]
    assert after.rows[0][3].startswith("0.060 (")


def test_figures_of_several_seeds_draw_their_means(tables):
    (axes,) = backdoor_figures(tables)["backdoor_found"].axes
    widths = sorted(bar.get_width() for bar in axes.patches)
    assert widths == pytest.approx([1, 3, 47, 49.8])


def test_two_runs_of_one_seed_are_refused():
    with pytest.raises(DataError, match="470"):
        merged([of_seed(0), of_seed(0)])
