"""From hidden states to the abstract model and the traces of every split."""

import re
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from sklearn.decomposition import PCA

from rnnrepair.abstraction import (
    AbstractionSettings,
    AbstractModel,
    Collected,
    ReducedStates,
    Reduction,
    abstract,
    collect,
    count_predictions,
    sample_steps,
)
from rnnrepair.errors import ConfigurationError, IncompatibleCheckpointError
from rnnrepair.models import SequenceClassifier
from rnnrepair.network import HiddenBatch, verified

CENTRES = torch.tensor([[0.0, 0.0], [8.0, 0.0], [0.0, 8.0]])
# A projection that does nothing.
PLAIN = Reduction(torch.zeros(2), torch.eye(2), torch.ones(2), 2.0)


def stream(lengths, batch_size, seed=0):
    """Hidden states around three centres; step t of sequence i is at centre (i + t) % 3."""
    g = torch.Generator().manual_seed(seed)
    parts = []
    for i, length in enumerate(lengths):
        at = (torch.arange(length) + i) % 3
        parts.append((CENTRES[at] + 0.5 * torch.randn(length, 2, generator=g), at, i))
    for rows in torch.arange(len(parts)).split(batch_size):
        some = [parts[row] for row in rows]
        yield HiddenBatch(
            torch.cat([h for h, _, _ in some]),
            torch.cat([at % 2 for _, at, _ in some]),
            torch.tensor([len(h) for h, _, _ in some]),
            torch.tensor([10 + i for _, _, i in some]),
            torch.tensor([i % 2 for _, _, i in some]),
        )


def reduced(lengths=(4, 2, 6, 5) * 10, batch_size=100, seed=0):
    return ReducedStates.collect(stream(lengths, batch_size, seed), 2)


def fitted(states, n_original=40, previous=None, **options):
    return abstract(Collected(states, PLAIN, 2), settings(**options), n_original, previous)


def settings(**options):
    return AbstractionSettings(**{"n_components": 3, "reduction_dims": 2, **options})


def test_reduced_states_survive_the_disk(tmp_path):
    states = {"fit": reduced(), "val": reduced(seed=1).between(0, 7)}
    reduction = replace(PLAIN, total_variance=0.1 + 0.2)
    Collected(states, reduction, 7).save(tmp_path / "states.safetensors")
    collected = Collected.load(tmp_path / "states.safetensors")
    loaded, again = collected.states, collected.reduction
    assert collected.n_classes == 7
    assert again.total_variance == reduction.total_variance
    assert torch.equal(again.components, reduction.components)
    assert loaded.keys() == states.keys()
    for split, expected in states.items():
        assert loaded[split].token is None
        for name in ("vector", "prediction", "offsets", "index", "label"):
            found = getattr(loaded[split], name)
            assert torch.equal(found, getattr(expected, name))
            assert found.dtype == getattr(expected, name).dtype


@pytest.mark.parametrize("batch_size", [1, 3])
def test_collect_is_the_same_when_streamed(batch_size):
    whole, streamed = reduced(), reduced(batch_size=batch_size)
    for name in ("vector", "prediction", "offsets", "index", "label"):
        torch.testing.assert_close(getattr(streamed, name), getattr(whole, name), rtol=0, atol=0)


def test_collect_reduces_what_the_network_does_by_its_principal_components(make_data):
    data = make_data()
    network = verified(SequenceClassifier(4, 3, hidden_size=8), data)
    batches = {split: data.loader(split) for split in ("fit", "val")}
    collected = collect(network, data.loader("fit"), batches, 3)
    whole = {
        split: ReducedStates.collect(network.steps(data.loader(split)), 3)
        for split in ("fit", "val")
    }
    pca = PCA(3, svd_solver="full").fit(whole["fit"].vector.double())
    for split, states in collected.states.items():
        found, expected = states.vector, pca.transform(whole[split].vector.double())
        expected = torch.from_numpy(expected)
        signs = torch.sign((found * expected).sum(0))
        torch.testing.assert_close(found.double(), signs * expected, rtol=1e-4, atol=1e-4)
        for column in ("prediction", "offsets", "index", "label"):
            assert torch.equal(getattr(states, column), getattr(whole[split], column))
    assert collected.n_classes == 3
    narrow = collected.narrowed(2)
    assert torch.equal(narrow.states["val"].vector, collected.states["val"].vector[:, :2])
    assert narrow.reduction.components.shape == (2, 8)


