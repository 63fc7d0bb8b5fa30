"""Networks as people write them: what is decided is the module's own decision, everywhere."""

from typing import NamedTuple

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

from rnnrepair.errors import ConfigurationError, NonFiniteError
from rnnrepair.models import SequenceClassifier
from rnnrepair.network import Readout, TracedNetwork, verified
from rnnrepair.sequences import DataSpec, SequenceBatch
from tests.network_forms import FORMS, Base, C, F, Form, H

NAMES = sorted(FORMS)


def data_of(form, n=60, n_steps=9, seed=0):
    """Sequences of all lengths from 1 (or of one length), short ones first, padded with numbers."""
    g = torch.Generator().manual_seed(seed)
    lengths = torch.full((n,), n_steps)
    if form.ragged:
        lengths = torch.randint(1, n_steps + 1, (n,), generator=g).sort().values
    inputs = torch.randn(n, n_steps, F, generator=g)
    if form.tokens:
        inputs = torch.randint(20, (n, n_steps), generator=g)
    label = torch.randint(form.classes, (n,), generator=g)
    return SequenceBatch(torch.arange(n) + 500, inputs, lengths, label)


def spec_of(form):
    return DataSpec("tokens" if form.tokens else "series", 1 if form.tokens else F, form.classes)


def network_of(form, seed=0, **options):
    torch.manual_seed(seed)
    module = form.make()
    if not isinstance(module, torch.jit.ScriptModule):
        for name, parameter in module.named_parameters():
            # A fresh network says the same of everything.
            parameter.data *= 0 if "bias" in name else 3
    return module, TracedNetwork.of(module, spec_of(form), **((form.options or {}) | options))


def split(batch, size):
    for rows in torch.arange(len(batch)).split(size):
        width = int(batch.lengths[rows].max())
        yield SequenceBatch(
            batch.index[rows], batch.inputs[rows, :width], batch.lengths[rows], batch.label[rows]
        )


def decided(form, module, batch):
    """The user's rule, in evaluation mode, on rows as the user would sort them."""
    order = batch.lengths.argsort(descending=True, stable=True)
    rows = next(split(take(batch, order), len(batch)))
    with torch.no_grad():
        found = form.decide(module.eval(), rows)
    return found[order.argsort()]


def take(batch, rows):
    return SequenceBatch(
        batch.index[rows], batch.inputs[rows], batch.lengths[rows], batch.label[rows]
    )


@pytest.mark.parametrize("name", NAMES)
def test_every_decision_is_the_modules_own(name):
    form = FORMS[name]
    module, network = network_of(form)
    batch = data_of(form)
    module.train()
    network.verify(batch)
    batches = list(split(batch, 17))
    predictions = network.predict(batches)
    assert module.training
    own = torch.cat([decided(form, module, part) for part in batches])
    assert torch.equal(predictions.predicted, own)
    assert len(own.unique()) > 1
    assert predictions.index.tolist() == batch.index.tolist()
    # Traces say the same of every sequence, by construction.
    last = []
    for hidden in network.steps(batches):
        ends = hidden.lengths.cumsum(0) - 1
        last.append(hidden.prediction[ends])
        assert torch.isfinite(hidden.hidden).all()
        assert len(hidden.prediction) == int(hidden.lengths.sum())
    assert torch.equal(torch.cat(last), own)
    assert ("padding" in network.describe()) is form.padding


@pytest.mark.parametrize("name", NAMES)
def test_step_predictions_are_what_the_module_says_of_the_prefix(name):
    form = FORMS[name]
    module, network = network_of(form)
    batch = data_of(form)
    network.verify(batch)
    assert network.readout == Readout[form.readout], network.describe()
    if not form.prefix:
        return
    bounds, found = [0], []
    for hidden in network.steps(split(batch, 17)):
        bounds += (bounds[-1] + hidden.lengths.cumsum(0)).tolist()
        found.append(hidden.prediction)
    found = torch.cat(found)
    for n in range(1, 9):
        rows = (batch.lengths > n).nonzero()[:, 0]
        part = take(batch, rows)
        prefix = SequenceBatch(part.index, part.inputs[:, :n], torch.full_like(rows, n), part.label)
        expected = decided(form, module, prefix)
        mine = torch.stack([found[bounds[row] + n - 1] for row in rows.tolist()])
        assert torch.equal(mine, expected), f"step {n}"


@pytest.mark.parametrize("name", NAMES)
def test_nothing_of_the_module_is_changed(name):
    form = FORMS[name]
    module, network = network_of(form)
    batch = data_of(form)
    before = {k: v.clone() for k, v in module.state_dict().items()}
    random = torch.get_rng_state()
    network.verify(batch)
    list(network.steps(split(batch, 17)))
    assert torch.equal(random, torch.get_rng_state())
    assert all(torch.equal(v, before[k]) for k, v in module.state_dict().items())
    for part in module.modules():
        assert "forward" not in part.__dict__
        assert not part._forward_hooks


