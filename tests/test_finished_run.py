"""What studies are given."""

from dataclasses import replace

import pytest
import torch

from rnnrepair.abstraction import AbstractionSettings
from rnnrepair.errors import ConfigurationError
from rnnrepair.models import SequenceClassifier
from rnnrepair.network import verified
from rnnrepair.sequences import Changes
from rnnrepair.studies import FinishedRun

# Sequences that networks have run on; what a network keeps in itself is put back after each look.
RAN_ON = []


class Counting(SequenceClassifier):
    """A network that tells which sequences it has run on."""

    def trace(self, batch):
        RAN_ON.extend(batch.index.tolist())
        return super().trace(batch)


@pytest.fixture
def run(make_data):
    torch.manual_seed(0)
    data = make_data()
    network = verified(Counting(4, 3, hidden_size=8), data)
    RAN_ON.clear()
    settings = AbstractionSettings(n_components=4, reduction_dims=4, fit_states=200)
    return FinishedRun(network, data, settings)


def test_the_network_runs_once_for_everything(run):
    data = run.data
    run.states(4)
    once = len(RAN_ON)
    n_all = sum(len(data.indices(s)) for s in ("fit", "val", "test"))
    assert once == n_all + len(data.indices("fit"))  # and the sample of the PCA
    for k in (2, 3, 5):
        run.abstraction(k, dims=2)
        run.mixture(k, dims=3)
    assert len(RAN_ON) == once


def test_fewer_components_are_what_a_run_with_fewer_would_have(run):
    wide = run.states(4)["val"].vector[:, :2].clone()
    other = FinishedRun(run.network, run.data, run.settings)
    torch.testing.assert_close(other.states(2)["val"].vector, wide)
    torch.testing.assert_close(other.reduction(2).components, run.reduction(2).components)


def test_all_units_are_no_prefix_of_components(run):
    run.states(8)  # every unit: only centred
    narrow = run.states(2)["val"].vector.clone()
    other = FinishedRun(run.network, run.data, run.settings)
    torch.testing.assert_close(other.states(2)["val"].vector, narrow)


def test_injected_samples_are_left_out(run):
    fit = run.data.indices("fit")
    before = run.states(3)["fit"]
    batch = run.data.fetch(fit[:7])
    run.data.apply(Changes(batch.inputs, batch.lengths, batch.label))
    after = FinishedRun(run.network, run.data, run.settings).states(3)["fit"]
    assert torch.equal(after.index, fit)
    torch.testing.assert_close(after.vector, before.vector)


def test_sizes_are_checked_before_any_work(run):
    with pytest.raises(ConfigurationError, match=r"Asks\.n asks for 201 states"):
        run.check_sizes([4, 201], "Asks.n")
    assert RAN_ON == []


def test_a_clustering_with_a_number_of_its_own_takes_none(run):
    run.settings = replace(run.settings, clustering="mean_shift")
    with pytest.raises(ConfigurationError, match=r"Asks\.n .* finds a number of its own"):
        run.check_sizes([4], "Asks.n")
    assert RAN_ON == []


def test_more_states_than_different_steps_are_refused(run):
    run.states(2)
    vector = run.states(2)["fit"].vector
    vector[:] = vector[torch.arange(len(vector)) % 3]  # three different ones are left
    run.check_distinct([3], "Asks.n", [2])
    with pytest.raises(ConfigurationError, match=r"Asks\.n.*4.*3"):
        run.check_distinct([4], "Asks.n", [2])
