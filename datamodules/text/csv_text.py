"""Texts and labels from a file of the user's own."""

import logging
import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from rnnrepair.datamodules.column_values import column_values
from rnnrepair.datamodules.files import kind_of, known_encoding
from rnnrepair.datamodules.groups import group_numbers
from rnnrepair.datamodules.separators import CHOICES
from rnnrepair.datamodules.spellings import one_spelling
from rnnrepair.datamodules.tables import KINDS, place_of, read_texts
from rnnrepair.datamodules.text.cleaning import LoadedTexts
from rnnrepair.datamodules.text.text_datamodule import TextDataModule
from rnnrepair.errors import DataError
from rnnrepair.sequences import SampleNames, names_from
from rnnrepair.settings import ProperShare, check_settings, one_of

log = logging.getLogger(__name__)

PARTS = ("train", "val", "test")
WRITTEN_WHOLE = re.compile(r"-?\d+\.0")


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
        columns: Sequence[str] = (),
        classes: Sequence[Any] | None = None,
        test_share: ProperShare = 0.2,
        separator: Annotated[str, one_of(CHOICES)] | None = None,
        encoding: str = "utf-8",
        strip_labels: bool = False,
        **text: Any,
    ) -> None:
        """Name the file and its columns.

        Args:
            path: of the file; csv, tsv and jsonl may be gzipped.
            text_column: column of the texts.
            label_column: column of the names of classes.
            split_column: column that says ``train``, ``val`` or ``test``; where None, a test set
                is held out.
            id_column: column whose values must not occur twice; texts are called by them. Where
                None, they are called by the number of their row, from 0, as pandas counts.
            group_column: column whose values never stand in two splits (authors, products).
            columns: further ones (source, device); patterns of failures are looked for in them, as
                in ``group_column``.
            classes: names of the classes in the order of their numbers; None takes those found.
            test_share: share held out for test where there is no split column.
            separator: between the columns of csv, by name or as it is; None finds it.
            encoding: of csv, tsv and jsonl.
            strip_labels: make labels that differ by blanks or case alone one class.
            **text: see ``TextDataModule``.

        Raises:
            SettingsError: no path, another kind of file, or a value out of range.
        """
        check_settings(CSVTextDataModule, locals(), _known_kind, known_encoding)
        super().__init__([_name(c) for c in classes] if classes else None, **text)
        self.path = Path(path).expanduser()
        self.text_column = text_column
        self.label_column = label_column
        self.split_column = split_column
        self.id_column = id_column
        self.group_column = group_column
        named = dict.fromkeys((group_column, *columns))
        self.more_columns = [name for name in named if name is not None]
        self.test_share = test_share
        self.separator = separator
        self.encoding = encoding
        self.strip_labels = strip_labels

    def read(self) -> LoadedTexts:
        """Read the file; letters with combining marks become one character (Unicode's form NFC).

        Raises:
            DataError: it is missing or damaged, lacks a column, or has ids twice.
        """
        table = self._table()
        if len(table) == 0:
            raise DataError(f"{self.path} has no rows below its header: give a file with texts.")
        names = self._names(table)
        nothing = table[self.text_column].isna() | table[self.label_column].isna()
        nothing |= table[self.label_column].astype(str).str.strip() == ""
        if nothing.any():
            log.warning(
                "%s: %d of %d rows have no text or no label and are left out, the first is %s.",
                self.path,
                int(nothing.sum()),
                len(table),
                self._place(int(nothing.to_numpy().argmax())),
            )
            table = table[~nothing]
            names = names.select(~nothing.to_numpy())
        self._check(table)
        texts = [unicodedata.normalize("NFC", _text(value)) for value in table[self.text_column]]
        labels = one_spelling(
            _class_names(table[self.label_column], self.classes or ()),
            str(self.path),
            merge=self.strip_labels,
            classes=self.classes or (),
        )
        groups = self._groups(table)
        if self.split_column is None:
            sizes, rows = [len(labels), 0], list(range(len(labels)))
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
            names=names.select(rows),
            columns=column_values(
                {name: table[name].iloc[rows] for name in self.more_columns}, self.path.name
            ),
            test_share=self.test_share if self.split_column is None else None,
        )

    def _names(self, table: pd.DataFrame) -> SampleNames:
        if self.id_column is None:
            return SampleNames(np.arange(len(table)), "row", f"row of {self.path.name}, from 0")
        told = f"column {self.id_column!r} of {self.path.name}"
        return names_from(table[self.id_column], self.id_column, told)

    def _groups(self, table: pd.DataFrame) -> Tensor | None:
        if self.group_column is None:
            return None
        source = f"{self.path}: column {self.group_column!r}"
        rows = table.index
        return group_numbers(
            table[self.group_column], len(table), source, lambda i: self._place(int(rows[i]))
        )

    def _table(self) -> pd.DataFrame:
        if not self.path.is_file():
            raise DataError(f"{self.path.resolve()} does not exist: set path.")
        return read_texts(self.path, self._columns(), self.separator, self.encoding)

    def _columns(self) -> list[tuple[str, str]]:
        """Return the arguments that name a column, with what they name."""
        wanted = {
            "text_column": self.text_column,
            "label_column": self.label_column,
            "split_column": self.split_column,
            "id_column": self.id_column,
            "group_column": self.group_column,
        }
        named = [(argument, column) for argument, column in wanted.items() if column is not None]
        known = {column for _, column in named}
        return named + [("columns", name) for name in self.more_columns if name not in known]

    def _place(self, row: int) -> str:
        return place_of(row, self.path, self._columns(), self.separator, self.encoding)

    def _check(self, table: pd.DataFrame) -> None:
        numbers = pd.to_numeric(table[self.label_column], errors="coerce").dropna()
        different = numbers.nunique()
        fractions = bool((numbers != numbers.round()).any())
        if fractions and len(numbers) > 1 and 2 * different > len(table):
            raise DataError(
                f"{self.path}: the column {self.label_column!r} holds {different} different "
                f"numbers in {len(table)} rows, such as {numbers.iloc[0]}: expected names of "
                "classes. Real-valued targets are not supported; cut them into classes."
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
            part = table[self.split_column]
            wrong = ~part.isin(PARTS)
            if wrong.any():
                found = ["nothing" if pd.isna(name) else name for name in part[wrong].unique()]
                raise DataError(
                    f"{self.path}: the column {self.split_column!r} must hold {list(PARTS)}, found "
                    f"{sorted(map(str, found))[:5]} in {int(wrong.sum())} rows, the first is "
                    f"{self._place(int(table.index[wrong][0]))}."
                )


def _known_kind(path: str) -> str | None:
    if path and kind_of(Path(path)) in KINDS:
        return None
    return (
        f"expected a file that ends in one of {list(KINDS)} (csv, tsv and jsonl also with .gz), "
        f"got {path!r}"
    )


def _class_names(labels: "pd.Series[Any]", classes: Sequence[str]) -> list[str]:
    """Return labels as names of classes; whole numbers in a column with gaps are written 1.0.

    Those stay as they are written where classes are given that are written so.
    """
    names = [_name(label) for label in labels]
    whole = all(map(WRITTEN_WHOLE.fullmatch, names)) and not set(names) <= set(classes)
    return [name[:-2] for name in names] if whole else names


def _name(label: Any) -> str:
    """Return a label as the name of a class: 1.0 and 1 are the same."""
    return str(int(label)) if isinstance(label, float) and label.is_integer() else str(label)


def _text(value: object) -> str:
    """Return a text as it is, and one that has been cut into words with a space between them."""
    if isinstance(value, list | tuple | np.ndarray):
        return " ".join(map(str, value))
    return str(value)
