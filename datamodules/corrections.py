"""Labels that somebody has looked at: a table that says which to change, and what to drop."""

import codecs
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.utilities import rank_zero_info
from torch import Tensor

from rnnrepair.datamodules.files import kind_of, read_bytes
from rnnrepair.datamodules.tables import open_table
from rnnrepair.errors import DataError
from rnnrepair.protocols import Split
from rnnrepair.sequences import Corrected, SampleNames

log = logging.getLogger(__name__)

ACTIONS = ("relabel", "drop", "keep")
# Rows that a message names, and classes.
TOLD, CLASSES_TOLD = 3, 10
# What spreadsheets save tables as, where it is not utf-8.
OF_SPREADSHEETS = "cp1252"


@dataclass(frozen=True)
class Corrections:
    """What a table says of the labels of a data set.

    Attributes:
        source: the file.
        relabelled: (r,) int64 indices.
        new_label: (r,) int64 their labels from now on.
        dropped: (d,) int64 indices of sequences that no split holds any more.
        kept: (k,) int64 indices of sequences whose label is right as it is.
    """

    source: str
    relabelled: Tensor
    new_label: Tensor
    dropped: Tensor
    kept: Tensor

    @property
    def said(self) -> Corrected:
        """What is told of it, and what it says of labels that look wrong."""
        return Corrected(self.source, self.relabelled, self.dropped, self.kept)

    def apply(
        self, label: Tensor, splits: Mapping[Split, Tensor]
    ) -> tuple[Tensor, dict[Split, Tensor]]:
        """Return the (n,) labels and the splits after the corrections, and tell how many there are.

        Splits are those that were drawn without them, so that runs can be compared.

        Raises:
            DataError: a class has no training sample left, or a split no sample.
        """
        corrected = label.clone()
        corrected[self.relabelled] = self.new_label
        left = {name: rows[~torch.isin(rows, self.dropped)] for name, rows in splits.items()}
        empty = [name for name, rows in left.items() if len(rows) == 0 < len(splits[name])]
        before, after = (
            set(of[rows["fit"]].tolist()) for of, rows in ((label, splits), (corrected, left))
        )
        if empty or before - after:
            raise DataError(
                f"{self.source}: nothing is left of {[*empty, *sorted(before - after)]} (splits, "
                "and classes of fit, by number): drop and relabel fewer."
            )
        told = [
            f"{name} {int(torch.isin(rows, self.relabelled).sum())} relabelled, "
            f"{len(rows) - len(left[name])} dropped, {int(torch.isin(rows, self.kept).sum())} kept"
            for name, rows in splits.items()
        ]
        rank_zero_info(f"Corrections of {self.source}: {'; '.join(told)}.")
        return corrected, left


def read_corrections(
    path: Path,
    names: SampleNames,
    label: Tensor,
    class_of: Callable[[str], int | None],
    classes: Sequence[str],
) -> Corrections:
    """Read a table with the columns ``action``, ``name`` or ``index``, and ``label``.

    A run writes such a table (``suspects.csv``), with the column ``suggested`` beside it.
    Relabelled is to what stands in ``label`` where that is not the label that the sample has, else
    to what is suggested. ``keep`` changes nothing, and says that the label is right: no evidence
    makes it suspect again. Rows without an action say nothing. Where ``label_was`` tells another
    label than the sample has, somebody has changed it since: such rows are refused.

    Args:
        path: csv, tsv or parquet.
        names: of the n samples.
        label: (n,) they have.
        class_of: number of a class by its name, None for none.
        classes: their names, for people.

    Raises:
        DataError: names the rows that are wrong, and what to write.
    """
    file = open_table(path, encoding=_encoding_of(path), tell=False)
    table = file.texts().fillna("")
    if "action" not in table.columns:
        raise DataError(
            f"{path} has the columns {list(table.columns)}: one called action must say what to do "
            f"with a row ({', '.join(ACTIONS)}, or nothing)."
        )
    if not {"name", "index"} & set(table.columns):
        raise DataError(
            f"{path} has the columns {list(table.columns)}: one called name or index must say "
            "which sample a row is of."
        )
    if (table["action"].astype(str).str.strip() == "").all():
        log.warning(
            "%s changes nothing, for no row has an action: write %s into its column action.",
            path,
            " or ".join(ACTIONS),
        )
    said: dict[int, tuple[str, int | None, int]] = {}
    wrong = []
    for number, row in enumerate(table.astype(str).to_dict("records")):
        fields = {name: value.strip() for name, value in row.items()}
        if fields["action"] == "":
            continue
        try:
            index, new = _change(fields, names, label, class_of)
            *before, first = said.setdefault(index, (fields["action"], new, number))
            if before != [fields["action"], new]:
                raise ValueError(
                    f"sample {index} ({names.of(torch.tensor([index]))[0]}) has another action or "
                    f"label in {file.place(first)}: leave one of the two rows"
                )
        except ValueError as error:
            wrong.append((number, error))
    if wrong:
        unknown = any(isinstance(error, _UnknownClassError) for _, error in wrong)
        known = f" {_known(classes)}" if unknown else ""
        more = f" and {len(wrong) - TOLD} more" if len(wrong) > TOLD else ""
        told = [f"{file.place(number)} ({error})" for number, error in wrong[:TOLD]]
        raise DataError(f"{path}: {'; '.join(told)}{more}.{known}")
    of = {
        action: [(index, new) for index, (its, new, _) in said.items() if its == action]
        for action in ACTIONS
    }
    return Corrections(
        str(path),
        torch.tensor([index for index, _ in of["relabel"]], dtype=torch.int64),
        torch.tensor([new for _, new in of["relabel"]], dtype=torch.int64),
        *(torch.tensor([i for i, _ in of[action]], dtype=torch.int64) for action in ACTIONS[1:]),
    )


