"""In which line of its file a row of a table stands, for messages.

Editors and spreadsheets show the line; pandas skips empty ones, and a field in quotes may go over
several.
"""

import csv
import io
from itertools import islice


def line_of_row(content: str, row: int, separator: str = ",", *, quotes: bool = True) -> str:
    """Return where a row of csv or tsv begins, such as ``line 7``; its number where that fails.

    Args:
        content: of the file.
        row: number from 0, header aside.
        separator: between two fields.
        quotes: whether quotes hold a field together.
    """
    reader = csv.reader(
        io.StringIO(content, newline=""),
        delimiter=separator,
        quoting=csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE,
    )
    ended, rows_read = 0, 0
    try:
        for fields in reader:
            if not _is_empty(fields):
                if rows_read == row + 1:  # the header is read too
                    return f"line {ended + 1}"
                rows_read += 1
            ended = reader.line_num
    except csv.Error:  # a field that is too long for the module
        pass
    return number_of_row(row)


def line_of_json(content: str, row: int) -> str:
    """Return where a row of jsonl stands; see ``line_of_row``."""
    full = (number for number, line in enumerate(content.split("\n"), start=1) if line.strip())
    return f"line {next(islice(full, row, None))}"


def number_of_row(row: int) -> str:
    """Return the number of a row, for files without lines."""
    return f"row {row} (from 0)"


def _is_empty(fields: list[str]) -> bool:
    """Whether pandas skips a line: it is empty, or blank and without a separator."""
    return not fields or (len(fields) == 1 and fields[0].isspace())
