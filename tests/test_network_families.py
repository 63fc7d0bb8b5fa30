"""Recurrent families of today: what is told of them is their user's own rule, everywhere."""

import re

import pytest
import torch
from torch import nn

from rnnrepair.errors import ConfigurationError
from rnnrepair.network import Readout, TracedNetwork
from rnnrepair.sequences import DataSpec
from tests.families.liquid import CfC
from tests.families.minimal import MinGRU, MinGRUCell, MinGRULoop
from tests.families.state_space import ComplexLRU, Mamba, scan
from tests.families.xlstm import MLSTM
from tests.network_families import FAMILIES, NAMED, TORCH, Bare, C, Classifier, D, F, Inline
from tests.network_forms import series
from tests.networks_table import PATH, rendered
from tests.prefix_forms import read, strong
from tests.test_traced_network import Base2, data_of, decided, network_of, spec_of, split, take

NAMES = sorted(FAMILIES)


@pytest.fixture(scope="module", params=NAMES)
def case(request):
    """A family, its module, its verified view, and sequences of all lengths."""
    form = FAMILIES[request.param]
    module, network = network_of(form)
    batch = data_of(form)
    network.verify(batch)
    return form, module, network, batch


def test_decisions_and_last_steps_are_the_users_own(case):
    form, module, network, batch = case
    own = decided(form, module, batch)
    assert torch.equal(network.predict(split(batch, 17)).predicted, own)
    assert len(own.unique()) > 1
    last = [h.prediction[h.lengths.cumsum(0) - 1] for h in network.steps(split(batch, 17))]
    assert torch.equal(torch.cat(last), own)


def test_step_predictions_are_those_of_cut_inputs(case):
    form, module, network, batch = case
    assert network.readout == Readout[form.readout], network.describe()
    if not form.prefix:
        return
    found, lengths = steps_of(network, batch)
    assert torch.equal(lengths, batch.lengths)
    for n in range(1, 9):
        rows = (batch.lengths > n).nonzero()[:, 0]
        expected = decided(form, module, take(batch, rows).rows(slice(None), n))
        mine = torch.stack([found[row][n - 1] for row in rows.tolist()])
        assert torch.equal(mine, expected), f"step {n}"


def steps_of(network, batch):
    """Step predictions of each sequence, and their numbers."""
    parts = list(network.steps(split(batch, 17)))
    lengths = torch.cat([part.lengths for part in parts])
    return torch.cat([part.prediction for part in parts]).split(lengths.tolist()), lengths


@pytest.mark.parametrize("name", NAMES)
def test_padding_changes_nothing(name):
    """Sequences alone, without padding, have the states that they have in a batch.

    In double precision, since weights that are large blow up what is rounded.
    """
    module, network = network_of(FAMILIES[name])
    module.double()
    batch = data_of(FAMILIES[name])
    network.verify(batch)
    together = torch.cat([h.hidden for h in network.steps([batch])])
    alone = [batch.rows(torch.tensor([row]), int(n)) for row, n in enumerate(batch.lengths)]
    torch.testing.assert_close(together, torch.cat([h.hidden for h in network.steps(alone)]))
    assert "padding" not in network.describe()


@pytest.mark.parametrize("name", sorted(NAMED))
def test_states_are_the_outputs_of_the_tap(name):
    form = NAMED[name]
    module, network = network_of(form)
    batch = series(n=11, ragged=False)
    if form.tokens:
        batch = data_of(form)
        batch = take(batch, (batch.lengths == 9).nonzero()[:, 0])
    network.verify(batch)
    seen = []
    handle = module.get_submodule(form.options["tap"]).register_forward_hook(
        lambda layer, inputs, output: seen.append(
            output[0] if isinstance(output, tuple) else output
        )
    )
    decided(form, module, batch)
    handle.remove()
    expected = seen[0] if len(seen) == 1 else torch.stack(seen, 1)
    (found,) = network.steps([batch])
    torch.testing.assert_close(found.hidden.view_as(expected), expected)


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


@pytest.mark.parametrize("name", sorted(TORCH))
def test_layers_of_torch_need_no_option(name):
    assert TORCH[name].options is None


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


class ReadsLast(nn.Module):
    """Reads the last state that its layer returns beside all of them."""

    def __init__(self, layer):
        super().__init__()
        self.embed, self.layer, self.head = nn.Linear(F, D), layer(D), nn.Linear(D, C)

    def forward(self, x):
        return self.head(self.last(self.layer(self.embed(x))))

    def last(self, output):
        return output[1]


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


# Our own modules are what their names say.


def test_scans_are_loops():
    torch.manual_seed(0)
    layer, x = MinGRU(D), torch.randn(5, 9, D)
    cell, loop = MinGRUCell(D), MinGRULoop(D)
    cell.load_state_dict(layer.state_dict())
    loop.cell = cell
    torch.testing.assert_close(layer(x), loop(x)[0])
    keep, new = torch.rand(D), torch.randn(5, 9, D)
    h = torch.zeros(5, D)
    for t in range(9):
        h = keep * h + new[:, t]
    torch.testing.assert_close(scan(keep, new)[:, -1], h)


@pytest.mark.parametrize("name", sorted(NAMED))
def test_no_family_looks_ahead_and_each_remembers(name):
    module, _ = network_of(NAMED[name])
    batch = data_of(NAMED[name])
    rows = (batch.lengths == 9).nonzero()[:, 0]
    begun, ended, n = batch.inputs.clone(), batch.inputs.clone(), len(batch)
    begun[:, 0], ended[:, 8] = begun[:, 0].roll(1, 0), ended[:, 8].roll(1, 0)
    with torch.no_grad():
        whole, other = (module.eval()(x, batch.lengths) for x in (batch.inputs, begun))
        assert (whole - other)[rows].abs().max() > 1e-4
        early, late = (module(x, torch.full((n,), 8)) for x in (batch.inputs, ended))
    torch.testing.assert_close(early, late)


def test_mamba_is_selective():
    """What it keeps of a step hangs on later ones: no linear recurrence of fixed weights does."""
    torch.manual_seed(0)
    layer, x, other = Mamba(D), torch.randn(1, 9, D), torch.randn(1, 9, D)
    added = layer(x + other) - layer(other)
    assert not torch.allclose(added, layer(x), atol=1e-3)


def test_the_tables_of_the_documentation_are_what_the_program_says():
    text = PATH.read_text()
    assert rendered(text) == text, "write it anew: python -m tests.networks_table"


def test_what_the_documentation_tells_to_run_runs():
    """Its three lines tell of a network that is read, and of one that needs a name."""
    (code,) = re.findall(r"```python\n(.*?)```", PATH.read_text(), re.DOTALL)
    g = torch.Generator().manual_seed(0)
    given = {"x": torch.randn(60, 9, F, generator=g), "y": torch.arange(60) % C}
    exec(code, given | {"net": Base2(C)})
    with pytest.raises(ConfigurationError, match="tap='layer'"):
        exec(code, given | {"net": ReadsLast(MinGRULoop)})
