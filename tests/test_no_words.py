"""Whole numbers that a network computes with are not taken for words."""

import pytest
import torch
from torch import nn

from rnnrepair.datamodules import ArrayDataModule
from rnnrepair.errors import ConfigurationError
from rnnrepair.network import verified


class Reader(nn.Module):
    """Makes vectors of whole numbers, and reads these."""

    def __init__(self, vectors, width, state=8):
        super().__init__()
        self.vectors = vectors
        self.rnn, self.head = nn.GRU(width, state, batch_first=True), nn.Linear(state, 2)

    def forward(self, x):
        return self.head(self.rnn(self.vectors(x))[0][:, -1])


class Packed(Reader):
    """Reads as many steps as are not 0."""

    def forward(self, x):
        lengths = (x != 0).sum(1).clamp_min(1)
        packed = nn.utils.rnn.pack_padded_sequence(
            self.vectors(x), lengths, batch_first=True, enforce_sorted=False
        )
        hidden = nn.utils.rnn.pad_packed_sequence(self.rnn(packed)[0], batch_first=True)[0]
        return self.head(hidden[torch.arange(len(x)), lengths - 1])


class Vectors(nn.Module):
    """Tables of vectors of several kinds."""

    def __init__(self):
        super().__init__()
        self.fixed = torch.randn(4096, 4, generator=torch.Generator().manual_seed(1))
        self.first, self.second = nn.Embedding(64, 4), nn.Embedding(64, 4)

    def plain(self, x):
        return nn.functional.embedding(x, self.fixed)

    def rows(self, x):
        return self.fixed[x]

    def hashed(self, x):
        return self.first((x * 2654435761) % 64)

    def in_two(self, x):
        return self.first(x // 64) * self.second(x % 64)

    def by_scale(self, x):
        return self.first((x.float() / 64).floor().long())


def one_hot(x):
    return nn.functional.one_hot(x, 4096).float()


def one_hot_by_hand(x):
    return (x[..., None] == torch.arange(4096)).float()


def scattered(x):
    return torch.zeros(*x.shape, 4096).scatter(2, x[..., None], 1.0)


def scaled(x):
    return x[..., None].float() / 1000


def as_they_are(x):
    return x[..., None].type(torch.get_default_dtype())


def promoted(x):
    return x[..., None] * torch.full((1,), 0.001)


def data_of(x, **options):
    data = ArrayDataModule(x, torch.arange(len(x)) % 2, repair_share=0, val_share=0, **options)
    data.setup("fit")
    return data


def vectors(name):
    return getattr(Vectors(), name)


COUNTS = torch.randint(0, 4096, (60, 12), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("reader", [Reader, Packed])
@pytest.mark.parametrize("made", [scaled, as_they_are, promoted])
# With as many units as there are values, or more, no size of a weight tells them from words.
@pytest.mark.parametrize(("largest", "state"), [(4096, 8), (8, 16), (300, 128)])
def test_readings_that_are_whole_numbers_are_refused_with_what_to_give(
    reader, made, largest, state
):
    network, counts = reader(made, 1, state), COUNTS % largest
    with pytest.raises(ConfigurationError, match=r"looks none of them up.*np.float32"):
        verified(network, data_of(counts))
    assert verified(Reader(lambda x: x, 1, state), data_of(counts[..., None].float()))


@pytest.mark.parametrize(
    "made",
    [nn.Embedding(4096, 4)]
    + [vectors(name) for name in ("plain", "rows", "hashed", "in_two", "by_scale")],
)
@pytest.mark.parametrize("reader", [Reader, Packed])
def test_words_that_are_looked_up_are_read(reader, made):
    assert verified(reader(made, 4), data_of(COUNTS))


@pytest.mark.parametrize("made", [one_hot, one_hot_by_hand, scattered])
def test_one_hot_vectors_are_words(made):
    assert verified(Reader(made, 4096), data_of(COUNTS))


def test_whoever_names_the_words_is_believed():
    names = [f"w{number}" for number in range(4096)]
    assert verified(Reader(scaled, 1), data_of(COUNTS, token_names=names))
