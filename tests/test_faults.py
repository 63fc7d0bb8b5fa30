"""Fault metrics against their definitions, target by target."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from rnnrepair.abstraction import AbstractionSettings
from rnnrepair.datamodules import LoadedData, Sequences
from rnnrepair.errors import ConfigurationError
from rnnrepair.influence import TraceIndex, step_distance
from rnnrepair.models import SequenceClassifier
from rnnrepair.network import verified
from rnnrepair.report.studies.faults import fault_figures
from rnnrepair.studies import FinishedRun, faults
from rnnrepair.studies.faults import FaultMetrics, sign_test
from rnnrepair.studies.influential import nearest
from rnnrepair.studies.yardsticks import RankedLabels, last_states, yardsticks


@pytest.fixture
def near():
    g = torch.Generator().manual_seed(1)
    label = torch.randint(3, (7, 9), generator=g)
    label[3] = 1  # a target all of whose samples carry one label
    distance = torch.rand(7, 10, generator=g).sort(1).values
    distance[2, 4] = distance[2, 5]
    return RankedLabels(label, distance)


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
    beyond = replace(near, distance=torch.full_like(near.distance, torch.inf))
    assert beyond.cut_between_equals(9) == 0  # there is nothing to choose from


def test_sign_test_leaves_ties_out():
    assert sign_test(0, 0) == 1
    assert sign_test(5, 5) == 1
    assert sign_test(10, 0) == pytest.approx(2 * 0.5**10)


def test_hypothesis_counts_failures_one_by_one(near, make_traces):
    failures = make_traces([3] * 7, seed=4)
    table = pd.DataFrame(faults._hypothesis(near, failures, seed=0)).set_index("n")
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
        ({"n_components": []}, r"FaultMetrics\.n_components"),
        ({"top": 0}, r"FaultMetrics\.top"),
        ({"distance": "cosine"}, r"FaultMetrics\.distance: .*one of"),
    ],
)
def test_settings_that_cannot_be_are_refused(options, message):
    with pytest.raises(ConfigurationError, match=message):
        FaultMetrics(**options)


@pytest.fixture
def of_features(make_data):
    torch.manual_seed(0)
    settings = AbstractionSettings(n_components=4, reduction_dims=3, fit_states=200, seed=5)
    data = make_data()
    return FinishedRun(verified(SequenceClassifier(4, 3, hidden_size=8), data), data, settings)


@pytest.fixture
def of_tokens(make_data):
    g = torch.Generator().manual_seed(3)
    lengths = torch.randint(1, 10, (120,), generator=g)
    tokens = Sequences.from_padded(torch.randint(2, 9, (120, 9), generator=g), lengths, padding=1)
    torch.manual_seed(0)
    network = SequenceClassifier(6, 3, hidden_size=8, vocabulary_size=9)
    data = make_data(LoadedData(tokens, torch.arange(120) % 3, 90, "texts", "tokens"))
    settings = AbstractionSettings(n_components=4, reduction_dims=3, fit_states=200, seed=5)
    return FinishedRun(verified(network, data), data, settings)


def failures_of(run):
    """Return the training traces and the test failures, with states that mean nothing here."""
    _, traces = run.abstraction(2)
    test = traces["test"]
    return traces["fit"], test.select(~test.correct)


def padded(run, index):
    """Return every sequence of features in rough spreads, padded with zeros to five steps."""
    rows = map(run.data.spec.scale.scaled, run.data.fetch(index).sequences())
    return [np.pad(row.numpy(), ((0, 5 - len(row)), (0, 0))).ravel() for row in rows]


def counted(run, index):
    rows = run.data.fetch(index).sequences()
    counts = [np.bincount(row.numpy(), minlength=9).astype(float) for row in rows]
    return [count / np.linalg.norm(count) for count in counts]


def agrees(near, fit, expected, top):
    """Compare with the (M, N) distances of brute force, whatever the order of equals."""
    np.testing.assert_allclose(near.distance, np.sort(expected, 1)[:, : top + 1], atol=1e-5)
    label = fit.label.numpy()
    for m, row in enumerate(expected):
        limit = np.sort(row)[top - 1]
        certain = np.bincount(label[row < limit - 1e-5], minlength=3)
        possible = np.bincount(label[row <= limit + 1e-5], minlength=3)
        found = np.bincount(near.label[m], minlength=3)
        assert (certain <= found).all()
        assert (found <= possible).all()


@pytest.mark.parametrize("block", [7, 2000])
def test_inputs_are_compared_without_the_network(of_features, monkeypatch, block):
    monkeypatch.setattr("rnnrepair.influence.inputs.BLOCK", block)
    fit, failures = failures_of(of_features)
    here, there = padded(of_features, fit.index), padded(of_features, failures.index)
    expected = np.array([[np.linalg.norm(a - b) for a in here] for b in there])
    agrees(yardsticks(of_features, 6)["inputs"], fit, expected, 6)


@pytest.mark.parametrize("block", [7, 2000])
def test_texts_are_compared_as_bags_of_words(of_tokens, monkeypatch, block):
    monkeypatch.setattr("rnnrepair.influence.inputs.BLOCK", block)
    fit, failures = failures_of(of_tokens)
    here, there = counted(of_tokens, fit.index), counted(of_tokens, failures.index)
    expected = np.array([[1 - a @ b for a in here] for b in there])
    agrees(yardsticks(of_tokens, 6)["bag of words"], fit, expected, 6)


def test_last_states_are_compared_in_the_reduced_space(of_features):
    fit, failures = failures_of(of_features)
    near = yardsticks(of_features, 6)["last state, 3 principal components"]
    states = of_features.states()
    ends = {
        split: {
            int(index): own[-1].numpy()
            for index, own in zip(
                states[split].index, states[split].vector.split(lengths), strict=True
            )
        }
        for split in ("fit", "test")
        for lengths in [states[split].offsets.diff().tolist()]
    }
    expected = np.array(
        [
            [np.linalg.norm(ends["fit"][i] - ends["test"][j]) for i in fit.index.tolist()]
            for j in failures.index.tolist()
        ]
    )
    agrees(near, fit, expected, 6)
    assert last_states(of_features, "fit").shape == (len(fit), 3)


def test_samples_with_the_same_prediction_are_drawn_once_and_from_all(of_features):
    fit, failures = failures_of(of_features)
    name = "same prediction, at random"
    near = yardsticks(of_features, 6)[name]
    assert torch.equal(near.label, yardsticks(of_features, 6)[name].label)
    other = replace(of_features, settings=replace(of_features.settings, seed=6))
    assert not torch.equal(near.label, yardsticks(other, 6)[name].label)
    alike = [fit.label[fit.final_prediction == p] for p in failures.final_prediction]
    more = [len(possible) > 6 for possible in alike]
    assert near.cut_between_equals(6) == pytest.approx(sum(more) / len(more))
    # All that there are, where more are wanted; none twice.
    assert all(len(possible) < 89 for possible in alike)
    for own, possible in zip(yardsticks(of_features, 89)[name].label, alike, strict=True):
        assert torch.equal(own[own >= 0].bincount(minlength=3), possible.bincount(minlength=3))


def test_yardsticks_break_ties_as_traces_do(of_tokens):
    """One text that all training samples are copies of: only the order of ties is left."""
    index = of_tokens.data.indices("fit")
    one = of_tokens.data.fetch(index[:1])
    texts = Sequences.from_padded(one.inputs.expand(120, -1), one.lengths.expand(120), padding=1)
    # Copies that are told to be none: they would all stand in one split.
    loaded = LoadedData(
        texts, torch.arange(120) % 3, 90, "copies", "tokens", copies=torch.arange(120)
    )
    data = type(of_tokens.data)(loaded, 3, batch_size=16, seed=0)
    data.setup()
    run = FinishedRun(of_tokens.network, data, of_tokens.settings)
    states = run.states()
    fit, test = (
        states[s].with_states(torch.zeros(len(states[s].vector)), 1, 3) for s in ("fit", "test")
    )
    failures = test.select(~test.correct)
    distance = step_distance(of_tokens.abstraction(1)[0], "aligned")
    expected = fit.label[TraceIndex(fit, distance, seed=5).rank(failures, 6).row]
    assert torch.equal(yardsticks(run, 6)["bag of words"].label, expected)


@pytest.mark.parametrize("case", ["of_features", "of_tokens"])
def test_hypothesis_stands_beside_its_yardsticks(case, request):
    run = request.getfixturevalue(case)
    result = FaultMetrics([2, 3], top=12, benign=5)(run)
    table = result.tables["hypothesis"]
    names = ["trace", *yardsticks(run, 12)]
    assert list(table["yardstick"].unique()) == names
    assert len(table) == 2 * 4 * 3  # K, yardsticks, n
    assert not table.isna().any().any()
    assert table["failures"].nunique() == 1
    for name in names[1:]:
        two, three = (
            table[(table["yardstick"] == name) & (table["K"] == k)].drop(columns="K")
            for k in (2, 3)
        )
        pd.testing.assert_frame_equal(
            two.reset_index(drop=True), three.reset_index(drop=True), check_exact=True
        )
        assert any(name in line for line in result.conclusion)
    figure = fault_figures(result.tables)["hypothesis"]
    figure.draw_without_rendering()
    (legend,) = figure.legends
    told = [text.get_text() for text in legend.get_texts()]
    for name in names[1:]:
        assert any(name in line for line in told)
    assert legend.get_window_extent().x1 <= figure.bbox.x1
