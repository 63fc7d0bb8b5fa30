"""A plain module is given sequences as the user's collate_fn gives them, or refused."""

import numpy as np
import pytest
import torch
from torch import nn

from rnnrepair.datamodules import ArrayDataModule, DatasetDataModule
from rnnrepair.errors import ConfigurationError
from rnnrepair.network import verified

C, V, H = 3, 20, 6


class Texts(torch.utils.data.Dataset):
    def __init__(self, n, seed):
        g = np.random.default_rng(seed)
        self.items = [
            (torch.from_numpy(g.integers(2, V, int(g.integers(3, 12)))), int(g.integers(C)))
            for _ in range(n)
        ]

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        return self.items[i]


class Counts(nn.Module):
    """Takes the state at the last token that is no padding."""

    def __init__(self, padding=1, steps_first=False):
        super().__init__()
        self.embedding = nn.Embedding(V, H)
        self.gru, self.head = nn.GRU(H, H, batch_first=True), nn.Linear(H, C)
        self.padding, self.steps_first = padding, steps_first

    def forward(self, x):
        x = x.T if self.steps_first else x
        last = (x != self.padding).sum(1) - 1
        return self.head(self.gru(self.embedding(x))[0][torch.arange(len(x)), last])


def collating(padding=1, *, batch_first=True, side="right", change=lambda x: x):
    def collate(items):
        x, y = zip(*items, strict=True)
        x = nn.utils.rnn.pad_sequence(x, batch_first, padding, padding_side=side)
        return {"x": change(x), "y": torch.tensor(y)}

    return collate


def data_of(collate, **options):
    parts = Texts(120, 0), Texts(40, 1)
    data = DatasetDataModule(*parts, num_classes=C, collate_fn=collate, progress=False, **options)
    data.setup()
    return data


def read(module, data):
    torch.manual_seed(0)
    return verified(module.eval(), data)


@pytest.mark.parametrize("padding", [0, 1, 7])
@pytest.mark.parametrize("batch_first", [True, False])
def test_answers_are_those_to_the_users_batches(padding, batch_first):
    torch.manual_seed(0)
    collate = collating(padding, batch_first=batch_first)
    module, data = Counts(padding, steps_first=not batch_first), data_of(collate)
    network = read(module, data)
    index = data.indices("test")
    test = Texts(40, 1)
    with torch.no_grad():
        expected = module(collate(test.items)["x"])
    found = network.predict([data.fetch(index)]).logits
    # Test items come last, in their order.
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(
    "collate",
    [
        collating(side="left"),
        collating(change=lambda x: x + 1),
        collating(change=lambda x: x.flip(1)),
        collating(change=lambda x: nn.functional.one_hot(x, V).float()),
    ],
    ids=["in front", "other numbers", "backwards", "one-hot"],
)
def test_batches_that_hold_other_inputs_are_refused(collate):
    with pytest.raises(ConfigurationError, match=r"collate_fn.*padding=.*call="):
        read(Counts(), data_of(collate))


def test_what_the_user_says_about_the_call_counts():
    data = data_of(collating(side="left"))
    torch.manual_seed(0)
    module = Counts(padding=0).eval()
    network = verified(module, data, call=lambda module, batch: module(batch.inputs))
    found = network.predict([data.fetch(data.indices("test"))]).logits
    with torch.no_grad():
        expected = module(collating(0)(Texts(40, 1).items)["x"])
    torch.testing.assert_close(found, expected)


def test_another_padding_than_that_of_the_batches_is_refused():
    with pytest.raises(ConfigurationError, match="padding="):
        read(Counts(), data_of(collating(1), padding=0))


class Told(Counts):
    def forward(self, x, lengths=None):
        last = torch.full((len(x),), x.shape[1]) if lengths is None else lengths
        return self.head(self.gru(self.embedding(x))[0][torch.arange(len(x)), last - 1])


