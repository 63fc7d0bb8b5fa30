"""How a batch is given to a module: never by what holds on one batch by chance."""

import pytest
import pytorch_lightning as pl
import torch
from torch import nn

from rnnrepair.errors import ConfigurationError
from rnnrepair.network import TracedNetwork
from rnnrepair.sequences import DataSpec, SequenceBatch
from tests.network_forms import Base, C, F, H, series


def read(module, spec=None, batch=None):
    network = TracedNetwork.of(module, spec or DataSpec("series", F, C))
    network.verify(series() if batch is None else batch)
    return network


class Plain(Base):
    """Calls itself with what a test says."""

    def __init__(self, given):
        super().__init__()
        self.given = given
        self.shift = nn.Parameter(torch.ones(F))

    def forward(self, x, *_, **__):
        return self.fc(self.rnn(x + self.shift)[0][:, -1])

    def training_step(self, batch, batch_idx):
        arguments = self.given(self, batch)
        return self(*arguments) if isinstance(arguments, tuple) else self(**arguments)


@pytest.mark.parametrize(
    "given",
    [
        lambda m, b: (b.inputs.clamp(-9, 9),),
        lambda m, b: (b.inputs[:, :9],),
        lambda m, b: (b.inputs.round(decimals=4),),
        lambda m, b: (b.inputs, int(b.lengths.sum())),
        lambda m, b: (b.inputs, float(b.inputs.max())),
        lambda m, b: (b.inputs, b.label.cumsum(0)),
        lambda m, b: (b.inputs,) * (1 + int(b.lengths[0] > 9)),
    ],
    ids=["clamp", "first steps", "rounded", "all steps", "largest", "labels summed", "arguments"],
)
def test_what_is_a_view_of_one_batch_only_is_refused(given):
    """All but the last three look like views on the batch that the network is verified on."""
    batch = series()
    batch.inputs = batch.inputs.round(decimals=4)
    with pytest.raises(ConfigurationError, match=r"training_step.*call="):
        read(Plain(given), batch=batch)


def in_front(module, batch):
    pairs = zip(batch.inputs, batch.lengths.tolist(), strict=True)
    return (torch.stack([row.roll(len(row) - n, 0) for row, n in pairs]),)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (in_front, "padded in front: .*move the padding in front into forward"),
        (lambda m, b: (b.inputs * 2,), "other numbers: change them in the data, or in forward"),
        (lambda m, b: (b.inputs, b.label.cumsum(0)), r"unchanged numbers\). Or say how"),
    ],
    ids=["in front", "scaled", "nothing like it"],
)
def test_a_refusal_says_what_was_given_instead(given, told):
    with pytest.raises(ConfigurationError, match=told):
        read(Plain(given))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (lambda m, b: (b.inputs, int(b.lengths.max())), "inputs, the longest length"),
        (lambda m, b: (b.inputs, 9), "inputs, 9"),
        (lambda m, b: (b.inputs, b.inputs.shape[1]), "inputs, the number of steps"),
        (lambda m, b: {"x": b.inputs, "flag": None}, "x=inputs, flag=None"),
        (lambda m, b: (b.inputs, (b.lengths, 1 - b.mask.int())), "(lengths, the mask of padding"),
        (lambda m, b: (b.inputs, torch.zeros(1, len(b), H)), "inputs, all 0"),
        (lambda m, b: (b.inputs, m.shift), "a parameter of its own"),
        (lambda m, b: (b.inputs, b.lengths.tolist()), "lengths as a list"),
        (lambda m, b: (b.inputs, b.label), "inputs, the labels"),
        (lambda m, b: {"x": b.inputs, "y": {"target": b.label}}, "y={target: the labels}"),
        (lambda m, b: (b.inputs, b.rows(b.lengths.argsort(descending=True))), "the whole batch"),
    ],
)
def test_what_is_a_view_of_every_batch_is_recognised(given, told):
    assert told in read(Plain(given)).describe()


class Cheats(Plain):
    def forward(self, x, label):
        return super().forward(x) + nn.functional.one_hot(label, C)


def test_answers_that_depend_on_the_labels_are_refused():
    with pytest.raises(ConfigurationError, match="depend on the labels"):
        read(Cheats(lambda m, b: (b.inputs, b.label)))


def test_a_number_that_belongs_to_the_batch_is_taken_from_each():
    """A constant that is the longest length of one batch would be wrong on all others."""
    seen = []

    class Counts(Plain):
        def forward(self, x, longest):
            seen.append((x.shape[1], longest))
            return super().forward(x)

    network = read(Counts(lambda m, b: (b.inputs, int(b.lengths.max()))))
    seen.clear()
    network.predict([series(n_steps=5), series(n_steps=7)])
    assert seen == [(5, 5), (7, 7)]


