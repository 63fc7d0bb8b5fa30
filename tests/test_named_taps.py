"""Taps that must be named: what a refusal suggests can be pasted, and is read as it should be."""

import re

import pytest
import torch
from torch import nn

from rnnrepair.datamodules import ArrayDataModule
from rnnrepair.errors import ConfigurationError
from rnnrepair.network import Readout, TracedNetwork, verified
from rnnrepair.sequences import DataSpec
from tests.families.liquid import CfC
from tests.families.minimal import MinGRU, MinGRULoop
from tests.families.state_space import ComplexLRU
from tests.families.xlstm import MLSTM
from tests.network_families import NAMED, Bare, C, Classifier, D, F, Inline, ReadsLast
from tests.network_forms import series
from tests.prefix_forms import read, strong
from tests.test_network_families import steps_of
from tests.test_traced_network import data_of, decided, network_of, spec_of


@pytest.mark.parametrize("name", sorted(NAMED))
def test_the_refusal_names_layers_that_can_be_pasted(name):
    """Each of the few that are named is read as well as the one that we would take."""
    form = NAMED[name]
    module, _ = network_of(form)
    batch = data_of(form)
    taps = taps_of(module, batch, spec_of(form))
    assert form.options["tap"] in taps
    own = decided(form, module, batch)
    expected = steps_of(viewed(module, batch, spec_of(form), form.options["tap"]), batch)[0]
    for tap in taps:
        network = viewed(module, batch, spec_of(form), tap)
        assert torch.equal(network.predict([batch]).predicted, own)
        assert all(map(torch.equal, steps_of(network, batch)[0], expected)), tap


def taps_of(module, batch, spec):
    """Names in the refusal of a network whose tap is not named, which is short."""
    with pytest.raises(ConfigurationError, match=r"no nn\.RNN, nn\.LSTM, nn\.GRU") as told:
        TracedNetwork.of(module, spec).verify(batch)
    assert len(str(told.value).splitlines()) <= 11
    taps = re.findall(r"^    tap='([\w.]+)'  # \w+, \d+ units; ", str(told.value), re.MULTILINE)
    assert 0 < len(taps) <= 3
    return taps


def viewed(module, batch, spec, tap):
    network = TracedNetwork.of(module, spec, tap=tap)
    network.verify(batch)
    return network


def test_layers_that_know_one_step_or_a_few_are_not_suggested():
    """Embeddings, norms of inputs, gates and causal convolutions have no memory."""
    batch = series(n_steps=24, ragged=False)
    taps = taps_of(strong(lambda: Classifier(MLSTM)), batch, DataSpec("series", F, C))
    assert taps == ["norm", "blocks.0", "blocks.0.layer"]


class Convolved(nn.Module):
    """Causal, and knows four steps."""

    def __init__(self):
        super().__init__()
        self.embed, self.conv = nn.Linear(F, D), nn.Conv1d(D, D, 4)
        self.norm, self.head = nn.LayerNorm(D), nn.Linear(D, C)

    def forward(self, x):
        x = nn.functional.pad(self.embed(x).transpose(1, 2), (3, 0))
        return self.head(self.norm(self.conv(x).transpose(1, 2)).mean(1))


def test_a_convolution_is_no_memory():
    batch = series(n_steps=24, ragged=False)
    with pytest.raises(ConfigurationError, match="No layer returns states that know how"):
        read(strong(Convolved), batch)


@pytest.mark.parametrize(("tap", "warned"), [("body", True), ("layer", False)])
def test_a_named_layer_without_memory_is_warned_of(make_data, caplog, tap, warned):
    class Both(nn.Module):
        """A layer of single steps before one with a memory."""

        def __init__(self):
            super().__init__()
            self.body, self.layer = nn.Linear(4, 6), nn.GRU(6, 6, batch_first=True)
            self.head = nn.Linear(6, 3)

        def forward(self, x):
            return self.head(self.layer(self.body(x))[0][:, -1])

    torch.manual_seed(0)
    verified(Both(), make_data(), tap)
    assert ("has no memory" in caplog.text) == warned


class PerStepHead(Classifier):
    """Its head says something after each step; the last of that counts."""

    def forward(self, x, lengths):
        return self.pooled(self.head(self.features(x)), lengths)


def test_answers_are_the_last_that_are_suggested_as_states():
    module = strong(lambda: PerStepHead(MinGRU))
    assert taps_of(module, series(), DataSpec("series", F, C))[0] == "norm"


def test_states_that_no_layer_returns_can_be_given_a_name():
    with pytest.raises(ConfigurationError, match=r"self.states = nn.Identity\(\).*tap='states'"):
        read(Inline(named=False), series())