def test_predictions_come_in_the_order_of_the_index_whatever_the_batches(make_data):
    data = make_data(eval_batch_size=7)
    torch.manual_seed(0)
    module = SequenceClassifier(4, 3, hidden_size=5)
    network = verified(module, data)
    found = network.predict(data.loader("test"))
    batch = data.fetch(data.indices("test"))
    with torch.no_grad():
        logits = module.eval().trace(batch).logits
    assert torch.equal(found.index, batch.index)
    assert torch.equal(found.label, batch.label)
    torch.testing.assert_close(found.logits, logits)
    assert torch.equal(found.predicted, logits.argmax(1))
    assert found.accuracy == pytest.approx(float((logits.argmax(1) == batch.label).double().mean()))
    assert found.n_failures == int((logits.argmax(1) != batch.label).sum())
    assert network.readout == Readout.OWN


@pytest.mark.parametrize(
    "name", ["5 one sigmoid, squeezed", "17 softmax at the end", "8 mean over steps"]
)
def test_probabilities_become_logits(name):
    form = FORMS[name]
    module, network = network_of(form)
    batch = data_of(form)
    network.verify(batch)
    logits = network.predict([batch]).logits
    with torch.no_grad():
        inputs = batch.inputs.transpose(0, 1) if name.startswith("8") else batch.inputs
        output = module.eval()(inputs) if name[0] in "58" else module(inputs, batch.lengths)
    if name.startswith("5"):
        torch.testing.assert_close(logits.softmax(1)[:, 1], output)
    elif name.startswith("17"):
        torch.testing.assert_close(logits.softmax(1), output)
    else:
        torch.testing.assert_close(logits, output)


def test_logits_that_happen_to_lie_in_the_unit_interval_are_no_probabilities():
    form = FORMS["3 steps first, sorted, one logit"]
    module, network = network_of(form)
    with torch.no_grad():
        module.fc.weight *= 1e-3
        module.fc.bias.fill_(0.4)  # every logit is about .4: as a probability, class 0
    batch = data_of(form)
    network.verify(batch)
    assert network.predict([batch]).predicted.unique().tolist() == [1]


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_a_network_of_another_precision_is_read_in_it(dtype):
    form = FORMS["7 deep head"]
    module, network = network_of(form)
    module.to(dtype)
    batch = data_of(form)
    network.verify(batch)
    own = SequenceBatch(batch.index, batch.inputs.to(dtype), batch.lengths, batch.label)
    assert torch.equal(network.predict([batch]).predicted, decided(form, module, own))
    (hidden,) = network.steps([batch])
    assert hidden.hidden.dtype == torch.float32


def test_a_compiled_network_is_read_as_what_it_compiles():
    form = FORMS["1 packed"]
    module, _ = network_of(form)
    batch = data_of(form)
    network = TracedNetwork.of(torch.compile(module), spec_of(form))
    network.verify(batch)
    assert torch.equal(network.predict([batch]).predicted, decided(form, module, batch))


class PerStep(Base):
    def forward(self, x):
        return self.fc(self.rnn(x)[0])


class Temperature(Base):
    def forward(self, x, temperature):
        return self.fc(self.rnn(x)[0][:, -1]) / temperature


class NoRecurrence(nn.Module):
    def __init__(self):
        super().__init__()
        self.mix, self.fc = nn.Linear(F, H), nn.Linear(H, C)

    def forward(self, x):
        return self.fc(self.mix(x).cumsum(1)[:, -1])


class Shortcut(Base):
    """A second call gives another answer."""

    def forward(self, x):
        out, _ = self.rnn(x)
        self.grid = getattr(self, "grid", 0) + 1
        return self.fc(out[:, -1] * self.grid)


class Needy(Base):
    def forward(self, x):
        raise ValueError("expected 17 features")


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (PerStep, {}, "one row a step: labels per step are not supported"),
        (lambda: Base2(5), {}, "data have 3 classes and its head has 5 outputs"),
        (Temperature, {}, r"forward wants \['temperature'\].*call="),
        (NoRecurrence, {}, r"no nn.RNN.*self.states = nn.Identity\(\)"),
        (Shortcut, {}, r"depend on the batches before: it keeps \['grid'\]"),
        (Needy, {}, "that failed: expected 17 features"),
        (Base, {"tap": "gru"}, r"tap='gru' is no layer of Base, which has \['fc', 'rnn'\]"),
        (lambda: torch.jit.script(nn.Linear(F, C)), {}, "compiled by torch.jit"),
    ],
)
def test_what_cannot_be_read_is_refused_with_what_to_do(make, options, message):
    module = make()
    with pytest.raises(ConfigurationError, match=f"(?s){message}") as told:
        read(module, **options)
    if "cannot be traced" in str(told.value):
        assert "def trace(self, batch):" in str(told.value)


