"""Tokenised texts as whole numbers, kept between runs."""

import json
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from rnnrepair.atomic import write_file
from rnnrepair.datamodules.text.language import Vocabulary, make_tokenizer
from rnnrepair.fingerprint import fingerprint_config
from rnnrepair.sequences import Ragged, offsets_of

log = logging.getLogger(__name__)

FORMAT_VERSION = 2


@dataclass(frozen=True)
class TokenisedTexts(Ragged):
    """N texts as numbers of words; every word that occurs has one, whatever split it is in.

    Attributes:
        words: W different tokens in order of first occurrence.
        values: (S,) int32 numbers of tokens.
        offsets: (N + 1,) int64.
    """

    STEPS = ("values",)

    words: list[str]
    values: Tensor
    offsets: Tensor

    @classmethod
    def of(
        cls, texts: Sequence[str], tokenizer: str, *, progress: bool = False
    ) -> "TokenisedTexts":
        """Tokenise texts, with a progress bar or without."""
        tokenize = make_tokenizer(tokenizer)
        number: dict[str, int] = {}
        lengths, values = [0], []
        for text in tqdm(texts, desc="Tokenising", leave=False, disable=not progress):
            tokens = tokenize(text)
            values += [number.setdefault(token, len(number)) for token in tokens]
            lengths.append(len(tokens))
        return cls(
            list(number),
            torch.tensor(values, dtype=torch.int32),
            torch.tensor(lengths).cumsum(0),
        )

    @classmethod
    def cached(
        cls, texts: Sequence[str], tokenizer: str, folder: Path, *, progress: bool = False
    ) -> "TokenisedTexts":
        """Tokenise texts, or take what an earlier run has made of the same ones."""
        name = fingerprint_config(
            {"texts": list(texts), "tokenizer": tokenizer, "version": FORMAT_VERSION}
        )
        path = folder / f"{name[:32]}.npz"
        if path.is_file():
            log.debug("tokens taken from %s", path)
            with np.load(path, allow_pickle=False) as file:
                return cls(
                    json.loads(file["words"].tobytes()),
                    torch.from_numpy(file["values"]),
                    torch.from_numpy(file["offsets"]),
                )
        made = cls.of(texts, tokenizer, progress=progress)
        folder.mkdir(parents=True, exist_ok=True)
        with write_file(path) as draft, draft.open("wb") as file:
            np.savez(
                file,
                words=np.frombuffer(json.dumps(made.words).encode(), dtype=np.uint8),
                values=made.values.numpy(),
                offsets=made.offsets.numpy(),
            )
        return made

    def cut(self, max_tokens: int) -> "TokenisedTexts":
        """Return the texts cut to their first ``max_tokens`` tokens."""
        within = torch.arange(self.n_steps) - self.offsets[:-1].repeat_interleave(self.lengths)
        kept = self.lengths.clamp_max(max_tokens)
        return TokenisedTexts(self.words, self.values[within < max_tokens], offsets_of(kept))

    def counts(self, rows: Tensor) -> Counter[str]:
        """Return how often each word occurs in some of the texts."""
        values = self.select(rows).values
        count = torch.bincount(values.long(), minlength=len(self.words))
        return Counter({w: n for w, n in zip(self.words, count.tolist(), strict=True) if n})

    def numbered(self, vocabulary: Vocabulary) -> Tensor:
        """Return (S,) int32 numbers in a vocabulary."""
        table = torch.tensor([vocabulary.number(word) for word in self.words], dtype=torch.int32)
        return table[self.values.long()]
