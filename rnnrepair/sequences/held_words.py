"""Texts by the words that they hold."""

from collections.abc import Sequence

import torch
from torch import Tensor

from rnnrepair.errors import ConfigurationError


def word_numbers(words: Sequence[str], token_names: Sequence[str], told: str) -> Tensor:
    """Return the (w,) int64 tokens of some words.

    Args:
        words: as the tokenizer makes them.
        token_names: by token; empty where inputs are features.
        told: the key or argument that names the words, for the message.

    Raises:
        ConfigurationError: the data do not know a word.
    """
    known = {name: number for number, name in enumerate(token_names)}
    missing = [word for word in words if word not in known]
    if missing:
        why = "it may be too rare for the vocabulary" if known else "they are no texts"
        raise ConfigurationError(f"{told}: the data know no words {missing}: {why}.")
    return torch.tensor([known[word] for word in words], dtype=torch.int64)


def holds_any(tokens: Tensor, read: Tensor, numbers: Tensor) -> Tensor:
    """Return (n,) bool: texts that hold at least one of some tokens.

    Args:
        tokens: (n, T) int64.
        read: (n, T) bool, false in the padding.
        numbers: (w,) tokens.
    """
    return (torch.isin(tokens, numbers) & read).any(1)