def read(module, **options):
    network = TracedNetwork.of(module, DataSpec("series", F, C), **options)
    network.verify(data_of(Form(Base, None, ragged=False)))


class Base2(Base):
    def __init__(self, classes):
        super().__init__(classes=classes)

    def forward(self, x):
        return self.fc(self.rnn(x)[0][:, -1])


def test_labels_per_step_are_refused_by_name():
    network = TracedNetwork.of(Base2(C), DataSpec("series", F, C, target="step"))
    with pytest.raises(ConfigurationError, match="a label for each step, which is not supported"):
        network.verify(data_of(Form(Base, None)))


def test_the_layer_that_is_named_is_read():
    torch.manual_seed(0)
    module = FORMS["15 two modules"].make()
    batch = data_of(Form(Base, None, ragged=False))
    network = TracedNetwork.of(module, DataSpec("series", F, C), tap="one")
    network.verify(batch)
    (hidden,) = network.steps([batch])
    with torch.no_grad():
        torch.testing.assert_close(hidden.hidden, module.one(batch.inputs)[0].flatten(0, 1))
    assert "states of one (LSTM)" in network.describe()


def test_a_network_that_answers_nan_is_named():
    module = Base2(C)
    module.fc.weight.data[0, 0] = torch.nan
    with pytest.raises(NonFiniteError, match="Base2 answers NaN to sequence 5"):
        read(module)


class RememberedProbability(Base):
    """A probability of what an LSTM remembers."""

    def __init__(self):
        super().__init__(nn.LSTM, classes=1)

    def forward(self, x):
        return torch.sigmoid(self.fc(self.rnn(x)[1][1][-1]))


class BoundedLogit(Base):
    """A logit that cannot leave [0, 1]."""

    def __init__(self):
        super().__init__(classes=1)
        self.norm = nn.LayerNorm(H)
        with torch.no_grad():
            self.fc.weight.mul_(0.1)
            self.fc.bias.fill_(0.4)

    def forward(self, x):
        return self.fc(self.norm(self.rnn(x)[0][:, -1]).tanh())[:, 0]


@pytest.mark.parametrize(("make", "threshold"), [(RememberedProbability, 0.5), (BoundedLogit, 0.0)])
def test_one_number_is_taken_for_what_it_is(make, threshold):
    torch.manual_seed(0)
    module = make()
    network = TracedNetwork.of(module, DataSpec("series", F, 2))
    batch = data_of(Form(Base, None, classes=2, ragged=False))
    network.verify(batch)
    with torch.no_grad():
        own = (module.eval()(batch.inputs).flatten() > threshold).long()
    assert torch.equal(network.predict([batch]).predicted, own)


class Named(NamedTuple):
    features: torch.Tensor
    logits: torch.Tensor


class NamedOutputs(Base):
    """Features that are as many as there are classes stand before the logits."""

    def __init__(self):
        super().__init__(width=H)
        self.narrow = nn.Linear(H, C)

    def forward(self, x):
        last = self.rnn(x)[0][:, -1]
        return Named(self.narrow(last), self.fc(last))


class UnnamedOutputs(NamedOutputs):
    def forward(self, x):
        return tuple(super().forward(x))


def test_an_entry_is_chosen_by_its_name_and_never_by_its_place():
    torch.manual_seed(0)
    module = NamedOutputs()
    network = TracedNetwork.of(module, DataSpec("series", F, C))
    batch = data_of(Form(Base, None, ragged=False))
    network.verify(batch)
    with torch.no_grad():
        own = module.eval()(batch.inputs).logits.argmax(1)
    assert torch.equal(network.predict([batch]).predicted, own)
    with pytest.raises(ConfigurationError, match=r"entries \[0, 1\].*could all be its answer"):
        read(UnnamedOutputs())


class SortsItself(Base):
    """Sorts its sequences in an order that is another one for ties, and brings them back."""

    def forward(self, x, lengths):
        order = lengths.argsort().flip(0)
        packed = pack_padded_sequence(x[order], lengths[order], batch_first=True)
        return self.fc(self.rnn(packed)[1][-1][order.argsort()])


def test_states_in_another_order_than_the_sequences_are_refused():
    """Else the states of one sequence would be told to be those of another."""
    network = TracedNetwork.of(SortsItself(), DataSpec("series", F, C))
    batch = data_of(Form(Base, None))
    with pytest.raises(ConfigurationError, match="sort the sequences by itself"):
        network.verify(batch)


@pytest.mark.parametrize("name", ["1 packed", "4 attention", "24 cell state"])
def test_mixed_precision_changes_nothing_in_how_a_network_is_read(name):
    form = FORMS[name]
    module, network = network_of(form, context=lambda: torch.autocast("cpu", torch.bfloat16))
    batch = data_of(form)
    network.verify(batch)
    assert network.readout == Readout[form.readout]
    with torch.autocast("cpu", torch.bfloat16):
        own = decided(form, module, batch)
    assert torch.equal(network.predict([batch]).predicted, own)