class _UnknownClassError(ValueError):
    """A label that the data do not have."""


def _known(classes: Sequence[str]) -> str:
    more = ", ..." if len(classes) > CLASSES_TOLD else ""
    return f"The classes are {', '.join(map(repr, classes[:CLASSES_TOLD]))}{more}."


def _encoding_of(path: Path) -> str:
    """Return how a table is encoded: the data have an encoding of their own."""
    content = b"" if kind_of(path) == ".parquet" else read_bytes(path)
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    try:
        content.decode()
    except UnicodeDecodeError:
        log.warning("%s is not utf-8: it is read as %s.", path, OF_SPREADSHEETS)
        return OF_SPREADSHEETS
    return "utf-8"


def _change(
    row: Mapping[str, Any],
    names: SampleNames,
    label: Tensor,
    class_of: Callable[[str], int | None],
) -> tuple[int, int | None]:
    """Return the sample of a row and its new label, None where it is dropped or kept.

    Raises:
        ValueError: says what is wrong with the row.
    """
    index, action = _sample(row, names, len(label)), row["action"]
    if action == "drop":
        return index, None
    if action not in ACTIONS:
        raise ValueError(f"action {action!r}: write one of {', '.join(ACTIONS)}, or nothing")
    present = int(label[index])
    if _class(row, "label_was", class_of) not in (None, present):
        raise ValueError(
            f"its label was {row['label_was']} when the table was written, and is another now: "
            "look at it again, and delete the row, or write the present label into label_was"
        )
    if action == "keep":
        return index, None
    new, suggested = (_class(row, column, class_of) for column in ("label", "suggested"))
    if suggested == present and new not in (None, present):
        raise ValueError("it has the suggested label already: delete the row")
    for written in (new, suggested):
        if written is not None and written != present:
            return index, written
    raise ValueError("relabel without another label than it has: write it into the column label")


def _class(
    row: Mapping[str, Any], column: str, class_of: Callable[[str], int | None]
) -> int | None:
    """Return the class that a column tells, None where it is empty or not there.

    Raises:
        ValueError: the data have no such class.
    """
    written = row.get(column, "")
    found = class_of(written) if class_of(written) is not None else class_of(_whole(written))
    if written and found is None:
        raise _UnknownClassError(f"{column} {written!r} is no class of these data")
    return found


def _whole(written: str) -> str:
    """Return 3 for 3.0: columns of numbers with gaps are written so."""
    whole = written.removesuffix(".0")
    return whole if whole.isdecimal() else written


def _sample(row: Mapping[str, Any], names: SampleNames, n: int) -> int:
    """Return the index of the sample that a row is of, found by its index or its name."""
    name, written = row.get("name", ""), _whole(row.get("index", ""))
    if written:
        if not written.isdecimal() or int(written) >= n:
            raise ValueError(f"index {written!r}: these data have 0 .. {n - 1}")
        called = str(names.of(torch.tensor([int(written)]))[0])
        if name and name != called:
            raise ValueError(
                f"index {written} is called {called!r} and not {name!r}: the table is of other "
                "data, or of other splits or groups of them, which number samples otherwise. Where "
                "the names are still those of your data, leave the column index out"
            )
        return int(written)
    (found,) = names.find([name])
    if len(found) != 1:
        such = ", ".join(repr(str(known)) for known in names.of(torch.arange(min(3, n))))
        raise ValueError(
            f"name {name!r} is of {len(found)} samples, expected one; names are such as {such}"
            + (": write index instead" if len(found) > 1 else "")
        )
    return int(found[0])
