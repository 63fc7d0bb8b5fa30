"""Feature tables of SimNN."""

import pytest
import torch

from rnnrepair.studies import FEATURE_SETS, Threshold, feature_table

CONFIDENCE = torch.tensor([[0.7, 0.2, 0.1], [0.3, 0.3, 0.4]], dtype=torch.float64)


def test_rows_are_those_of_the_original():
    table = feature_table(CONFIDENCE, "RL_ID_CS")
    assert table.shape == (2 * 3 + 1, 2 + 3)
    for state in range(2):
        for prediction in range(3):
            expected = [(state + 2) / 3, (prediction + 1) / 4, *CONFIDENCE[state].tolist()]
            assert table[state * 3 + prediction].tolist() == pytest.approx(expected)
    assert not table[-1].any()


@pytest.mark.parametrize("features", list(FEATURE_SETS))
def test_a_set_keeps_its_columns_and_blanks_the_others(features):
    whole, part = feature_table(CONFIDENCE, "RL_ID_CS"), feature_table(CONFIDENCE, features)
    kept = ["ID" in features, "RL" in features, *["CS" in features] * 3]
    assert torch.equal(part, whole * torch.tensor(kept))


def test_threshold_cuts_and_renormalises():
    assert torch.equal(Threshold()(CONFIDENCE), CONFIDENCE)
    cut = Threshold(0.3)(CONFIDENCE)
    assert cut.tolist() == [[0.7, 0, 0], [0.3, 0.3, 0.4]]
    assert Threshold(0.3, renormalise=True)(CONFIDENCE).sum(1).tolist() == pytest.approx([1, 1])
    assert not Threshold(0.9, renormalise=True)(CONFIDENCE).any()
    assert Threshold(0.3, renormalise=True).name == "0.3, renormalised"
