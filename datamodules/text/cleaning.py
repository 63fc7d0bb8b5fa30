"""From named texts to texts that can be trained on: every loss is counted in the log."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from rnnrepair.datamodules.groups import Groups, content_numbers
from rnnrepair.datamodules.held_out import hold_out
from rnnrepair.datamodules.text.language import CHARACTERS
from rnnrepair.datamodules.text.tokenised import TokenisedTexts
from rnnrepair.errors import DataError
from rnnrepair.sequences import SampleNames

log = logging.getLogger(__name__)

# Share of unknown tokens from which a text says little.
MANY_UNKNOWN = 0.3
# Blanks in a hundred characters of a text whose words stand apart: English has 17, Finnish 11.
FEW_BLANKS = 0.05


@dataclass(frozen=True)
class LoadedTexts:
    """What a text data set gives to ``TextDataModule``: training, then val, then test texts.

    Attributes:
        texts: n texts.
        labels: n names of classes.
        n_train: training texts.
        source: where they came from.
        n_val: texts of an official val set.
        groups: (n,) int64, texts with the same number never stand in two splits; None for none.
        names: what the texts are called where they came from; None where that is their number here.
        columns: (n,) what else is known of the texts, by the name of the column.
        test_share: share of the texts, all of them training texts, that is held out as the test
            set once copies are known; None where there is a test set.
    """

    texts: list[str]
    labels: list[str]
    n_train: int
    source: str
    n_val: int = 0
    groups: Tensor | None = None
    names: SampleNames | None = None
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    test_share: float | None = None

    @property
    def first_test(self) -> int:
        """Row of the first test text."""
        return self.n_train + self.n_val

    def lower(self) -> "LoadedTexts":
        """Return the texts in lower case."""
        return replace(self, texts=[text.lower() for text in self.texts])

    def select(self, kept: Tensor) -> "LoadedTexts":
        """Return the texts where ``kept`` (n,) is true, in their parts."""
        rows = kept.nonzero()[:, 0].tolist()
        n_train = int(kept[: self.n_train].sum())
        n_val = int(kept[self.n_train : self.first_test].sum())
        return replace(self.ordered(rows, n_train), n_val=n_val)

    def ordered(self, rows: Sequence[int], n_train: int) -> "LoadedTexts":
        """Return some texts in another order, of which the first are training texts."""
        return replace(
            self,
            texts=[self.texts[row] for row in rows],
            labels=[self.labels[row] for row in rows],
            n_train=n_train,
            groups=None if self.groups is None else self.groups[list(rows)],
            names=None if self.names is None else self.names.select(rows),
            columns={name: [values[row] for row in rows] for name, values in self.columns.items()},
        )

    def called(self, row: int) -> str:
        """Return what messages call a text: its name where it came from, else its number."""
        if self.names is None:
            return f"text {row} (from 0; training, val, test)"
        (name,) = self.names.called(torch.tensor([row]))
        return name


def check_labels(texts: LoadedTexts, classes: Sequence[str]) -> None:
    """Refuse labels that are no class.

    Raises:
        DataError: names the labels and the first text that carries one.
    """
    unknown = Counter(name for name in texts.labels if name not in classes)
    if unknown:
        row = next(i for i, name in enumerate(texts.labels) if name in unknown)
        raise DataError(
            f"{texts.source}: unknown labels {dict(unknown.most_common(5))}, the first is "
            f"{texts.called(row)}; classes are {list(classes)}."
        )


def number_labels(texts: LoadedTexts, classes: Sequence[str]) -> Tensor:
    """Return the (n,) int64 places of the labels among the classes: by name, never by frequency.

    Raises:
        DataError: the training texts carry one class only.
    """
    present = sorted(set(texts.labels[: texts.n_train]))
    if len(present) < 2:
        raise DataError(
            f"{texts.source}: the training texts carry {len(present)} class ({present}), expected "
            "at least two."
        )
    number = {name: i for i, name in enumerate(classes)}
    return torch.tensor([number[name] for name in texts.labels])


def without_empty(
    texts: LoadedTexts, tokenised: TokenisedTexts
) -> tuple[LoadedTexts, TokenisedTexts]:
    """Leave out texts that hold no token."""
    filled = tokenised.lengths > 0
    if filled.all():
        return texts, tokenised
    log.warning(
        "%d of %d texts hold no token and are left out, the first is %s.",
        int((~filled).sum()),
        len(filled),
        texts.called(int((~filled).nonzero()[0])),
    )
    return texts.select(filled), tokenised.select(filled.nonzero()[:, 0])


def cut(tokenised: TokenisedTexts, max_tokens: int) -> TokenisedTexts:
    """Cut texts behind their first ``max_tokens`` tokens."""
    n_long = int((tokenised.lengths > max_tokens).sum())
    if not n_long:
        return tokenised
    log.warning(
        "%d of %d texts are longer than max_tokens=%d (the longest has %d tokens) and "
        "are cut there.",
        n_long,
        len(tokenised.lengths),
        max_tokens,
        int(tokenised.lengths.max()),
    )
    return tokenised.cut(max_tokens)


def held_out(texts: LoadedTexts, tokenised: TokenisedTexts) -> tuple[LoadedTexts, TokenisedTexts]:
    """Hold out the test set where there is none; copies, and texts of one group, stay together.

    Copies are texts of equal tokens, as they are trained on: cut, and in lower case or not.
    """
    if texts.test_share is None:
        return texts, tokenised
    n = len(texts.labels)
    copies = content_numbers(tokenised.values, tokenised.offsets)
    together = Groups(copies, texts.groups).joined(n)
    groups = together if len(together.unique()) < n else None
    order, n_train = hold_out(texts.labels, texts.test_share, groups)
    return texts.ordered(order.tolist(), n_train), tokenised.select(order)


def tell_unknown(texts: Sequence[str], unknown_share: float, tokenizer: str) -> None:
    """Warn where most of what texts say is unknown to the network.

    Args:
        texts: of a split that the vocabulary was not made of.
        unknown_share: of their tokens.
        tokenizer: that they were cut by.
    """
    if unknown_share < MANY_UNKNOWN:
        return
    whole = "".join(texts)
    blanks = sum(sign.isspace() for sign in whole) / max(len(whole), 1)
    advice = "set min_count or max_vocabulary so that more words are known, or get more texts"
    if blanks < FEW_BLANKS and tokenizer != CHARACTERS:
        advice = (
            f"the texts hold few blanks ({100 * blanks:.1f} in 100 characters), so that whole "
            "sentences count as words: set tokenizer=characters"
        )
    log.warning(
        "%.0f %% of the tokens of val are unknown, training hardly has them: %s.",
        100 * unknown_share,
        advice,
    )
