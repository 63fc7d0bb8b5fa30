"""Recurrent families of today: what is told of them is their user's own rule, everywhere."""

import re

import pytest
import torch

from rnnrepair.errors import ConfigurationError
from rnnrepair.network import Readout
from tests.families.minimal import MinGRU, MinGRUCell, MinGRULoop
from tests.families.state_space import Mamba, scan
from tests.network_families import FAMILIES, NAMED, C, D, F, ReadsLast
from tests.network_forms import series
from tests.networks_table import PATH, rendered
from tests.test_traced_network import Base2, data_of, decided, network_of, split, take

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
    lines = {int(n) for n in re.findall(r"^\|.*\| (\d+) \|[^|]*\|$", text, re.MULTILINE)}
    assert lines == {0, 1, 3}


def test_what_the_documentation_tells_to_run_runs():
    """Its three lines tell of a network that is read, and of one that needs a name."""
    (code,) = re.findall(r"```python\n(.*?)```", PATH.read_text(), re.DOTALL)
    g = torch.Generator().manual_seed(0)
    given = {"x": torch.randn(60, 9, F, generator=g), "y": torch.arange(60) % C}
    exec(code, given | {"net": Base2(C)})
    with pytest.raises(ConfigurationError, match="tap='layer'"):
        exec(code, given | {"net": ReadsLast(MinGRULoop)})
