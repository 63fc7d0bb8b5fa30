"""Networks that read more than the sequence: found in training, by name, cut and played with it."""

import pytest
import pytorch_lightning as pl
import torch
from torch import nn

from rnnrepair.datamodules import DatasetDataModule
from rnnrepair.errors import ConfigurationError
from rnnrepair.network import TracedNetwork, evaluating, verified
from rnnrepair.sequences import DataSpec, SequenceBatch
from tests.item_forms import C, F, items_of, pads, pads_dicts

D = 5


def batch_of(n=7, width=9):
    """Sequences of all lengths with a static vector and a second sequence."""
    g = torch.Generator().manual_seed(2)
    lengths = torch.tensor([width - i % 6 for i in range(n)])
    return SequenceBatch(
        torch.arange(n) + 10,
        torch.randn(n, width, F, generator=g),
        lengths,
        torch.arange(n) % C,
        {"static": torch.randn(n, D, generator=g)},
        {"other": torch.randn(n, width, 2, generator=g)},
    )


def last(states, lengths):
    return states[torch.arange(len(states)), lengths - 1]


class WithStatic(nn.Module):
    """A static vector beside the last state."""

    def __init__(self):
        super().__init__()
        self.rnn, self.head = nn.GRU(F, 6, batch_first=True), nn.Linear(6 + D, C)

    def forward(self, seq, static, lengths):
        return self.head(torch.cat([last(self.rnn(seq)[0], lengths), static], 1))

    def answer(self, batch):
        return self(batch.inputs, batch.static["static"], batch.lengths)


class StartsFromStatic(WithStatic):
    """The recurrence begins with what the vector says."""

    def __init__(self):
        super().__init__()
        self.begin, self.head = nn.Linear(D, 6), nn.Linear(6, C)

    def forward(self, seq, static, lengths):
        return self.head(last(self.rnn(seq, self.begin(static)[None])[0], lengths))


class WithOther(WithStatic):
    """A second sequence, read at the same steps."""

    def __init__(self):
        super().__init__()
        self.rnn, self.head = nn.GRU(F + 2, 6, batch_first=True), nn.Linear(6, C)

    def forward(self, seq, lengths, other):
        return self.head(last(self.rnn(torch.cat([seq, other], 2))[0], lengths))

    def answer(self, batch):
        return self(batch.inputs, batch.lengths, batch.beside["other"])


class PoolsOther(WithOther):
    """The second sequence comes in behind the recurrence: its future must not be seen."""

    def __init__(self):
        super().__init__()
        self.rnn, self.head = nn.GRU(F, 6, batch_first=True), nn.Linear(6 + 2, C)

    def forward(self, seq, lengths, other):
        steps = torch.arange(other.shape[1]) < lengths[:, None]
        mean = (other * steps[..., None]).sum(1) / lengths[:, None]
        return self.head(torch.cat([last(self.rnn(seq)[0], lengths), mean], 1))


@pytest.mark.parametrize("kind", [WithStatic, StartsFromStatic, WithOther, PoolsOther])
def test_answers_after_each_step_are_those_to_cut_inputs_with_the_further_ones(kind):
    torch.manual_seed(0)
    module, batch = kind(), batch_of()
    network = TracedNetwork.of(module, DataSpec("series", F, C))
    network.verify(batch)
    with evaluating(module):
        output = network.trace(batch)
    assert torch.allclose(output.logits, module.answer(batch), atol=1e-5)
    for n in range(1, batch.inputs.shape[1] + 1):
        rows = (batch.lengths >= n).nonzero()[:, 0]
        cut = module.answer(batch.rows(rows, n))
        assert torch.allclose(output.step_logits[rows, n - 1], cut, atol=1e-4), n


def test_predictions_hang_on_the_further_input():
    module, batch = WithStatic(), batch_of()
    network = TracedNetwork.of(module, DataSpec("series", F, C))
    network.verify(batch)
    other = batch_of()
    other.static["static"] += 1
    one, two = (network.predict([b]).logits for b in (batch, other))
    assert not torch.allclose(one, two)


def test_a_further_input_that_the_data_lack_is_refused():
    batch = batch_of()
    batch.static.clear()
    network = TracedNetwork.of(WithStatic(), DataSpec("series", F, C))
    with pytest.raises(ConfigurationError, match=r"\['static'\]"):
        network.verify(batch)


