"""Which part and which group each recording stands in."""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch

from rnnrepair.datamodules.groups import Groups, group_numbers, refuse_labels
from rnnrepair.datamodules.held_out import hold_out
from rnnrepair.datamodules.sequences import Sequences
from rnnrepair.datamodules.series.raw import PARTS, RawSeries
from rnnrepair.errors import DataError

log = logging.getLogger(__name__)

TEST = PARTS.index("test")


def groups_of(raw: RawSeries, name: str, id_column: str, source: str) -> np.ndarray:
    """Return (N,) int64 groups of the recordings.

    Args:
        raw: the recordings.
        name: of the column that tells them.
        id_column: see ``RawSeries.called``.
        source: what messages call the data.

    Raises:
        DataError: there is no such column, it has missing values or a single one, or it tells the
            labels.
    """
    column = column_of(raw, name, "group", source)
    number = group_numbers(
        column.tolist(), len(raw), f"{source}: group {name!r}", lambda i: raw.called(i, id_column)
    )
    label, _ = pd.factorize(raw.labels)
    refuse_labels(number, torch.from_numpy(label), source)
    return number.numpy()


def official_parts(raw: RawSeries) -> np.ndarray | None:
    """Return the (N,) places in ``PARTS`` that the files tell; None where they tell none."""
    if raw.part is None:
        return None
    return np.array([PARTS.index(name) for name in raw.part.tolist()], dtype=np.int64)


def parts_by_group(
    raw: RawSeries, test_by: str, test_groups: Sequence[Any], source: str
) -> np.ndarray:
    """Return the (N,) places in ``PARTS``: test is what has one of some values in a column.

    Args:
        raw: the recordings.
        test_by: the column.
        test_groups: the values.
        source: what messages call the data.

    Raises:
        DataError: there is no such column, or a value that it does not hold.
    """
    column = column_of(raw, test_by, "test_by", source)
    n_missing = int(pd.isna(column).sum())
    if n_missing:
        raise DataError(
            f"{source}: {n_missing} recordings have no {test_by!r}, and test_by needs one of each: "
            "fill it in, or leave them out."
        )
    given = np.array([name_of(value) for value in column.tolist()])
    wanted = [name_of(value) for value in test_groups]
    absent = sorted(set(wanted) - set(given.tolist()))
    if absent:
        raise DataError(
            f"{source}: test_groups names {absent}, and {test_by!r} holds "
            f"{sorted(set(given.tolist()))[:12]}."
        )
    if raw.part is not None:
        log.info("%s: test_groups says what test is, not the official split.", source)
    return np.where(np.isin(given, wanted), TEST, 0).astype(np.int64)


def held_out_parts(raw: RawSeries, group: np.ndarray | None, test_share: float) -> np.ndarray:
    """Return the (N,) places in ``PARTS`` with a share of the recordings held out for test.

    Which they are is the same for every seed of a run; copies and groups stay together.
    """
    sequences = Sequences(torch.from_numpy(raw.values), torch.from_numpy(raw.offsets))
    named = None if group is None else torch.from_numpy(group)
    together = Groups(sequences.copies(), named).joined(len(raw))
    order, n_train = hold_out(raw.labels.tolist(), test_share, together)
    part = np.zeros(len(raw), dtype=np.int64)
    part[order[n_train:].numpy()] = TEST
    return part


def column_of(raw: RawSeries, name: str, argument: str, source: str) -> np.ndarray:
    """Return the (N,) values of a column.

    Args:
        raw: the recordings.
        name: of the column.
        argument: that names it.
        source: what messages call the data.

    Raises:
        DataError: there is no such column.
    """
    if name not in raw.columns:
        raise DataError(
            f"{source} has no column {name!r} with one value a recording, it has "
            f"{sorted(raw.columns)}: set {argument}."
        )
    return raw.columns[name]


def name_of(value: Any) -> str:
    """Return a value as people write it: 3.0 and 3 are the same."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