def test_assign_is_the_state_of_the_reduced_vector(make_model):
    model, hidden = make_model(), torch.randn(200, 6)
    vector = (hidden - model.reduction.mean) @ model.reduction.components.T
    expected = [
        int(
            (
                model.mixture.log_weight
                + torch.distributions.Normal(model.mixture.mean, model.mixture.variance.sqrt())
                .log_prob(x.double())
                .sum(1)
            ).argmax()
        )
        for x in vector
    ]
    assert model.assign(hidden).tolist() == expected
    assert len(set(expected)) > 2
    assert model.start == model.n_states == 5


def test_load_gives_back_what_was_saved(make_model, tmp_path):
    model = make_model()
    model.save(tmp_path / "a" / "model.safetensors")
    loaded = AbstractModel.load(tmp_path / "a" / "model.safetensors")
    for part, names in {
        "reduction": ("mean", "components", "variance"),
        "mixture": ("log_weight", "mean", "variance"),
    }.items():
        for name in names:
            a, b = (getattr(getattr(m, part), name) for m in (model, loaded))
            assert a.dtype == b.dtype
            torch.testing.assert_close(a, b, rtol=0, atol=0)
    assert torch.equal(loaded.counts, model.counts)
    assert loaded.reduction.total_variance == model.reduction.total_variance
    assert (loaded.mixture.converged, loaded.mixture.n_iter) == (True, 11)
    hidden = torch.randn(50, 6)
    assert loaded.assign(hidden).tolist() == model.assign(hidden).tolist()
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["model.safetensors"]


@pytest.mark.parametrize("metadata", [None, {"version": "99"}])
def test_load_refuses_when_the_file_is_of_another_version(make_model, tmp_path, metadata):
    path = tmp_path / "model.safetensors"
    make_model().save(path)
    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    save_file(tensors, path, metadata)
    with pytest.raises(IncompatibleCheckpointError, match="run the analysis again"):
        AbstractModel.load(path)


def test_fit_finds_the_groups_and_counts_their_predictions():
    states = {"fit": reduced(), "test": reduced((3, 3), seed=1)}
    result = fitted(states)
    traces = result.traces["fit"]
    truth = torch.cat([(torch.arange(n) + i) % 3 for i, n in enumerate((4, 2, 6, 5) * 10)])
    assert len(set(zip(truth.tolist(), traces.state.tolist(), strict=True))) == 3
    # Centre 1 is always predicted 1, the others 0: every state is certain.
    assert result.stability.mean == 1
    assert int(result.model.counts.sum()) == len(truth)
    assert torch.equal(result.model.counts, count_predictions(traces.code, 3, 2))
    assert result.traces["test"].index.tolist() == [10, 11]
    assert result.drift is None


@pytest.mark.parametrize("selection", ["bic", "stability"])
def test_fit_chooses_on_val_when_there_are_several_k(selection):
    states = {"fit": reduced(), "val": reduced(seed=1)}
    result = fitted(states, n_components=[2, 3, 8], selection=selection, stability_threshold=0.8)
    assert result.model.n_states == 3
    assert [c.n_components for c in result.candidates] == [2, 3, 8]
    one = fitted(states)
    chosen = result.candidates[1]
    assert chosen.bic == pytest.approx(one.model.mixture.bic(states["val"].vector))
    assert chosen.bic != pytest.approx(one.bic, rel=1e-6)
    # What the choice is made on must not be what the mixture was fitted on.
    assert one.bic == pytest.approx(one.model.mixture.bic(states["fit"].vector))


@pytest.mark.parametrize("clustering", ["gmm", "kmeans", "gmm_full"])
def test_fit_makes_as_many_states_as_there_are_different_ones(clustering, caplog):
    whole = reduced()
    few = replace(whole, vector=CENTRES[whole.vector.matmul(CENTRES.T).argmax(1) % 3].clone())
    few.vector[whole.vector.norm(dim=1) < 4] = CENTRES[0]
    n_distinct = len(few.vector.unique(dim=0))
    assert n_distinct == 3
    result = fitted({"fit": few}, n_components=9, clustering=clustering)
    assert "n_components=9, but only 3 of" in caplog.text
    assert result.model.n_states == result.traces["fit"].n_states == 3
    found = torch.cat([few.vector, result.traces["fit"].state[:, None]], 1)
    assert len(found.unique(dim=0)) == 3
    # The next epoch, whose states are all different again, goes on from these.
    then = fitted({"fit": whole}, 40, result.sample_state, n_components=9, clustering=clustering)
    assert then.model.n_states == 9
    assert 0 <= then.drift < 1