def test_lengths_that_no_batch_holds_are_given_to_no_option():
    """Tails of one number look like padding, and the network was trained on them."""
    x = np.random.default_rng(0).integers(1, V, (160, 9))
    for row, n in enumerate(np.random.default_rng(1).integers(3, 10, 160)):
        x[row, n:] = 0
    y = x[:, 0] % C
    data = ArrayDataModule(x[:120], y[:120], x[120:], y[120:], progress=False)
    data.setup()
    module = Told()
    network = read(module, data)
    with torch.no_grad():
        expected = module(torch.from_numpy(x[120:]))
    found = network.predict([data.fetch(data.indices("test"))]).logits
    torch.testing.assert_close(found, expected)

    lengths = (x != 0).sum(1)
    told = {"lengths": lengths[:120], "lengths_test": lengths[120:]}
    data = ArrayDataModule(x[:120], y[:120], x[120:], y[120:], **told, progress=False)
    data.setup()
    with torch.no_grad():
        expected = module(torch.from_numpy(x[120:]), torch.from_numpy(lengths[120:]))
    found = read(module, data).predict([data.fetch(data.indices("test"))]).logits
    torch.testing.assert_close(found, expected)


class ToldByName(Counts):
    """Takes the state at the last step, of which it is told by a name of the user's own."""

    def forward(self, x, n):
        return self.head(self.gru(self.embedding(x))[0][torch.arange(len(x)), n - 1])


def telling(count):
    def collate(items):
        x, y = zip(*items, strict=True)
        padded = nn.utils.rnn.pad_sequence(x, True, 1)
        return {"x": padded, "n": count(x), "y": torch.tensor(y)}

    return collate


def test_an_argument_is_given_what_stands_under_its_name():
    collate = telling(lambda x: torch.tensor([len(each) for each in x]))
    data = data_of(collate)
    torch.manual_seed(0)
    module = ToldByName().eval()
    network = read(module, data)
    whole = collate(Texts(40, 1).items)
    with torch.no_grad():
        expected = module(whole["x"], whole["n"])
    torch.testing.assert_close(network.predict([data.fetch(data.indices("test"))]).logits, expected)


def test_an_argument_whose_name_holds_nothing_that_is_known_is_refused():
    data = data_of(telling(lambda x: torch.randint(1, 3, (len(x),))))
    with pytest.raises(ConfigurationError, match=r"wants \['n'\].*call="):
        read(ToldByName(), data)


class Scaled(Counts):
    def forward(self, x, scale, mean):
        return super().forward(x) * scale + mean


class Classed(Counts):
    def forward(self, x, cls=None):
        return super().forward(x) if cls is None else super().forward(x) + cls[:, None]


def test_arguments_that_look_alike_are_given_each_its_own():
    scale, mean = torch.tensor([3.0, 2.0, 5.0]), torch.tensor([0.5, 7.0, 1.0])

    def collate(items):
        x, y = zip(*items, strict=True)
        padded = nn.utils.rnn.pad_sequence(x, True, 1)
        return {"x": padded, "scale": scale, "mean": mean, "y": torch.tensor(y)}

    data = data_of(collate)
    torch.manual_seed(0)
    module = Scaled().eval()
    network = read(module, data)
    with torch.no_grad():
        expected = module(collate(Texts(40, 1).items)["x"], scale, mean)
    torch.testing.assert_close(network.predict([data.fetch(data.indices("test"))]).logits, expected)


def test_labels_under_the_name_of_an_option_are_not_given():
    def collate(items):
        x, y = zip(*items, strict=True)
        return {"x": nn.utils.rnn.pad_sequence(x, True, 1), "cls": torch.tensor(y)}

    data = data_of(collate)
    module = Classed().eval()
    network = read(module, data)
    with torch.no_grad():
        expected = module(collate(Texts(40, 1).items)["x"])
    torch.testing.assert_close(network.predict([data.fetch(data.indices("test"))]).logits, expected)
