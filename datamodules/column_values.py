"""Columns that patterns are looked for in: values as people write them, missing ones too."""

import logging
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch

from rnnrepair.errors import DataError
from rnnrepair.sequences import value_text

log = logging.getLogger(__name__)

# What a missing value is called: that it is missing may be what failures share.
MISSING = "missing"


def column_values(columns: Mapping[str, Iterable[Any]], source: str) -> dict[str, list[str]]:
    """Return the values of columns as strings; missing ones are a value of their own.

    Missing are empty texts, NaN and None. Whole numbers lose their point, so that 3.0 is 3.

    Args:
        columns: a value of each sample, by the name of the column.
        source: what the log calls the data.

    Raises:
        DataError: a column with more than a value for a sample.
    """
    found, told = {}, []
    for name, values in columns.items():
        plain = list(values.numpy() if isinstance(values, torch.Tensor) else values)
        if any(isinstance(value, list | tuple | dict | np.ndarray) for value in plain):
            raise DataError(f"{source}: column {name!r} needs one value for each sample, got many.")
        found[name] = [_written(value) for value in plain]
        n_missing = found[name].count(MISSING)
        if n_missing:
            told.append(f"{name} for {n_missing} of {len(found[name])}")
    if told:
        log.info(
            "%s: columns have no value: %s samples; they have the value %r there.",
            source,
            ", ".join(told),
            MISSING,
        )
    return found


def _dated(value: pd.Timestamp) -> str:
    """Return a time as ISO 8601 has it, and of midnight the date alone (not of one zone)."""
    midnight = value.tz is None and value == value.normalize()
    return value.date().isoformat() if midnight else value.isoformat(sep=" ")


def _written(value: Any) -> str:
    if isinstance(value, np.floating) and not value.is_integer():
        # As people read it: .3 in single precision is 0.3, not 0.30000001192092896.
        return MISSING if np.isnan(value) else str(value)
    if isinstance(value, np.datetime64 | pd.Timestamp):
        return MISSING if pd.isna(value) else _dated(pd.Timestamp(value))
    if isinstance(value, np.generic | torch.Tensor):
        value = value.item()
    if not isinstance(value, str):
        if value is None or bool(pd.isna(value)):
            return MISSING
        return value_text(value)
    return value if value.strip() else MISSING
