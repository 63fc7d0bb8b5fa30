"""Which training samples are near a sequence by what stands in it; knows no network."""

from collections.abc import Callable

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor
from torch.nn.functional import pad

from rnnrepair.influence.ranking import Ranking, smallest
from rnnrepair.influence.static_inputs import StaticInputs
from rnnrepair.sequences import SequenceBatch, offsets_of, steps_of
from rnnrepair.traces import Traces

# Training samples compared at a time with all queries: distances of all of them would take 90 MB
# for 25,000 reviews and 900 failures, their padded inputs far more.
BLOCK = 2000

# (n,) rows of the training samples to their (n, M) distances to M queries.
ToQueries = Callable[[Tensor], Tensor]


def input_distances(
    fit: Traces, queries: Traces, fetch: Callable[[Tensor], SequenceBatch]
) -> ToQueries:
    """Return how far training samples are from queries by their inputs alone.

    Euclidean distance of the padded features, or one minus the cosine of the counts of tokens.
    Static inputs of a sequence count as much as the sequence.

    Args:
        fit: N training samples.
        queries: M sequences of the same data.
        fetch: returns the sequences with some indices.
    """
    asked = fetch(queries.index)
    there = asked.zero_padded
    if not there.is_floating_point():
        of_texts = _cosine_of_counts(*tokens_of(fit, fetch), *tokens_of(queries, fetch))
        return _with_static(of_texts, fit, asked, fetch) if asked.static else of_texts
    scale = None
    if asked.static:
        some = fetch(fit.index[:BLOCK])
        scale = StaticInputs.of(some, float(some.zero_padded.flatten(1).var(0).sum()))

    def distances(rows: Tensor) -> Tensor:
        batch = fetch(fit.index[rows])
        here = batch.zero_padded
        n_steps = max(here.shape[1], there.shape[1])
        own, wanted = _flat(here, n_steps), _flat(there, n_steps)
        if scale is not None:
            own = torch.cat([own, scale.vectors(batch)], 1)
            wanted = torch.cat([wanted, scale.vectors(asked)], 1)
        return torch.cdist(own, wanted)

    return distances


def _with_static(
    of_texts: ToQueries, fit: Traces, asked: SequenceBatch, fetch: Callable[[Tensor], SequenceBatch]
) -> ToQueries:
    """Return one minus the cosine of texts and their static inputs together."""
    scale = StaticInputs.of(fetch(fit.index[:BLOCK]), 1.0)
    there = scale.vectors(asked)

    def distances(rows: Tensor) -> Tensor:
        here = scale.vectors(fetch(fit.index[rows]))
        lengths = [(1 + of.square().sum(1)).sqrt() for of in (here, there)]
        return 1 - (1 - of_texts(rows) + here @ there.T) / torch.outer(*lengths)

    return distances


def nearest_by(to_queries: ToQueries, order: Tensor, top: int) -> Ranking:
    """Rank training samples for M queries, block by block.

    Args:
        to_queries: says how far they are.
        order: (n,) rows of the training samples that may be returned, in the order of ties.
        top: how many to return.
    """
    rows, distances = [], []
    for block in order.split(BLOCK):
        found = smallest(to_queries(block), top)
        rows.append(pad(block, (0, 1), value=-1)[found.row])  # row -1, where there is none, is -1
        distances.append(found.distance)
    row, distance = torch.cat(rows, 1), torch.cat(distances, 1)
    # Blocks come in the order of ties, and a stable sort keeps it.
    first = distance.argsort(dim=1, stable=True)[:, :top]
    return Ranking(row.gather(1, first), distance.gather(1, first))


def token_bags(token: Tensor, offsets: Tensor, n_tokens: int) -> csr_array:
    """Return (N, V) float32 counts of the tokens of N texts.

    Args:
        token: (S,) of all texts.
        offsets: (N + 1,) where texts begin.
        n_tokens: V.
    """
    # Copies: duplicates are summed in place.
    columns, starts = token.numpy().copy(), offsets.numpy().copy()
    counts = csr_array(
        (np.ones(len(columns), np.float32), columns, starts), (len(starts) - 1, n_tokens)
    )
    counts.sum_duplicates()
    return counts


def tokens_of(texts: Traces, fetch: Callable[[Tensor], SequenceBatch]) -> tuple[Tensor, Tensor]:
    """Return the (S,) tokens of N texts and their (N + 1,) offsets, without what stands in front.

    Traces hold them where the network makes a step for each.
    """
    if texts.token is not None and fetch(texts.index[:1]).in_front is None:
        return texts.token, texts.offsets
    parts = [fetch(index).without_front() for index in texts.index.split(BLOCK)]
    lengths = torch.cat([part.lengths for part in parts])
    return torch.cat([part.inputs[part.mask] for part in parts]), offsets_of(lengths)


def _flat(inputs: Tensor, n_steps: int) -> Tensor:
    """Return (B, T' * F) of (B, T, F) inputs, padded behind with zeros to T' steps."""
    missing = n_steps - inputs.shape[1]
    return pad(inputs, (0, 0, 0, missing)).flatten(1)


def _cosine_of_counts(
    token: Tensor, offsets: Tensor, other_token: Tensor, other_offsets: Tensor
) -> ToQueries:
    """Compare the training texts with M others, each given as tokens and where texts start."""
    n_tokens = 1 + max(int(token.max()), int(other_token.max()))
    there = _of_length_one(token_bags(other_token, other_offsets, n_tokens)).T.tocsr()

    def distances(rows: Tensor) -> Tensor:
        steps, own = steps_of(offsets, rows)
        here = _of_length_one(token_bags(token[steps], own, n_tokens))
        return 1 - torch.from_numpy((here @ there).toarray())

    return distances


def _of_length_one(counts: csr_array) -> csr_array:
    norm = np.sqrt(counts.power(2).sum(1))
    counts.data /= norm.repeat(np.diff(counts.indptr))
    return counts
