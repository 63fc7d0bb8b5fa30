"""Which character separates the columns of a table: told by its header, then by its rows."""

import csv
import io
from collections.abc import Sequence

from rnnrepair.errors import DataError

# By name and as they are: a tab or a semicolon is hard to write on a command line.
SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|"}
CHOICES = (*SEPARATORS, *SEPARATORS.values())


def name_of(separator: str) -> str:
    """Return what a separator is called."""
    return next(name for name, character in SEPARATORS.items() if character == separator)


def find_separator(head: str, wanted: Sequence[str], usual: str, source: str) -> str:
    """Return the character that separates the columns.

    It is the one by which the header has the columns that are wanted. Texts are full of commas and
    semicolons, but a header is not. Where no separator gives those columns (they are called
    otherwise), it is the one by which all rows have as many fields as the header.

    Args:
        head: the first rows of the table, whole.
        wanted: names of columns that it should have.
        usual: what is taken where nothing fits, so that reading says what is wrong.
        source: what messages call the table.

    Raises:
        DataError: two separators fit.
    """
    rows = {separator: _rows(head, separator) for separator in SEPARATORS.values()}
    of_several = [separator for separator, found in rows.items() if found and len(found[0]) > 1]
    fit = [one for one in of_several if wanted and set(wanted) <= set(names_in(rows[one][0]))]
    if not fit:
        fit = [one for one in of_several if len({len(row) for row in rows[one]}) == 1]
    if len(fit) > 1:
        columns = "; ".join(f"{name_of(one)}: {names_in(rows[one][0])[:6]}" for one in fit)
        choices = " or ".join(f"separator={name_of(one)}" for one in fit)
        raise DataError(
            f"{source}: its columns may be separated in several ways ({columns}): set {choices}."
        )
    return fit[0] if fit else usual


def names_in(header: Sequence[str]) -> list[str]:
    """Return the names of columns without the blanks around them."""
    return [name.strip() for name in header]


def _rows(head: str, separator: str) -> list[list[str]]:
    """Return the rows that are not empty, as lists of their fields."""
    reader = csv.reader(io.StringIO(head, newline=""), delimiter=separator)
    try:
        rows = [row for row in reader if row]
    except csv.Error:  # a quote that never closes
        return []
    # The last one may be cut in the middle of a field.
    return rows[:-1] if len(rows) > 2 else rows