class Raises(Plain):
    def training_step(self, batch, batch_idx):
        raise KeyError("weights of classes")


class RaisesWithBatch(Base):
    def forward(self, batch):
        return self.fc(self.rnn(batch.inputs)[0][:, -1])

    def training_step(self, batch, batch_idx):
        raise KeyError("weights of classes")


def test_a_training_step_that_fails_is_told():
    with pytest.raises(ConfigurationError, match=r"KeyError.*weights of classes.*call="):
        read(Raises(None))
    assert "the whole batch" in read(RaisesWithBatch()).describe()


class Logs(Plain):
    """Logs and takes its optimizer before it calls the network, as manual optimisation does."""

    def log(self, name, value):
        raise RuntimeError("no loop is running")

    optimizers = log

    def training_step(self, batch, batch_idx):
        self.optimizers().zero_grad()
        self.log("steps", batch.inputs.shape[1])
        return self(batch.inputs * 1.0)


def test_logs_and_optimizers_do_nothing_while_a_training_step_is_watched():
    assert "as in training_step" in read(Logs(None)).describe()


class Pools(Base):
    """Takes the mean over the steps that a mask keeps."""

    def pool(self, x, kept):
        kept = kept.float()[:, :, None]
        return self.fc((self.rnn(x)[0] * kept).sum(1) / kept.sum(1))


class MaskOfReal(Pools):
    def forward(self, x, mask):
        return self.pool(x, mask)


class MaskOfPadding(Pools):
    """The name says nothing of which way round it is."""

    def forward(self, x, mask):
        return self.pool(x, ~mask.bool())


class PaddingMaskOfReal(Pools):
    def forward(self, x, padding_mask):
        return self.pool(x, padding_mask)


class OneMinus(Pools):
    """bool cannot be subtracted from 1."""

    def forward(self, x, mask):
        return self.pool(x, 1 - mask)


@pytest.mark.parametrize("ragged", [True, False])
@pytest.mark.parametrize(
    ("kind", "real"),
    [(MaskOfReal, True), (MaskOfPadding, False), (PaddingMaskOfReal, True), (OneMinus, False)],
)
def test_a_mask_is_the_way_round_that_ignores_the_padding(kind, real, ragged):
    torch.manual_seed(0)
    module = kind()
    network = read(module, batch=series(ragged=ragged))
    batch = series(n=20, seed=3)
    mask = batch.mask if real else ~batch.mask
    with torch.no_grad():
        own = module.eval()(batch.inputs, mask.float())
    torch.testing.assert_close(network.predict([batch]).logits, own)
    assert ("real" if real else "of padding") in network.describe()


class KeywordOnly(Base):
    def forward(self, *, tokens, lengths):
        return self.fc(self.rnn(tokens)[0][torch.arange(len(tokens)), lengths - 1])


class LengthsFirst(Base):
    def forward(self, lengths, x):
        return self.fc(self.rnn(x)[0][torch.arange(len(x)), lengths - 1])


@pytest.mark.parametrize("kind", [KeywordOnly, LengthsFirst])
def test_arguments_are_given_by_name_wherever_they_stand(kind):
    torch.manual_seed(0)
    module, batch = kind(), series()
    found = read(module).predict([batch]).logits
    with torch.no_grad():
        states = module.rnn(batch.inputs)[0][torch.arange(len(batch)), batch.lengths - 1]
        torch.testing.assert_close(found, module.fc(states))


class TwoInputs(Base):
    def forward(self, x, text):
        return self.fc(self.rnn(x)[0][:, -1])


def test_nothing_is_given_twice():
    with pytest.raises(ConfigurationError, match=r"wants \['text'\]"):
        read(TwoInputs())


def test_no_batch_no_predictions():
    network = read(LengthsFirst())
    found = network.predict([])
    assert found.logits.shape == (0, C)
    assert found.index.tolist() == found.predicted.tolist() == []
    assert list(network.steps([])) == []


class Mixed(Base):
    """Its first parameter is of another precision than what reads the inputs."""

    def __init__(self):
        nn.Module.__init__(self)
        self.scale = nn.Parameter(torch.ones(1, dtype=torch.float64))
        self.rnn, self.fc = nn.GRU(F, H, batch_first=True), nn.Linear(H, C)

    def forward(self, x):
        return self.fc(self.rnn(x)[0][:, -1]) * self.scale


def test_inputs_keep_their_precision_where_the_network_has_several():
    torch.manual_seed(0)
    module, batch = Mixed(), series(ragged=False)
    with torch.no_grad():
        own = module(batch.inputs).float()
    torch.testing.assert_close(read(module).predict([batch]).logits, own)


