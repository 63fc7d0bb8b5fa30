"""Fault metrics against their definitions, target by target."""

import numpy as np
import pandas as pd
import pytest
import torch

from rnnrepair.analysis import faults
from rnnrepair.analysis.faults import FaultMetrics, sign_test
from rnnrepair.analysis.influential import nearest
from rnnrepair.errors import ConfigurationError


@pytest.fixture
def near():
    g = torch.Generator().manual_seed(1)
    label = torch.randint(3, (7, 9), generator=g)
    label[3] = 1  # a target all of whose samples carry one label
    distance = torch.rand(7, 10, generator=g).sort(1).values
    distance[2, 4] = distance[2, 5]
    return faults._Neighbours(label, distance[:, :9], distance[:, 1:])


def test_metrics_are_those_of_the_paper(near):
    wanted = torch.tensor([0, 1, 2, 0, 1, 2, 0])
    table = faults._metrics(near, wanted, seed=0)
    for row in table.itertuples():
        counts, distances = [], []
        for target in range(7):
            hit = [j for j in range(row.n) if near.label[target, j] == wanted[target]]
            counts.append(len(hit))
            if hit:
                distances.append(float(near.distance[target, hit].mean()))
        assert row.metric_1 == pytest.approx(np.mean([c > 0 for c in counts]))
        assert row.metric_2 == pytest.approx(np.mean(counts) / row.n)
        assert row.metric_3 == pytest.approx(np.mean(distances), rel=1e-5)
        assert row.metric_1_low <= row.metric_1 <= row.metric_1_high
        assert row.metric_2_low <= row.metric_2 <= row.metric_2_high


def test_intervals_agree_with_plain_resampling(near):
    wanted = torch.tensor([0, 1, 2, 0, 1, 2, 0])
    table = faults._metrics(near, wanted, seed=0)
    share = (near.label == wanted[:, None]).double().numpy().mean(1)
    rng = np.random.default_rng(5)
    means = share[rng.integers(7, size=(20_000, 7))].mean(1)
    low, high = np.quantile(means, [0.025, 0.975])
    last = table.iloc[-1]
    assert last["metric_2_low"] == pytest.approx(low, abs=0.02)
    assert last["metric_2_high"] == pytest.approx(high, abs=0.02)


def test_cuts_between_equals_are_counted(near):
    assert near.cut_between_equals(5) == pytest.approx(1 / 7)
    assert near.cut_between_equals(6) == 0


def test_sign_test_leaves_ties_out():
    assert sign_test(0, 0) == 1
    assert sign_test(5, 5) == 1
    assert sign_test(10, 0) == pytest.approx(2 * 0.5**10)


def test_hypothesis_counts_failures_one_by_one(near, make_traces):
    failures = make_traces([3] * 7, seed=4)
    table = pd.DataFrame(faults._hypothesis(near, failures, 5, seed=0)).set_index("n")
    assert table.index.tolist() == [1, 9]  # 10 and 50 are more than there are
    for n, row in table.iterrows():
        margins = [
            sum(label == failures.final_prediction[i] for label in near.label[i, :n])
            - sum(label == failures.label[i] for label in near.label[i, :n])
            for i in range(7)
        ]
        more, fewer = sum(m > 0 for m in margins), sum(m < 0 for m in margins)
        assert row["failures"] == 7
        assert row["holds"] == pytest.approx(more / 7)
        assert row["ties"] == pytest.approx((7 - more - fewer) / 7)
        assert row["opposite"] == pytest.approx(fewer / 7)
        assert row["margin"] == pytest.approx(sum(margins) / 7 / n)
        assert row["p"] == sign_test(int(more), int(fewer))
        assert row["low"] <= row["holds"] <= row["high"]


def test_benign_inputs_are_right_and_drawn_once(make_traces):
    test = make_traces([3] * 60, seed=2)
    rows = faults.draw_benign(test, 10, seed=0)
    assert len(set(rows.tolist())) == 10
    assert test.correct[rows].all()
    assert torch.equal(rows, faults.draw_benign(test, 10, seed=0))
    assert not torch.equal(rows, faults.draw_benign(test, 10, seed=1))
    right = test.correct.nonzero()[:, 0]
    assert torch.equal(faults.draw_benign(test, 1000, seed=0), right)


def test_equally_far_images_come_in_the_order_of_their_ends():
    distance = torch.tensor([1.0, 0.5, 0.5, 0.5, 2.0])
    ends = torch.tensor([[0.0], [3.0], [1.0], [-2.0], [0.0]])
    assert nearest(distance, ends, torch.tensor([0.0]), 4).tolist() == [2, 3, 1, 0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_components": []}, r"study\.faults\.n_components"),
        ({"top": 0}, r"study\.faults\..*\.top"),
        ({"distance": "cosine"}, r"study\.faults\.distance must be one of"),
    ],
)
def test_settings_that_cannot_be_are_refused(options, message):
    with pytest.raises(ConfigurationError, match=message):
        FaultMetrics(**options)
