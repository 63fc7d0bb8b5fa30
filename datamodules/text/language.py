"""Tokenizers, vocabulary and word vectors: the one file that knows torchtext 0.6.0."""

import ssl
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor
from torchtext.data.utils import get_tokenizer
from torchtext.vocab import Vectors, Vocab

from rnnrepair.atomic import write_folder
from rnnrepair.datamodules.text.characters import characters
from rnnrepair.errors import ConfigurationError, DataError
from rnnrepair.fingerprint import fingerprint_config
from rnnrepair.seeding import torch_generator
from rnnrepair.settings import check_settings, one_of

UNKNOWN, PADDING = "<unk>", "<pad>"
# The tokenizer for texts without blanks between words.
CHARACTERS = "characters"
TOKENIZERS = ("basic_english", "split", CHARACTERS, "spacy", "moses", "toktok", "revtok", "subword")

Tokenize = Callable[[str], list[str]]


def make_tokenizer(tokenizer: Annotated[str, one_of(TOKENIZERS)]) -> Tokenize:
    """Return a function from a text to its tokens.

    ``split`` cuts at white space, ``basic_english`` lower-cases and separates punctuation,
    ``characters`` is for texts without blanks between words (see ``characters``), the others need
    a package of their own.

    Raises:
        ConfigurationError: unknown, or its package is not installed.
    """
    check_settings(make_tokenizer, locals())
    if tokenizer == "split":
        return str.split
    if tokenizer == CHARACTERS:
        return characters
    try:
        tokenize: Tokenize = get_tokenizer(tokenizer)
    except (ImportError, LookupError, OSError) as error:
        raise ConfigurationError(
            f"tokenizer={tokenizer} needs a package that is not installed ({error}): install "
            "it, or take basic_english."
        ) from error
    return tokenize


class Vocabulary:
    """Words and their numbers; 0 is ``<unk>``, 1 is ``<pad>``, then words by frequency."""

    unknown = 0
    padding = 1

    def __init__(self, words: list[str]) -> None:
        """Take the words in the order of their numbers."""
        self.words = words
        self._number = {word: number for number, word in enumerate(words)}

    @classmethod
    def of(cls, counts: Counter[str], max_size: int | None, min_count: int) -> "Vocabulary":
        """Keep the most frequent words (ties in alphabetical order), specials not counted."""
        specials = [UNKNOWN, PADDING]
        # The text itself may contain these strings; they must not get a second number.
        for special in specials:
            counts.pop(special, None)
        return cls(
            list(Vocab(counts, max_size=max_size, min_freq=min_count, specials=specials).itos)
        )

    def __len__(self) -> int:
        return len(self.words)

    def number(self, word: str) -> int:
        """Return the number of a word, ``unknown`` where it has none."""
        return self._number.get(word, self.unknown)

    def decode(self, tokens: Tensor) -> list[str]:
        """Return the words of (T,) tokens."""
        return [self.words[token] for token in tokens.tolist()]


@dataclass(frozen=True)
class WordVectors:
    """Vectors of V words by number.

    Attributes:
        table: (V, E) float32; zero for ``<unk>`` and ``<pad>``.
        known: words that have a vector in the file, the others are drawn.
    """

    table: Tensor
    known: int


def read_vectors(path: Path, cache_dir: Path) -> tuple[list[str], Tensor]:
    """Read words and (V, E) vectors from an ``.npz`` (``words``, ``vectors``) or a GloVe text file.

    A text file is read once; torchtext keeps what it holds in ``cache_dir``.

    Raises:
        DataError: the file is missing or of another form.
    """
    if not path.is_file():
        raise DataError(
            f"{path.resolve()} does not exist: download word vectors "
            "(https://nlp.stanford.edu/data/glove.6B.zip, unpacked) and name one of its files in "
            "vectors, or set vectors=none."
        )
    if path.suffix == ".npz":
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
        except (OSError, ValueError, BadZipFile) as error:
            raise DataError(f"{path} cannot be read ({error}): it may be half copied.") from error
        if not {"words", "vectors"} <= set(arrays):
            raise DataError(
                f"{path} holds {list(arrays)}, expected arrays named words and vectors."
            )
        words, vectors = arrays["words"].tolist(), torch.from_numpy(arrays["vectors"]).float()
        if vectors.dim() != 2 or len(vectors) != len(words):
            raise DataError(
                f"{path}: {len(words)} words and vectors of shape {tuple(vectors.shape)}, expected "
                "a row for each word."
            )
        return words, vectors
    # torchtext keeps what it has read under the file's name alone; another file of that name, or a
    # newer one, must not be taken for it.
    state = path.stat()
    identity = {"path": str(path.resolve()), "size": state.st_size, "time": state.st_mtime_ns}
    kept = cache_dir / "vectors" / fingerprint_config(identity)[:32]
    context = ssl._create_default_https_context
    try:
        if not kept.is_dir():
            with write_folder(kept) as draft:
                Vectors(name=str(path), cache=str(draft))
        loaded = Vectors(name=str(path), cache=str(kept))
    except (RuntimeError, TypeError, ValueError) as error:  # TypeError: two values a line
        raise DataError(f"{path} is no file of word vectors in text form: {error}") from error
    finally:
        # torchtext 0.6.0 turns the certificate check off for the whole process.
        ssl._create_default_https_context = context
    # Words that are no UTF-8 are left out by torchtext, with empty rows at the end.
    return loaded.itos, loaded.vectors[: len(loaded.itos)]


def vectors_for(
    vocabulary: Vocabulary, source: tuple[list[str], Tensor] | None, width: int, seed: int
) -> WordVectors:
    """Return a vector for every word of a vocabulary.

    Words without one are drawn from a normal distribution of the spread that the others have
    (0.5 without a source: that of GloVe).

    Args:
        vocabulary: V words.
        source: words and vectors, see ``read_vectors``.
        width: E.
        seed: of those that are drawn.

    Raises:
        DataError: the source's vectors have another width.
    """
    generator = torch_generator(seed, "word vectors")
    table = torch.randn(len(vocabulary), width, generator=generator)
    if source is None:
        table *= 0.5
        known = 0
    else:
        words, vectors = source
        if vectors.shape[1] != width:
            raise DataError(
                f"The word vectors are {vectors.shape[1]} wide, embedding_size is {width}: set "
                f"embedding_size={vectors.shape[1]}, or name another file in vectors."
            )
        table *= vectors.std()
        number = torch.tensor([vocabulary.number(word) for word in words])
        found = number > vocabulary.padding
        table[number[found]] = vectors[found]
        known = len(number[found].unique())
    table[[vocabulary.unknown, vocabulary.padding]] = 0
    return WordVectors(table, known)