def test_fit_judges_no_k_twice_where_there_are_fewer_states(caplog):
    one = replace(reduced(), vector=torch.zeros_like(reduced().vector))
    result = fitted({"fit": one, "val": one}, n_components=[2, 3, 8])
    assert result.candidates == []
    assert result.model.n_states == 1
    assert result.traces["fit"].state.unique().tolist() == [0]
    assert "only 1 of" in caplog.text


def test_fit_refuses_when_several_k_have_no_val():
    with pytest.raises(ConfigurationError, match="val"):
        fitted({"fit": reduced()}, n_components=[2, 3])


def test_fit_keeps_the_names_of_states_when_the_network_moves_on():
    first = fitted({"fit": reduced()})
    old = reduced()
    moved = ReducedStates(
        old.vector @ torch.tensor([[0.0, 1.0], [-1.0, 0.0]]) + 50,
        old.prediction,
        old.offsets,
        old.index,
        old.label,
    )
    second = fitted({"fit": moved}, 40, first.sample_state)
    assert second.drift == 0
    assert second.traces["fit"].state.tolist() == first.traces["fit"].state.tolist()


@pytest.mark.parametrize("n_now", [2, 3, 5])
def test_fit_measures_the_drift_when_states_are_regrouped(n_now):
    first = fitted({"fit": reduced()})
    second = fitted({"fit": reduced()}, 40, first.sample_state, n_components=n_now)
    changed = (second.sample_state != first.sample_state).double().mean().item()
    assert second.drift == pytest.approx(changed)
    assert (second.drift == 0) == (n_now == 3)


def test_fit_looks_at_the_original_sequences_when_some_were_injected():
    """The sample must hold the same steps in every epoch."""
    alone, more = reduced((4, 2, 6, 5) * 10), reduced((4, 2, 6, 5) * 10 + (3, 3, 3))
    a, b = (fitted({"fit": s}) for s in (alone, more))
    assert len(a.sample_state) == len(b.sample_state) == len(alone.vector)
    torch.testing.assert_close(a.model.mixture.mean, b.model.mixture.mean, rtol=0, atol=0)
    assert len(b.traces["fit"]) == 43


@pytest.mark.parametrize(("n_steps", "wanted"), [(50, 100), (100, 100), (1000, 100)])
def test_sample_is_ascending_distinct_and_repeatable_when_limited(n_steps, wanted):
    steps = sample_steps(n_steps, settings(fit_states=wanted))
    assert len(steps) == min(n_steps, wanted)
    assert (steps.diff() > 0).all()
    assert 0 <= int(steps.min()) <= int(steps.max()) < n_steps
    assert torch.equal(steps, sample_steps(n_steps, settings(fit_states=wanted)))
    other = sample_steps(n_steps, settings(fit_states=wanted, seed=1))
    assert torch.equal(steps, other) == (n_steps <= wanted)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_components", 0),
        ("n_components", 1),
        ("n_components", [1, 5]),
        ("selection", "aic"),
        ("reduction_dims", 0),
        ("fit_sequences", 0),
        ("fit_states", 1),
        ("max_iter", 0),
    ],
)
def test_settings_name_the_key_when_a_value_is_out_of_range(name, value):
    with pytest.raises(ConfigurationError, match=rf"AbstractionSettings\.{name}: expected"):
        AbstractionSettings(**{name: value})


@pytest.mark.parametrize(
    ("n_components", "n_fit", "max_steps", "told"),
    [
        (5000, 225, 28, "1.3 hidden states for each at most.*Lower n_components .630 would"),
        (43, 225, 28, None),
        (630, 225, 28, None),
        (631, 225, 28, "n_components=631"),
    ],
)
def test_more_abstract_states_than_there_are_hidden_ones_for_are_warned_of(
    n_components, n_fit, max_steps, told, caplog
):
    from rnnrepair.callbacks.state_abstraction import _tell_if_too_many

    _tell_if_too_many(n_components, n_fit, max_steps)
    assert bool(caplog.text) is (told is not None)
    assert told is None or re.search(told, caplog.text)
