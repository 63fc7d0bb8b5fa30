"""Directions in the space of an embedding, against dense gradients of all its rows."""

import pytest
import torch

from rnnrepair.influence.gradients import tokens as module
from rnnrepair.influence.gradients.tokens import QueryTokens, TokenGradients

V, E = 30, 4


def texts(n, steps, seed):
    """Gradients of texts with words that come again, padded with a word that is read elsewhere."""
    g = torch.Generator().manual_seed(seed)
    tokens = torch.randint(0, V // 2, (n, steps), generator=g)
    lengths = torch.randint(1, steps + 1, (n,), generator=g)
    real = torch.arange(steps) < lengths[:, None]
    gradient = torch.randn(n, steps, E, generator=g, dtype=torch.float64) * real[:, :, None]
    return TokenGradients(tokens.masked_fill(~real, 3), gradient, real)


def products_of_rows(queries, train):
    return torch.einsum("mve,bve->mb", queries, train.rows(V))


@pytest.mark.parametrize("cells", [module.CELLS, 2 * E])
def test_products_are_those_of_whole_embeddings(monkeypatch, cells):
    monkeypatch.setattr(module, "CELLS", cells)
    parts, train = [texts(3, 6, 0), texts(2, 9, 1)], texts(7, 8, 2)
    rows = torch.cat([part.rows(V) for part in parts])
    queries = QueryTokens.of(parts, V)
    torch.testing.assert_close(queries.products(train), products_of_rows(rows, train))
    factor = torch.tensor([1.0, -2.0, 0.5, 3.0, 0.0], dtype=torch.float64)
    scaled = rows * factor[:, None, None]
    torch.testing.assert_close(
        queries.scaled(factor).products(train), products_of_rows(scaled, train)
    )
    mean = rows.mean(0, keepdim=True)
    torch.testing.assert_close(queries.mean().products(train), products_of_rows(mean, train))
    dense = QueryTokens.dense(rows)
    torch.testing.assert_close(dense.products(train), products_of_rows(rows, train))


def test_memory_grows_with_what_is_read_and_not_with_the_vocabulary():
    parts = [texts(3, 6, 0), texts(2, 9, 1)]
    queries = QueryTokens.of(parts, n_tokens=10_000)
    assert len(queries.rows) <= sum(int(part.real.sum()) for part in parts)
    assert len(queries.mean().rows) <= V // 2


def test_texts_without_a_word_in_common_have_no_product():
    here, there = texts(2, 5, 0), texts(3, 5, 1)
    there = TokenGradients(there.tokens + V // 2, there.gradient, there.real)
    assert (QueryTokens.of([here], V).products(there) == 0).all()