def test_complex_states_are_refused_and_not_cut_to_their_real_part():
    module = Bare(ComplexLRU)
    with pytest.raises(ConfigurationError, match=r"complex numbers.*view_as_real"):
        read(module, series(), tap="layer.states")
    assert taps_of(module, series(), DataSpec("series", F, C)) == ["layer"]


class Nested(MinGRULoop):
    """Returns its last state as torch's LSTM does, with another thing that is not one."""

    def forward(self, x):
        out, last = super().forward(x)
        return out, (last[None], 2 * last[None])


class ReadsNested(ReadsLast):
    entry = 0

    def last(self, output):
        return output[1][self.entry][-1]


class ReadsOther(ReadsNested):
    entry = 1


@pytest.mark.parametrize(
    ("make", "readout"),
    [
        (lambda: ReadsLast(MinGRULoop), Readout.POINTWISE),
        (lambda: ReadsLast(CfC), Readout.POINTWISE),
        (lambda: ReadsNested(Nested), Readout.POINTWISE),
        (lambda: ReadsOther(Nested), Readout.CUT),
    ],
)
def test_last_states_beside_the_states_are_played_too_and_nothing_else_is(make, readout):
    module, batch = strong(make), series(ragged=False)
    network = read(module, batch, tap="layer")
    assert network.readout == readout
    (found,) = network.steps([batch])
    for n in range(1, 10):
        with torch.no_grad():
            own = module(batch.inputs[:, :n]).argmax(1)
        assert torch.equal(found.prediction.view(-1, 9)[:, n - 1], own), n


def test_of_layers_with_the_same_states_the_one_that_is_read_best_is_suggested():
    taps = taps_of(
        strong(lambda: ReadsOther(Nested)), series(ragged=False), DataSpec("series", F, C)
    )
    assert taps[0] == "layer.cell"
    assert "layer" not in taps


class Scripted(nn.Module):
    """A recurrent layer that torch.jit has compiled."""

    def __init__(self):
        super().__init__()
        self.embed, self.head = nn.Linear(F, D), nn.Linear(D, C)
        self.layer, self.states = torch.jit.script(RunningTanh()), nn.Identity()

    def forward(self, x):
        return self.head(self.states(self.layer(self.embed(x)))[:, -1])


class RunningTanh(nn.Module):
    def __init__(self):
        super().__init__()
        self.mix = nn.Linear(D, D)

    def forward(self, x):
        return self.mix(x).cumsum(1).tanh()


def test_a_scripted_part_is_left_alone_and_refused_as_a_tap():
    with pytest.raises(ConfigurationError, match=r"compiled by torch.jit.*nn.Identity"):
        read(Scripted(), series(ragged=False), tap="layer")
    assert taps_of(Scripted(), series(ragged=False), DataSpec("series", F, C)) == ["states"]
    network = read(strong(Scripted), series(ragged=False), tap="states")
    assert network.readout == Readout.POINTWISE


class Chunked(Bare):
    """Asserts, as chunkwise kernels do, that the steps make whole chunks."""

    def forward(self, x):
        assert x.shape[1] % 9 == 0
        return self.head(self.layer(self.embed(x))[:, -1])


def test_what_a_module_asserts_is_told_of():
    batch = series(ragged=False)
    network = read(Chunked(MinGRU), batch, tap="layer")
    assert network.readout == Readout.POINTWISE
    with pytest.raises(ConfigurationError, match="that failed"):
        read(Chunked(MinGRU), series(n_steps=8, ragged=False), tap="layer")


class MasksPadding(torch.nn.Module):
    """Finds the end of a text by its padding, as most people's networks do."""

    def __init__(self, pool):
        super().__init__()
        self.pool = pool
        self.emb = torch.nn.Embedding(50, 8, padding_idx=0)
        self.rnn = torch.nn.GRU(8, 12, batch_first=True)
        self.norm = torch.nn.LayerNorm(12)
        self.head = torch.nn.Linear(12, 2)

    def forward(self, ids):
        states, real = self.norm(self.rnn(self.emb(ids))[0]), ids != 0
        if self.pool == "max":
            return self.head(states.masked_fill(~real[..., None], -1e4).amax(1))
        if self.pool == "mean":
            return self.head((states * real[..., None]).sum(1) / real.sum(1, keepdim=True))
        return self.head(states[torch.arange(len(ids)), real.sum(1) - 1])


@pytest.mark.parametrize("tap", ["norm", "rnn"])
@pytest.mark.parametrize("pool", ["max", "mean", "last"])
def test_a_named_layer_of_a_network_that_masks_padding_is_read(pool, tap):
    g = torch.Generator().manual_seed(0)
    lengths = torch.randint(5, 20, (120,), generator=g).tolist()
    texts = [torch.randint(1, 50, (n,), generator=g).tolist() for n in lengths]
    data = ArrayDataModule(texts, torch.arange(120) % 2)
    data.setup()
    assert verified(MasksPadding(pool), data, tap=tap).describe()
