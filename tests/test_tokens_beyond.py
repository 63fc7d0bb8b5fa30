"""Tokens that a network has no entry for are refused before any training, with what to change."""

import numpy as np
import pytest
import torch
from torch import nn

from rnnrepair.datamodules import ArrayDataModule
from rnnrepair.errors import ConfigurationError, DataError
from rnnrepair.network import verified


class Reader(nn.Module):
    """Looks words up, by an embedding or in a plain table."""

    def __init__(self, n_words=30, table=False):
        super().__init__()
        self.embedding = nn.Embedding(n_words, 4)
        self.table = torch.zeros(n_words, 4) if table else None
        self.rnn, self.head = nn.GRU(4, 8, batch_first=True), nn.Linear(8, 2)

    def forward(self, x):
        seen = self.embedding(x) if self.table is None else self.table[x]
        return self.head(self.rnn(seen)[0][:, -1])


def data_of(row=None, to=30, kind=torch.int64, **options):
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(0, 30, (400, 12), generator=generator)
    if row is not None:
        x[row, 3] = to
    x, y = x.to(kind), torch.arange(400) % 2
    data = ArrayDataModule(
        x[:300], y[:300], x[300:], y[300:], repair_share=0, val_share=0, **options
    )
    data.setup("fit")
    return data


@pytest.mark.parametrize("table", [False, True])
@pytest.mark.parametrize("row", [0, 1, 5, 299, 300, 399])
def test_a_token_that_no_entry_is_there_for_is_refused_in_whichever_split_it_is(row, table):
    assert verified(Reader(30, table=table), data_of())
    assert verified(Reader(31, table=table), data_of(row))
    with pytest.raises(ConfigurationError, match="Make it with 31 entries, or, where"):
        verified(Reader(30, table=table), data_of(row))


def test_the_embedding_is_named_where_it_is_too_small_for_many():
    told = r"layer embedding \(Embedding\) has entries for tokens 0 \.\. 19.*up to 29.*30 entries"
    with pytest.raises(ConfigurationError, match=told):
        verified(Reader(20), data_of())


def test_floats_for_an_embedding_are_refused_with_what_to_give():
    with pytest.raises(ConfigurationError, match=r"was given floats.*x\.astype\(np\.int64\)"):
        verified(Reader(), data_of(kind=torch.float32))


def test_fewer_names_than_tokens_are_refused():
    with pytest.raises(DataError, match=r"29 token names, for tokens 0 \.\. 29: name each"):
        data_of(token_names=[f"w{number}" for number in range(29)])
    data_of(token_names=[f"w{number}" for number in range(30)])


def test_the_largest_token_is_that_of_all_splits():
    assert data_of().spec.largest_token == 29
    assert data_of(row=399, to=77).spec.largest_token == 77
    assert data_of(kind=torch.float32).spec.largest_token is None
    # The same where items are read one by one.
    ragged = [row[: 3 + number % 9] for number, row in enumerate(np.arange(480).reshape(40, 12))]
    data = ArrayDataModule(ragged, np.arange(40) % 2, repair_share=0, val_share=0)
    data.setup("fit")
    assert data.spec.largest_token == max(int(row.max()) for row in ragged)


def test_an_empty_text_is_told_as_one():
    texts = [[1, 2, 3 + number] for number in range(20)]
    texts[17] = []
    with pytest.raises(DataError, match=r"x\[17\].* has no steps.*leave it out"):
        ArrayDataModule(texts, np.arange(20) % 2).setup("fit")
