"""Texts as vectors: which words, or pairs of words, stand in them."""

from typing import TypeAlias

import numpy as np
import torch
from scipy.sparse import csr_array, diags_array, hstack, vstack
from torch import Tensor
from torch.nn.functional import one_hot

from rnnrepair.influence.inputs import token_bags
from rnnrepair.influence.labels.linear import linear_labels
from rnnrepair.influence.labels.series_components import CHOSEN_ON, CLEARLY, FOUND_ON
from rnnrepair.seeding import torch_generator
from rnnrepair.sequences import offsets_of, steps_of

# Texts of training that a pair of words must stand in: a pair of one text tells nothing of others.
HELD_BY = 2

# (S,) tokens of n texts, and their (n + 1,) offsets.
Texts: TypeAlias = tuple[Tensor, Tensor]


def text_features(
    texts: Texts,
    others: Texts | None,
    label: Tensor,
    n_classes: int,
    seed: int = 0,
    group: Tensor | None = None,
) -> csr_array:
    """Return (N + M, V) tf-idf of words, and of pairs where these tell labels clearly better.

    Where there are few different words (letters, events, the bases of DNA), their order tells the
    class. It is the labels of other texts that the choice is made by.

    Args:
        texts: of training, N.
        others: M further texts; none where None.
        label: (N,) int64 of the training texts.
        n_classes: C.
        seed: of the texts that the choice is made on.
        group: (N,) int64, equal where training texts belong together; None where each stands alone.
    """
    every = [texts] if others is None else [texts, others]
    order = torch.randperm(len(label), generator=torch_generator(seed, "texts of a choice"))
    rows = order[:FOUND_ON]
    if len(rows) < CHOSEN_ON:
        return _words(every)
    token, offsets = texts
    steps, own = steps_of(offsets, rows)
    some = [(token[steps], own)]
    together = None if group is None else group[rows]
    wanted, errors = one_hot(label[rows], n_classes), []
    for seen in (_words, _words_and_pairs):
        said = linear_labels(seen(some), label[rows], n_classes, seed, together)
        errors.append(float((said - wanted).square().sum()))
    return (_words_and_pairs if errors[1] < CLEARLY * errors[0] else _words)(every)


def _words(every: list[Texts]) -> csr_array:
    n_tokens = 1 + max(int(token.max()) for token, _ in every)
    return _weighted([token_bags(token, offsets, n_tokens) for token, offsets in every])


def _words_and_pairs(every: list[Texts]) -> csr_array:
    return of_length_one(csr_array(hstack([_words(every), _weighted(_pairs(every))])))


def _weighted(counts: list[csr_array]) -> csr_array:
    """Return tf-idf of all texts, by the weights of the first ones."""
    weight = idf(counts[0])
    return csr_array(vstack([tf_idf(count, weight) for count in counts]))


def _pairs(every: list[Texts]) -> list[csr_array]:
    """Return (n, P) counts of two words of which one stands behind the other, of each texts."""
    n_tokens = 1 + max(int(token.max()) for token, _ in every)
    codes = [_codes(token, offsets, n_tokens) for token, offsets in every]
    code, row = codes[0]
    every_pair, number = code.unique(return_inverse=True)
    n_rows = len(every[0][1]) - 1
    # Each pair once a text.
    held = (number * n_rows + row).unique() // n_rows
    known = every_pair[held.bincount(minlength=len(every_pair)) >= HELD_BY]
    bags = []
    for (code, row), (_, offsets) in zip(codes, every, strict=True):
        place = torch.searchsorted(known, code).clamp_max(max(len(known) - 1, 0))
        is_known = known[place] == code if len(known) else torch.zeros_like(code, dtype=torch.bool)
        n_pairs = row[is_known].bincount(minlength=len(offsets) - 1)
        bags.append(token_bags(place[is_known], offsets_of(n_pairs), max(len(known), 1)))
    return bags


def _codes(token: Tensor, offsets: Tensor, n_tokens: int) -> tuple[Tensor, Tensor]:
    """Return the (n,) numbers of the pairs in all texts, and the (n,) rows of these."""
    row = torch.arange(len(offsets) - 1).repeat_interleave(offsets.diff())
    follows = row[1:] == row[:-1]
    code = token[:-1].long() * n_tokens + token[1:].long()
    return code[follows], row[1:][follows]


def idf(counts: csr_array) -> np.ndarray:
    """Return (V,) float32 weights of tokens, the rarer the larger, from (N, V) counts."""
    weight: np.ndarray = np.log((1 + counts.shape[0]) / (1 + _held(counts).sum(0)))
    return weight.astype(np.float32)


def tf_idf(counts: csr_array, weight: np.ndarray) -> csr_array:
    """Return whether each text holds each token, by the (V,) weights; rows have length one."""
    return of_length_one(_held(counts) @ diags_array(weight))


def of_length_one(rows: csr_array) -> csr_array:
    """Return rows of length one; those of nothing stay."""
    length = np.sqrt(rows.power(2).sum(1)).clip(np.finfo(np.float32).tiny)
    return csr_array(diags_array((1 / length).astype(np.float32)) @ rows)


def _held(counts: csr_array) -> csr_array:
    """Return (N, V) float32: 1 where a text holds a token."""
    return csr_array((np.ones_like(counts.data), counts.indices, counts.indptr), counts.shape)
