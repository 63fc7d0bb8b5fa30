"""Texts and labels from a file of the user's own."""

import codecs
import csv
import io
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from rnnrepair.datamodules.groups import group_numbers
from rnnrepair.datamodules.held_out import hold_out
from rnnrepair.datamodules.text.cleaning import LoadedTexts
from rnnrepair.datamodules.text.files import decode, read_bytes, read_table
from rnnrepair.datamodules.text.text_datamodule import TextDataModule
from rnnrepair.errors import DataError
from rnnrepair.settings import ProperShare, check_settings

log = logging.getLogger(__name__)

KINDS = (".csv", ".tsv", ".jsonl", ".parquet")
PARTS = ("train", "val", "test")


class CSVTextDataModule(TextDataModule):
    """Any csv, tsv, jsonl or parquet file with a column of texts and one of labels."""

    def __init__(
        self,
        path: str,
        text_column: str = "text",
        label_column: str = "label",
        split_column: str | None = None,
        id_column: str | None = None,
        group_column: str | None = None,
        classes: Sequence[Any] | None = None,
        test_share: ProperShare = 0.2,
        encoding: str = "utf-8",
        **text: Any,
    ) -> None:
        """Name the file and its columns.

        Args:
            path: of the file; csv, tsv and jsonl may be gzipped.
            text_column: column of the texts.
            label_column: column of the names of classes.
            split_column: column that says ``train``, ``val`` or ``test``; where None, a test set
                is held out.
            id_column: column whose values must not occur twice.
            group_column: column whose values never stand in two splits (authors, products).
            classes: names of the classes in the order of their numbers; None takes those found.
            test_share: share held out for test where there is no split column.
            encoding: of csv, tsv and jsonl.
            **text: see ``TextDataModule``.

        Raises:
            SettingsError: no path, another kind of file, or a value out of range.
        """
        check_settings(CSVTextDataModule, locals(), _known_kind, _known_encoding)
        super().__init__([_name(c) for c in classes] if classes else None, **text)
        self.path = Path(path).expanduser()
        self.text_column = text_column
        self.label_column = label_column
        self.split_column = split_column
        self.id_column = id_column
        self.group_column = group_column
        self.test_share = test_share
        self.encoding = encoding

    def read(self) -> LoadedTexts:
        """Read the file.

        Raises:
            DataError: it is missing or damaged, lacks a column, or has ids twice.
        """
        table = self._table()
        self._check(table)
        nothing = table[self.text_column].isna() | table[self.label_column].isna()
        if nothing.any():
            log.warning(
                "%s: %d of %d rows have no text or no label and are left out, the first is row %d.",
                self.path,
                int(nothing.sum()),
                len(table),
                int(nothing.to_numpy().argmax()) + 1,
            )
            table = table[~nothing]
        texts = table[self.text_column].astype(str).tolist()
        labels = table[self.label_column].map(_name).tolist()
        groups = self._groups(table)
        if self.split_column is None:
            order, n_train = hold_out(labels, self.test_share, groups)
            sizes = [n_train, 0]
            rows = order.tolist()
        else:
            part = table[self.split_column].astype(str).tolist()
            rows = [i for name in PARTS for i in range(len(part)) if part[i] == name]
            sizes = [part.count(name) for name in PARTS[:2]]
        return LoadedTexts(
            [texts[row] for row in rows],
            [labels[row] for row in rows],
            sizes[0],
            str(self.path.name),
            n_val=sizes[1],
            groups=None if groups is None else groups[torch.tensor(rows, dtype=torch.int64)],
        )

    def _groups(self, table: pd.DataFrame) -> Tensor | None:
        if self.group_column is None:
            return None
        source = f"{self.path}: column {self.group_column!r}"
        return group_numbers(table[self.group_column], len(table), source)

    def _table(self) -> pd.DataFrame:
        if not self.path.is_file():
            raise DataError(f"{self.path.resolve()} does not exist: set path.")
        kind = _kind(self.path)
        try:
            if kind == ".parquet":
                return pd.read_parquet(self.path)
            hint = ", or name its encoding (encoding=latin-1)"
            content = decode(read_bytes(self.path), str(self.path), self.encoding, hint)
            if kind == ".jsonl":
                return pd.read_json(io.StringIO(content), lines=True, dtype=False)
            # Tab-separated files have no quotes: one in a text would swallow the lines behind it.
            tabs = {"sep": "\t", "quoting": csv.QUOTE_NONE} if kind == ".tsv" else {}
            return read_table(content, str(self.path), **tabs)
        except ImportError as error:
            raise DataError(f"{self.path}: parquet needs pyarrow: pip install pyarrow.") from error
        except DataError:
            raise
        except ValueError as error:
            raise DataError(f"{self.path} cannot be read as {kind[1:]}: {error}") from error

    def _check(self, table: pd.DataFrame) -> None:
        wanted = {
            "text_column": self.text_column,
            "label_column": self.label_column,
            "split_column": self.split_column,
            "id_column": self.id_column,
            "group_column": self.group_column,
        }
        for key, column in wanted.items():
            if column is not None and column not in table.columns:
                raise DataError(
                    f"{self.path} has no column {column!r}, it has {list(table.columns)}: set "
                    f"{key}."
                )
        if self.id_column is not None:
            twice = table[self.id_column][table[self.id_column].duplicated()]
            if len(twice):
                raise DataError(
                    f"{self.path}: {len(twice)} values of {self.id_column!r} occur twice, the "
                    f"first is {twice.iloc[0]!r}: a text could stand in training and in test; "
                    "remove the copies."
                )
        if self.split_column is not None:
            unknown = sorted(set(table[self.split_column].astype(str)) - set(PARTS))
            if unknown:
                raise DataError(
                    f"{self.path}: the column {self.split_column!r} must hold {list(PARTS)}, found "
                    f"{unknown[:5]}."
                )


def _known_kind(path: str) -> str | None:
    if path and _kind(Path(path)) in KINDS:
        return None
    return (
        f"expected a file that ends in one of {list(KINDS)} (csv, tsv and jsonl also with .gz), "
        f"got {path!r}"
    )


def _known_encoding(encoding: str) -> str | None:
    try:
        codecs.lookup(encoding)
    except LookupError:
        return f"{encoding!r} is unknown: take utf-8, latin-1, cp1252, ..."
    return None


def _kind(path: Path) -> str:
    """Return the suffix that says how to read a file, without ``.gz``."""
    return path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix


def _name(label: Any) -> str:
    """Return a label as the name of a class: 1.0 and 1 are the same."""
    return str(int(label)) if isinstance(label, float) and label.is_integer() else str(label)
