"""What the callbacks log, against walks over traces and tables."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture

from rnnrepair.abstraction import AbstractionSettings, abstract, abstraction_metrics, collect
from rnnrepair.influence import Evidence, Neighbours, influence_metrics, responsible_step
from rnnrepair.models import SequenceClassifier
from rnnrepair.network import verified
from tests.conftest import trained

SPLITS = ("fit", "repair", "val")


@pytest.fixture
def ranked(make_traces):
    """Random neighbours of random failures, some places empty."""
    fit, failures = make_traces([3] * 40), make_traces([2, 5, 4, 1, 3], seed=1)
    g = torch.Generator().manual_seed(2)
    nearest = fit.index[torch.randint(40, (5, 6), generator=g)]
    nearest[0, 4:] = -1
    nearest[3, 1:] = -1
    distance = torch.where(nearest < 0, torch.inf, torch.rand(5, 6, generator=g))
    nothing = torch.full((5, 2), torch.inf)
    parents, opponents = nothing.clone(), nothing.clone()
    # Failures 1 and 4 have none of the one or the other.
    parents[[0, 2, 3, 4]] = torch.tensor([[0.9, 1.1], [0.25, 0.75], [0.5, torch.inf], [1, 2]])
    opponents[[0, 1, 2, 3]] = torch.tensor([[0.25, 0.75], [1, 1], [0.5, 1.0], [0.375, 0.375]])
    index = torch.zeros(5, 2, dtype=torch.int64)
    step = responsible_step(failures)
    return fit, Evidence(
        failures,
        step,
        torch.stack([step, step + 1], 1),
        Neighbours(nearest, distance),
        Neighbours(index, parents),
        Neighbours(index, opponents),
    )


def test_influence_metrics_are_those_of_a_walk_over_the_neighbours(ranked):
    fit, evidence = ranked
    label_of = dict(zip(fit.index.tolist(), fit.label.tolist(), strict=True))
    failures, true, predicted, known = evidence.failures, 0, 0, 0
    for row, found in enumerate(evidence.nearest.index.tolist()):
        end = int(failures.offsets[row + 1])
        for sample in found:
            if sample < 0:
                continue
            known += 1
            true += label_of[sample] == int(failures.label[row])
            predicted += label_of[sample] == int(failures.prediction[end - 1])
    assert known == 6 * 5 - 2 - 5
    metrics = influence_metrics(evidence, fit)
    assert 0 < true != predicted > 0
    assert metrics == {
        "influence/true_label_share": pytest.approx(true / known),
        "influence/predicted_label_share": pytest.approx(predicted / known),
        "influence/nearest_distance": pytest.approx(
            sum(row[0] for row in evidence.nearest.distance.tolist()) / 5
        ),
        "influence/contrast": pytest.approx((0.5 - 0.25 + 0.125) / 3),
    }


def test_a_failure_that_is_near_to_nothing_leaves_the_distance_of_the_others_finite(ranked):
    fit, evidence = ranked
    index, distance = evidence.nearest.index.clone(), evidence.nearest.distance.clone()
    index[2], distance[2] = -1, torch.inf
    others = distance[[0, 1, 3, 4], 0].mean()
    found = influence_metrics(replace(evidence, nearest=Neighbours(index, distance)), fit)
    assert found["influence/nearest_distance"] == pytest.approx(float(others))


def test_no_contrast_is_logged_where_none_is_looked_for(ranked):
    fit, evidence = ranked
    plain = influence_metrics(replace(evidence, opponents=None), fit)
    assert "influence/contrast" not in plain
    assert plain.keys() < influence_metrics(evidence, fit).keys()


@pytest.fixture
def analysed(make_data):
    """The abstraction of a real network on its data, two K tried, after an earlier analysis."""
    data = make_data(repair_share=0.3, val_share=0.2)
    network = verified(trained(SequenceClassifier(4, 3, hidden_size=8), data), data)

    batches = {split: data.loader(split) for split in SPLITS}
    collected = collect(network, data.loader("fit"), batches, 3)
    states = collected.states
    settings = AbstractionSettings(
        n_components=[4, 7], selection="stability", stability_threshold=0.5, reduction_dims=3
    )
    n_fit = len(states["fit"])
    first = abstract(collected, settings, n_fit)
    previous = first.sample_state.roll(5)  # an earlier network had grouped the steps otherwise
    now = abstract(collected, settings, n_fit, previous)
    hidden = torch.cat([batch.hidden for batch in network.steps(data.loader("fit"))])
    return now, states, hidden.double().numpy(), previous


def counted(traces):
    """Step predictions in every state that is visited, one step after the other."""
    found = {}
    for state, said in zip(traces.state.tolist(), traces.prediction.tolist(), strict=True):
        found.setdefault(state, [0, 0, 0])[said] += 1
    return found


def stabilities(traces):
    return {state: max(said) / sum(said) for state, said in counted(traces).items()}


def bic_of(mixture, points):
    """scikit-learn's criterion of the same mixture."""
    model = GaussianMixture(mixture.n_components, covariance_type="diag")
    model.weights_ = mixture.log_weight.exp().numpy()
    model.means_, model.covariances_ = mixture.mean.numpy(), mixture.variance.numpy()
    model.precisions_cholesky_ = 1 / np.sqrt(model.covariances_)
    return model.bic(points.double().numpy())


def test_abstraction_metrics_are_those_of_a_walk_over_the_traces(analysed):
    abstraction, states, hidden, previous = analysed
    metrics = abstraction_metrics(abstraction)
    fit, val = (abstraction.traces[split] for split in ("fit", "val"))
    stable, visits = stabilities(fit), {q: sum(n) for q, n in counted(fit).items()}
    n_states = abstraction.model.mixture.n_components
    pca = PCA(3, svd_solver="full").fit(hidden)
    moved = [a != b for a, b in zip(fit.state.tolist(), previous.tolist(), strict=True)]
    expected = {
        "abstraction/n_components": n_states,
        "abstraction/bic": bic_of(abstraction.model.mixture, states["fit"].vector),
        "abstraction/n_empty": n_states - len(stable),
        "abstraction/explained_variance": pca.explained_variance_ratio_.sum(),
        "abstraction/converged": 1.0,
        "abstraction/stability": np.mean(list(stable.values())),
        "abstraction/stability_weighted": sum(stable[q] * visits[q] for q in stable)
        / len(fit.state),
        "abstraction/stability_min": min(stable.values()),
        "abstraction/drift": np.mean(moved),
    }
    assert {name: metrics[name] for name in expected} == pytest.approx(expected, rel=1e-5)
    assert 0 < metrics["abstraction/drift"] < 1
    rest = metrics.keys() - expected.keys()
    assert rest == {
        f"{name}_k{k}"
        for name in ("abstraction/bic_val", "abstraction/stability_val")
        for k in (4, 7)
    }
    # The chosen K on val: the same mixture, judged on states that it was not fitted on.
    on_val = bic_of(abstraction.model.mixture, states["val"].vector)
    assert metrics[f"abstraction/bic_val_k{n_states}"] == pytest.approx(on_val, rel=1e-5)
    mean = np.mean(list(stabilities(val).values()))
    assert metrics[f"abstraction/stability_val_k{n_states}"] == pytest.approx(mean)


def test_what_there_is_not_is_not_logged(analysed):
    abstraction, *_ = analysed
    first = replace(abstraction, drift=None, candidates=[])
    metrics = abstraction_metrics(first)
    assert not {name for name in metrics if "drift" in name or "_val_k" in name}
    assert all(math.isfinite(value) for value in metrics.values())
