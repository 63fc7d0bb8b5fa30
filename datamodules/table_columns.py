"""Which columns a table has: those that are wanted, and those without a name."""

import logging
import re
from collections.abc import Sequence
from pathlib import Path

from rnnrepair.datamodules.files import kind_of
from rnnrepair.errors import DataError

log = logging.getLogger(__name__)

# What pandas calls a column whose header is empty, such as the row numbers that it writes itself.
UNNAMED = re.compile(r"Unnamed: \d+")


def check_columns(
    path: Path,
    header: Sequence[str],
    wanted: Sequence[tuple[str, str]],
    told: Sequence[tuple[str, str]] = (),
) -> None:
    """Refuse a table without the columns that are named.

    Args:
        path: of the table.
        header: columns that it has.
        wanted: pairs of an argument and the column that it names.
        told: see ``open_table``.

    Raises:
        DataError: names the arguments, the columns and those there are.
    """
    if any(column not in header for _, column in wanted):
        missing = [
            (argument, column) for argument, column in [*told, *wanted] if column not in header
        ]
        shown = ", ".join(map(repr, header[:12])) + (", ..." if len(header) > 12 else "")
        columns = " and no column ".join(repr(column) for _, column in missing)
        arguments = [argument for argument, _ in missing]
        if len(header) == 1 and kind_of(path) != ".parquet":
            arguments.append("separator")
        raise DataError(
            f"{path} has no column {columns}, it has {shown}: set {' and '.join(arguments)}."
        )


def named_columns(path: Path, header: Sequence[str]) -> list[str]:
    """Return the columns that have a name; says which are left out."""
    unnamed = [i + 1 for i, name in enumerate(header) if not name or UNNAMED.fullmatch(name)]
    if unnamed:
        log.warning(
            "%s: columns without a name are left out (number %s): row numbers are no data.",
            path,
            ", ".join(map(str, unnamed)),
        )
    return [name for i, name in enumerate(header) if i + 1 not in unnamed]