def test_a_batch_moves_selects_and_cuts_its_further_inputs():
    batch = batch_of()
    part = batch.rows(torch.tensor([4, 2]), 3).to("cpu")
    assert torch.equal(part.static["static"], batch.static["static"][[4, 2]])
    assert torch.equal(part.beside["other"], batch.beside["other"][[4, 2], :3])
    points = batch.single_steps(torch.tensor([4, 2]), torch.tensor([1, 5]))
    assert torch.equal(points.beside["other"][:, 0], batch.beside["other"][[4, 2], [1, 5]])
    assert torch.equal(points.inputs[:, 0], batch.inputs[[4, 2], [1, 5]])
    assert points.lengths.tolist() == [1, 1]


class Trained(pl.LightningModule):
    """A training step of the user, on his own batches."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, *inputs):
        return self.network(*inputs)


class OnTuples(Trained):
    def training_step(self, batch, batch_idx):
        seq, lengths, static, label = batch
        return nn.functional.cross_entropy(self(seq, static.float(), lengths), label)


class OnDicts(Trained):
    def training_step(self, batch, batch_idx):
        mask = batch["other"].abs().sum(-1) > 0
        return nn.functional.cross_entropy(
            self(batch["x"], mask.sum(1), batch["other"]), batch["y"]
        )


class OnWhole(Trained):
    """Without lengths: every item has as many steps."""

    def training_step(self, batch, batch_idx):
        seq, static, label = batch
        return nn.functional.cross_entropy(self(seq.transpose(0, 1), static), label)


class StepsFirst(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.head = nn.LSTM(F, 6), nn.Linear(6 + D, C)

    def forward(self, x, demographics):
        return self.head(torch.cat([self.rnn(x)[0][-1], demographics], 1))


STATIC = torch.rand(60, D, generator=torch.Generator().manual_seed(1))


def with_static():
    return [
        (x, n, STATIC[i].double(), y) for i, (x, n, y) in enumerate(items_of("with its length"))
    ]


@pytest.mark.parametrize(
    ("module", "items", "collate"),
    [
        (OnTuples(WithStatic()), with_static(), pads),
        (OnWhole(StepsFirst()), items_of("static vector"), None),
    ],
    ids=["tuples", "steps first"],
)
def test_what_training_gives_to_forward_is_found_in_the_users_batches(module, items, collate):
    data = DatasetDataModule(items[:45], items[45:], collate_fn=collate, progress=False)
    data.setup()
    network = verified(module, data)
    assert "further input" in network.describe()
    predictions = network.predict(data.loader("test"))
    (batch,) = data.test_dataloader()
    module.eval()
    with torch.no_grad():
        if collate:
            seq, lengths, static, _ = batch
            own = module(seq, static.float(), lengths)
        else:
            own = module(batch[0].transpose(0, 1), batch[1])
    assert torch.allclose(predictions.logits, own, atol=1e-5)
    assert torch.equal(predictions.label, batch[-1])


def test_a_second_sequence_is_found_and_lengths_that_no_item_tells():
    items = items_of("second sequence")
    data = DatasetDataModule(items[:45], items[45:], collate_fn=pads_dicts, progress=False)
    data.setup()
    network = verified(OnDicts(WithOther()), data)
    assert "lengths, further input 'other'" in network.describe()


def test_a_training_step_that_gives_something_else_is_refused_with_the_way_out():
    class Adds(OnWhole):
        def training_step(self, batch, batch_idx):
            seq, static, label = batch
            return nn.functional.cross_entropy(self(seq.transpose(0, 1), static + 1), label)

    items = items_of("static vector")
    data = DatasetDataModule(items[:45], items[45:], progress=False)
    data.setup()
    with pytest.raises(ConfigurationError, match=r"further inputs.*call=lambda module, batch"):
        verified(Adds(StepsFirst()), data)
    network = verified(
        Adds(StepsFirst()),
        data,
        call=lambda module, b: module(b.inputs.transpose(0, 1), b.static["1"] + 1),
    )
    assert network.predict(data.loader("test")).logits.shape == (15, C)


class OnBatches(Trained):
    """Gives forward the batch as it is, whatever that is."""

    def training_step(self, batch, batch_idx):
        return self(batch)["loss"]


class ReadsDict(nn.Module):
    """As language models do: tokens, a mask and labels in, a loss and logits out."""

    def __init__(self):
        super().__init__()
        self.embed, self.rnn = nn.Embedding(30, 4), nn.GRU(4, 6, batch_first=True)
        self.head = nn.Linear(6, C)

    def forward(self, batch):
        tokens, mask = batch["input_ids"] % 30, batch["attention_mask"]
        logits = self.head(last(self.rnn(self.embed(tokens))[0], mask.sum(1)))
        return {"loss": nn.functional.cross_entropy(logits, batch["labels"]), "logits": logits}


class ReadsNamed(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.head = nn.GRU(F, 6, batch_first=True), nn.Linear(6, C)

    def forward(self, batch):
        logits = self.head(self.rnn(batch.series)[0][:, -1])
        return {"loss": nn.functional.cross_entropy(logits, batch.target), "logits": logits}


@pytest.mark.parametrize(
    ("module", "name"),
    [(ReadsDict(), "tokens with a mask"), (ReadsNamed(), "named tuple")],
)
def test_a_forward_that_takes_the_users_whole_batch_is_given_it(module, name):
    items = items_of(name)
    data = DatasetDataModule(items[:45], items[45:], progress=False)
    data.setup()
    network = verified(OnBatches(module), data)
    (batch,) = data.test_dataloader()
    module.eval()
    with torch.no_grad():
        own = module(batch)["logits"]
    assert torch.allclose(network.predict(data.loader("test")).logits, own, atol=1e-5)


class EndsInNaN(Trained):
    """Finds the lengths in tails of NaN, as the data have them."""

    def training_step(self, batch, batch_idx):
        x, label = batch
        lengths = (~x.isnan().any(-1)).sum(1)
        return nn.functional.cross_entropy(self(x.nan_to_num(), lengths), label)


class EndsInMinusSeven(Trained):
    def training_step(self, batch, batch_idx):
        x, label = batch
        return nn.functional.cross_entropy(self(x, (x[..., 0] != -7).sum(1)), label)


class Lasts(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.head = nn.GRU(F, 6, batch_first=True), nn.Linear(6, C)

    def forward(self, x, n):
        return self.head(last(self.rnn(x)[0], n))


@pytest.mark.parametrize(
    ("kind", "name"), [(EndsInNaN, "NaN tails"), (EndsInMinusSeven, "padded with a value")]
)
def test_lengths_that_training_reads_from_the_padding_are_found(kind, name):
    items = items_of(name)
    data = DatasetDataModule(items[:45], items[45:], progress=False)
    data.setup()
    module = kind(Lasts())
    network = verified(module, data)
    assert "lengths" in network.describe()
    (x, _), lengths = next(iter(data.test_dataloader())), data.lengths_of(data.indices("test"))
    module.eval()
    with torch.no_grad():
        own = module(x.nan_to_num(), lengths)
    assert torch.allclose(network.predict(data.loader("test")).logits, own, atol=1e-5)


class Images(Trained):
    def training_step(self, batch, batch_idx):
        x, label = batch
        return nn.functional.cross_entropy(self(x.squeeze(1)), label)


class Rows(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn, self.head = nn.LSTM(F, 6, batch_first=True), nn.Linear(6, C)

    def forward(self, x):
        return self.head(self.rnn(x)[1][0][-1])


def test_images_of_one_channel_are_read_row_by_row():
    items = items_of("images of one channel")
    data = DatasetDataModule(items[:45], items[45:], progress=False)
    data.setup()
    assert data.spec.kind == "image"
    network = verified(Images(Rows()), data)
    assert network.predict(data.loader("test")).logits.shape == (15, C)


def test_further_inputs_of_tuples_get_the_names_that_forward_has_for_them():
    items = items_of("static vector")
    data = DatasetDataModule(items[:45], items[45:], fields={"demographics": 1}, progress=False)
    data.setup()
    # Nothing is trained: names are all there is.
    assert "demographics" in verified(BatchFirst(), data).describe()
    assert "['demographics']" in data.form.told


class BatchFirst(StepsFirst):
    def forward(self, x, demographics):
        return super().forward(x.transpose(0, 1), demographics)
