"""Accuracies of studies, on states whose answer is known, and against scikit-learn."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from rnnrepair.abstraction import AbstractionSettings, Collected, ReducedStates, Reduction
from rnnrepair.sequences import DataSpec
from rnnrepair.studies import FEATURE_SETS, ClusteringComparison, FeatureComparison, FinishedRun

SIZES = {"fit": 240, "val": 60, "test": 100}
# The last prediction of these leaves the state behind; their traces are otherwise like all others.
WRONG = {"fit": 24, "val": 0, "test": 30}
SEEN = 300  # of the 480 training steps


def split_of(split, seed):
    """Two steps each, of state 0 or 1; the last state is the label, the prediction is the state."""
    g = torch.Generator().manual_seed(seed)
    n = SIZES[split]
    label = (torch.arange(n) % 5 > 1).long()[torch.randperm(n, generator=g)]
    state = torch.stack([torch.randint(2, (n,), generator=g), label], 1)
    prediction = state.clone()
    wrong = torch.randperm(n, generator=g)[: WRONG[split]]
    prediction[wrong, 1] = 1 - label[wrong]
    vector = torch.stack([10.0 * state.flatten() - 5, torch.zeros(2 * n)], 1)
    vector += 0.1 * torch.randn(vector.shape, generator=g)
    offsets = 2 * torch.arange(n + 1)
    return ReducedStates(vector, prediction.flatten().byte(), offsets, torch.arange(n), label)


@pytest.fixture(scope="module")
def run():
    """A finished run whose states are there, so that no network is needed."""
    data = SimpleNamespace(spec=DataSpec("series", 1, 2))
    settings = AbstractionSettings(n_components=2, reduction_dims=2, fit_states=SEEN)
    states = {split: split_of(split, seed) for seed, split in enumerate(SIZES)}
    reduction = Reduction(torch.zeros(2), torch.eye(2), torch.ones(2), 2.0)
    return FinishedRun(None, data, settings, _collected=Collected(states, reduction, 2))


def by_hand(run, n_states, features, cut=0.0, renormalise=False):
    """The features of docs/method.md 4.1 to 4.5, step by step; states are told by their place."""
    place = {
        split: (s.vector[:, 0] > 0).long().numpy() * (n_states - 1)
        for split, s in run.states().items()
    }
    said = {split: s.prediction.numpy() for split, s in run.states().items()}
    confidence = np.zeros((n_states, 2))
    for q, y in zip(place["fit"], said["fit"], strict=True):
        confidence[q, y] += 1
    confidence /= confidence.sum(1, keepdims=True)
    confidence[confidence < cut] = 0
    if renormalise:
        confidence /= np.maximum(confidence.sum(1, keepdims=True), 1e-12)
    kept = FEATURE_SETS[features]
    matrices = {}
    for split in SIZES:
        rows = []
        for q, y in zip(place[split], said[split], strict=True):
            row = [("ID" in kept) * (q + 2) / (n_states + 1), ("RL" in kept) * (y + 1) / 3]
            rows.append([*row, *(("CS" in kept) * confidence[q])])
        matrices[split] = np.array(rows).reshape(SIZES[split], -1)
    return matrices


def right_of(run):
    """The training traces that the network gets right: SimNN is trained on no others."""
    fit = run.states()["fit"]
    return (fit.prediction[1::2].long() == fit.label).numpy()


def sklearn_accuracy(run, matrices):
    label = run.states()["fit"].label.numpy()
    right = right_of(run)
    model = LogisticRegression(C=1e4).fit(matrices["fit"][right], label[right])
    return {split: model.score(matrices[split], run.states()[split].label) for split in SIZES}


def majority(run, split):
    """What a classifier that sees nothing of the trace gets: most training traces are of 1."""
    return float((run.states()[split].label == 1).double().mean())


# What tells the last state is right everywhere; the last prediction is wrong where the network is.
BY_STATE, BY_PREDICTION = {"val": 1.0, "test": 1.0}, {"val": 1.0, "test": 0.7}


@pytest.fixture(scope="module")
def features(run):
    study = FeatureComparison(n_components=(1, 2), thresholds=(0.3, 0.99), seeds=2)
    return study(run).tables["features"].set_index(["K", "features", "threshold"])


@pytest.mark.parametrize(
    ("n_states", "name", "threshold", "expected"),
    [
        (2, "RL", "none", BY_PREDICTION),
        (2, "ID", "none", BY_STATE),
        (2, "CS", "none", BY_STATE),
        (2, "CS", "0.3", BY_STATE),
        (2, "CS", "0.3, renormalised", BY_STATE),
        (2, "CS", "0.99", None),  # no confidence is as high: nothing is left
        (2, "CS", "0.99, renormalised", None),
        (2, "RL_ID_CS", "none", BY_STATE),
        (1, "RL", "none", BY_PREDICTION),
        (1, "ID", "none", None),  # one state tells nothing
        (1, "CS", "none", None),
        (1, "ID_RL", "none", BY_PREDICTION),
    ],
)
def test_feature_sets_are_worth_what_they_tell(run, features, n_states, name, threshold, expected):
    row = features.loc[(n_states, name, threshold)]
    cut, _, renormalise = threshold.partition(", ")
    cut = 0.0 if cut == "none" else float(cut)
    theirs = sklearn_accuracy(run, by_hand(run, n_states, name, cut, bool(renormalise)))
    for split in ("val", "test"):
        known = majority(run, split) if expected is None else expected[split]
        assert row[split] == pytest.approx(known)
        assert row[split] == pytest.approx(theirs[split])
        assert row[f"{split}_sd"] == 0  # two seeds, one answer
    right = run.states()["fit"].label.double().numpy()[right_of(run)]
    assert row["train"] == pytest.approx(1.0 if expected else right.mean())
    assert (row["rnn_val"], row["rnn_test"]) == (1.0, pytest.approx(0.7))


@pytest.fixture(scope="module")
def clusterings(run):
    study = ClusteringComparison(
        n_components=2,
        clusterings=("gmm", "gmm_full", "kmeans", "mean_shift"),
        points=(100, 200, 1000),
        timed_components=2,
        repeats=1,
        mean_shift_points=150,
        seeds=2,
    )
    return study(run).tables


@pytest.mark.parametrize("kind", ["gmm", "gmm_full", "kmeans", "mean_shift"])
def test_clusterings_that_find_the_states_are_worth_as_much(run, clusterings, kind):
    table = clusterings["clustering_quality"].query(f"clustering == '{kind}'")
    rows = table.set_index("features")
    for name, expected in {
        "RL": BY_PREDICTION,
        "ID": BY_STATE,
        "CS": BY_STATE,
        "RL_ID_CS": BY_STATE,
    }.items():
        theirs = sklearn_accuracy(run, by_hand(run, 2, name))
        for split in ("val", "test"):
            assert rows.loc[name, split] == pytest.approx(expected[split])
            assert rows.loc[name, split] == pytest.approx(theirs[split])
        assert rows.loc[name, "test_sd"] == 0
    # A state is as stable as its most frequent prediction: counted on both sides of 0.
    fit = run.states()["fit"]
    sides = [fit.prediction[(fit.vector[:, 0] > 0) == side].float() for side in (False, True)]
    stable = [max(float(s.mean()), 1 - float(s.mean())) for s in sides]
    share = [len(s) / len(fit.vector) for s in sides]
    assert rows["stability"].tolist() == pytest.approx([np.mean(stable)] * 5)
    assert rows["stability_weighted"].tolist() == pytest.approx([np.dot(stable, share)] * 5)
    assert set(rows["states"]) == {2}
    assert set(rows["n_empty"]) == {0}
    assert set(rows["fitted_on"]) == {150 if kind == "mean_shift" else SEEN}
    assert rows["rnn_test"].tolist() == pytest.approx([0.7] * 5)


def test_clusterings_are_timed_on_as_many_points_as_there_are(clusterings):
    times = clusterings["clustering_time"]
    assert set(times["points"]) == {100, 200}  # 1000 are not there
    assert (times["seconds"] > 0).all()
    assert set(times["states"]) == {2}
