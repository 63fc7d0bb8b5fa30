"""Base of the text data modules: from named texts to numbered tokens, without a leak."""

import logging
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import torch
from torch import Tensor

from rnnrepair.datamodules.groups import Groups, content_numbers
from rnnrepair.datamodules.loaded import LoadedData
from rnnrepair.datamodules.planted_trigger import PlantedWord
from rnnrepair.datamodules.sequence_datamodule import SequenceDataModule
from rnnrepair.datamodules.sequences import Sequences
from rnnrepair.datamodules.text.cleaning import (
    LoadedTexts,
    check_labels,
    cut,
    held_out,
    number_labels,
    tell_unknown,
    without_empty,
)
from rnnrepair.datamodules.text.language import (
    CHARACTERS,
    TOKENIZERS,
    Vocabulary,
    make_tokenizer,
    read_vectors,
    vectors_for,
)
from rnnrepair.datamodules.text.tokenised import TokenisedTexts
from rnnrepair.edits import TokenEdits
from rnnrepair.fingerprint import fingerprint_config, fingerprint_tensors
from rnnrepair.protocols import Split
from rnnrepair.settings import Count, check_settings, one_of

log = logging.getLogger(__name__)


class TextDataModule(SequenceDataModule):
    """Tokenises and numbers texts; a subclass only says where they come from.

    The vocabulary is made of the fit split alone. Labels get their numbers by name.
    """

    def __init__(
        self,
        classes: Sequence[str] | None,
        tokenizer: Annotated[str, one_of(TOKENIZERS)] = "basic_english",
        lower: bool = True,
        max_tokens: Count = 400,
        max_vocabulary: Count | None = 25_000,
        min_count: Count = 1,
        vectors: str = "auto",
        embedding_size: Count = 100,
        data_dir: str = "data",
        cache_dir: str = ".cache",
        batch_size: Count = 64,
        progress: bool = True,
        **data: Any,
    ) -> None:
        """Choose tokens and vectors.

        Args:
            classes: names of the classes in the order of their numbers; None takes the names
                found, in alphabetical order.
            tokenizer: see ``make_tokenizer``.
            lower: lower-case the texts first.
            max_tokens: longer texts are cut behind this many tokens, and counted.
            max_vocabulary: most frequent words kept, None for all.
            min_count: times that a word must occur in the fit split.
            vectors: file of word vectors (``.npz`` or GloVe text), ``none`` to learn them from
                random ones, or ``auto``: a file in ``<data_dir>/wordvec`` of the right width.
            embedding_size: width of the vectors.
            data_dir: folder of the data sets.
            cache_dir: keeps tokenised texts.
            batch_size: training texts a step.
            progress: show a progress bar while texts are tokenised.
            **data: see ``SequenceDataModule``; the seed is that of the drawn vectors too.

        Raises:
            ConfigurationError: a value out of range, or a tokenizer that is not installed.
        """
        check_settings(TextDataModule, locals())
        super().__init__(len(classes) if classes else 2, batch_size, **data)
        make_tokenizer(tokenizer)  # refuses what is not installed
        self.classes = list(classes) if classes else None
        self.tokenizer = tokenizer
        self.lower = lower
        self.max_tokens = max_tokens
        self.max_vocabulary = max_vocabulary
        self.min_count = min_count
        self.wanted_vectors = vectors
        self.embedding_size = embedding_size
        self.data_dir = Path(data_dir).expanduser()
        self.cache_dir = Path(cache_dir).expanduser()
        self.progress = progress
        self.vocabulary = Vocabulary([])
        self.vectors = torch.empty(0)

    @abstractmethod
    def read(self) -> LoadedTexts:
        """Read all texts; called once."""

    def load(self) -> LoadedData:
        """Read, clean, tokenise and number the texts.

        Raises:
            DataError: unknown labels, one class only, or nothing left.
        """
        texts = self.read()
        vector_source = self._vector_source()
        if self.classes is None:
            self.classes = sorted(set(texts.labels))
        self.num_classes = len(self.classes)
        check_labels(texts, self.classes)
        if self.lower:
            texts = texts.lower()
        folder = self.cache_dir / "text"
        tokenised = TokenisedTexts.cached(
            texts.texts, self.tokenizer, folder, progress=self.shows_bars(self.progress)
        )
        texts, tokenised = without_empty(texts, tokenised)
        texts, tokenised = held_out(texts, cut(tokenised, self.max_tokens))
        label = number_labels(texts, self.classes)
        # Before rare words become one token, which would make copies of texts that are none.
        copies = content_numbers(tokenised.values, tokenised.offsets)
        split = self.split(label, texts.n_train, texts.n_val, Groups(copies, texts.groups))
        counts = tokenised.counts(split["fit"])
        if isinstance(self.trigger, PlantedWord):
            # It is put in behind this, and must have a number then.
            counts[self.trigger.word] += self.trigger.n
        self.vocabulary = Vocabulary.of(counts, self.max_vocabulary, self.min_count)
        found = vectors_for(self.vocabulary, vector_source, self.embedding_size, self.seed)
        self.vectors = found.table
        values = tokenised.numbered(self.vocabulary)
        log.info(
            "%d texts, %d words in the vocabulary (%d with a vector), %.1f tokens a text, "
            "%.2f %% of all tokens unknown.",
            len(label),
            len(self.vocabulary),
            found.known,
            len(values) / len(label),
            100 * float((values == self.vocabulary.unknown).double().mean()),
        )
        sequences = Sequences(values, tokenised.offsets, self.vocabulary.padding)
        of_val = replace(tokenised, values=values).select(split["val"])
        tell_unknown(
            [texts.texts[row] for row in split["val"].tolist()],
            float((of_val.values == self.vocabulary.unknown).double().mean()),
            self.tokenizer,
        )
        return LoadedData(
            sequences,
            label,
            texts.n_train,
            texts.source,
            "tokens",
            texts.n_val,
            class_names=self.classes,
            token_names=self.vocabulary.words,
            between_tokens="" if self.tokenizer == CHARACTERS else " ",
            unknown=self.vocabulary.unknown,
            groups=texts.groups,
            copies=copies,
            names=texts.names,
            columns=texts.columns,
        )

    def setup(self, stage: str | None = None) -> None:
        """Load, check and split the data, once; the words and vectors are part of what they are."""
        if self._data is not None:
            return
        super().setup(stage)
        self.prepare_splits()
        self.fingerprint = fingerprint_config(
            {
                "data": self.fingerprint,
                "words": self.vocabulary.words,
                "vectors": fingerprint_tensors(self.vectors),
            }
        )

    def prepare_splits(self) -> None:
        """Change the splits by what the vocabulary knows; called once, after it was made."""

    def trains_unknown(self) -> bool:
        """Return whether training meets unknown words.

        If it does not, and repair samples hold some, they alone train the vector of ``<unk>``,
        which comes to mean whatever they have in common.
        """
        augmentation = self.epoch_augmentation
        hides = augmentation is not None and isinstance(augmentation.edits, TokenEdits)
        return hides or bool(self.holds_unknown("fit").any())

    def holds_unknown(self, split: Split) -> Tensor:
        """Return (n,) bool: the texts of a split that hold an unknown word."""
        parts = self._splits[split].split(self.eval_batch_size)
        return torch.cat([(self.fetch(part).inputs == self.unknown).any(1) for part in parts])

    @property
    def unknown(self) -> int:
        """Token that stands for words without a number."""
        return self.vocabulary.unknown

    @property
    def words(self) -> list[str]:
        """Words by the number of their token."""
        return self.vocabulary.words

    def model_arguments(self) -> dict[str, Any]:
        """Return the word vectors that the embedding starts from, and the number of classes."""
        return {"vectors": self.vectors, "num_classes": self.num_classes}

    def _vector_source(self) -> tuple[list[str], Tensor] | None:
        if self.wanted_vectors == "none":
            return None
        if self.wanted_vectors != "auto":
            return read_vectors(Path(self.wanted_vectors).expanduser(), self.cache_dir)
        folder = self.data_dir / "wordvec"
        width = f"{self.embedding_size}d"
        files = sorted(
            file
            for file in (folder.iterdir() if folder.is_dir() else ())
            if file.suffix in {".npz", ".txt"} and width in file.name
        )
        if files:
            log.info("Word vectors: %s", files[0])
            return read_vectors(files[0], self.cache_dir)
        log.warning(
            "No file of %s-wide word vectors in %s: the embedding starts from random vectors, "
            "which costs accuracy. Put glove.6B.%s.txt of https://nlp.stanford.edu/data/"
            "glove.6B.zip there, or set vectors.",
            self.embedding_size,
            folder.resolve(),
            width,
        )
        return None