def test_tokens_are_shifted_where_nothing_stops_them():
    class Unknown(nn.Module):
        """Takes rare tokens for an unknown one before it calls itself."""

        def __init__(self):
            super().__init__()
            self.embedding, self.rnn = nn.Embedding(20, F), nn.GRU(F, H, batch_first=True)
            self.fc = nn.Linear(H, C)

        def forward(self, tokens):
            return self.fc(self.rnn(self.embedding(tokens))[0][:, -1])

        def training_step(self, batch, batch_idx):
            return self(batch.inputs.clamp_max(19))

    batch = series()
    tokens = torch.randint(15, batch.inputs.shape[:2])
    batch = SequenceBatch(batch.index, tokens, batch.lengths, batch.label)
    with pytest.raises(ConfigurationError, match="no view"):
        read(Unknown(), DataSpec("tokens", 1, C), batch)


class CallsItsParts(Base):
    """Its training step does not call forward."""

    def __init__(self, prepare):
        super().__init__()
        self.prepare = prepare

    def forward(self, x):
        return self.fc(self.rnn(x)[0][:, -1])

    def training_step(self, batch, batch_idx):
        return self.fc(self.rnn(self.prepare(batch.inputs))[0][:, -1]).sum().backward()


class MovesBatches(Plain):
    """Lightning gives its batches to this before the training step sees them."""

    def on_after_batch_transfer(self, batch, dataloader_idx):
        return SequenceBatch(batch.index, batch.inputs / 255, batch.lengths, batch.label)


class Bare(pl.LightningModule):
    """Has the training step of every LightningModule, which does nothing."""

    def __init__(self):
        super().__init__()
        self.rnn, self.fc = nn.GRU(F, H, batch_first=True), nn.Linear(H, C)

    def forward(self, x):
        return self.fc(self.rnn(x)[0][:, -1])


def test_names_count_where_nothing_is_trained():
    assert "Bare(inputs);" in read(Bare()).describe()


def test_what_training_does_to_inputs_outside_of_forward_is_seen():
    assert "calls its layers itself" in read(CallsItsParts(lambda x: x * 1.0)).describe()
    for prepare in (lambda x: x / 255, lambda x: x.clamp(-9, 9)):
        with pytest.raises(ConfigurationError, match=r"does not call forward.*call="):
            read(CallsItsParts(prepare))
    with pytest.raises(ConfigurationError, match="no view"):
        read(MovesBatches(lambda m, b: (b.inputs,)))


class WithLabels(Base):
    """Returns a loss where labels are given, as libraries of language models do."""

    def forward(self, x, labels=None):
        logits = self.fc(self.rnn(x)[0][:, -1])
        loss = None if labels is None else nn.functional.cross_entropy(logits, labels)
        return {"loss": loss, "logits": logits}

    def training_step(self, batch, batch_idx):
        return self(batch.inputs, labels=batch.label)["loss"]


def test_labels_may_be_given_where_no_answer_hangs_on_them():
    module, batch = WithLabels(), series(ragged=False)
    network = read(module, batch=batch)
    assert "labels=the labels" in network.describe()
    module.eval()
    own = module(batch.inputs)["logits"].argmax(-1)
    assert torch.equal(network.predict([batch]).predicted, own)


class Margin(Base):
    """Its answer hangs on the label."""

    def forward(self, x, y):
        return self.fc(self.rnn(x)[0][:, -1]) - nn.functional.one_hot(y, C)

    def training_step(self, batch, batch_idx):
        return nn.functional.cross_entropy(self(batch.inputs, batch.label), batch.label)


class InPlace(WithLabels):
    """Changes the batch that it is given."""

    def training_step(self, batch, batch_idx):
        batch.inputs.sub_(0.5).mul_(2)
        return super().training_step(batch, batch_idx)


class InPlaceHook(WithLabels):
    def on_after_batch_transfer(self, batch, dataloader_idx):
        batch.inputs = (batch.inputs - 0.5) * 2
        return batch


class SortsForgetfully(Base):
    def forward(self, x, lengths):
        order = lengths.argsort(descending=True)
        packed = nn.utils.rnn.pack_padded_sequence(x[order], lengths[order], batch_first=True)
        return self.fc(self.rnn(packed)[1][-1])


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (Margin, "label"),
        (InPlace, "no view of every batch"),
        (InPlaceHook, "no view of every batch"),
        (SortsForgetfully, "another order"),
    ],
)
def test_what_training_does_and_an_analysis_cannot_is_refused(make, told):
    with pytest.raises(ConfigurationError, match=told):
        read(make())
