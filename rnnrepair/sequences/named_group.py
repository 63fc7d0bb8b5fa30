"""Groups that a user names: by a value of a column, or by words that texts hold."""

from collections.abc import Sequence

import torch
from torch import Tensor

from rnnrepair.errors import ConfigurationError, Fault, SettingsError
from rnnrepair.sequences.sample_names import value_text


def value_of_group(
    owner: str, column: str | None, value: str | float | None, words: Sequence[str]
) -> str | None:
    """Return the value as columns have it, None where words name the group.

    Args:
        owner: class that the settings are of.
        column: name of the column.
        value: of it, that the group has.
        words: of which texts of the group hold one at least.

    Raises:
        SettingsError: no group is named, or two are.
    """
    if (column is None) != (value is None) or (column is None) == (len(words) == 0):
        told = "expected column and value, or words, and not both"
        raise SettingsError(owner, [Fault("column", told)])
    return None if value is None else value_text(value)


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
