"""Whole numbers that a network computes with are not taken for words."""

import pytest
import torch
from torch import nn

from rnnrepair.datamodules import ArrayDataModule
from rnnrepair.errors import ConfigurationError
from rnnrepair.network import verified


class Counts(nn.Module):
    """Reads counts of a converter as they are."""

    def __init__(self):
        super().__init__()
        self.rnn, self.head = nn.GRU(1, 8, batch_first=True), nn.Linear(8, 2)

    def forward(self, x):
        return self.head(self.rnn(x.reshape(len(x), -1, 1).float() / 1000)[0][:, -1])


class Words(nn.Module):
    """Reads words by an embedding, or as one-hot vectors."""

    def __init__(self, one_hot):
        super().__init__()
        self.embedding = None if one_hot else nn.Embedding(4096, 4)
        self.rnn, self.head = nn.GRU(4096 if one_hot else 4, 8, batch_first=True), nn.Linear(8, 2)

    def forward(self, x):
        seen = nn.functional.one_hot(x, 4096).float() if self.embedding is None else x
        return self.head(self.rnn(self.embedding(x) if self.embedding else seen)[0][:, -1])


def data_of(x, **options):
    data = ArrayDataModule(x, torch.arange(len(x)) % 2, repair_share=0, val_share=0, **options)
    data.setup("fit")
    return data


COUNTS = torch.randint(0, 4096, (60, 12), generator=torch.Generator().manual_seed(0))


def test_readings_that_are_whole_numbers_are_refused_with_what_to_give():
    with pytest.raises(ConfigurationError, match=r"whole numbers up to 4\d\d\d.*np.float32"):
        verified(Counts(), data_of(COUNTS))
    assert verified(Counts(), data_of(COUNTS[..., None].float()))


@pytest.mark.parametrize("one_hot", [False, True])
def test_words_are_read(one_hot):
    assert verified(Words(one_hot), data_of(COUNTS))


def test_whoever_names_the_words_is_believed():
    names = [f"w{number}" for number in range(4096)]
    assert verified(Counts(), data_of(COUNTS, token_names=names))
