"""Compare the strategies of a multirun: ``python scripts/compare.py <multirun folder>``.

Prints a table and writes ``comparison.csv`` into the folder.
"""

import argparse
import sys
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table

from rnnrepair.errors import DataError
from rnnrepair.report.comparison import (
    compare,
    read_runs,
    references,
    unequal_budgets,
    unpaired_seeds,
)

PERCENT = {"test_repaired_share", "repaired_share"}


def main() -> None:
    """Read the runs, compare, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of a multirun")
    parser.add_argument("--markdown", action="store_true", help="print a Markdown table")
    arguments = parser.parse_args()
    try:
        runs = read_runs(arguments.folder)
    except DataError as error:
        sys.exit(f"compare: {error}")
    table = compare(runs)
    table.to_csv(arguments.folder / "comparison.csv", index=False)
    against = references(runs)
    rows = [_cells(row, against) for _, row in table.iterrows()]
    header = ["metric", "strategy", "seeds", "mean", "95 % interval"]
    header += [f"minus {name} (p)" for name in against]
    if arguments.markdown:
        for line in (header, ["---"] * len(header), *rows):
            print("| " + " | ".join(line) + " |")
    else:
        pretty = Table(*header, title=str(arguments.folder))
        for cells in rows:
            pretty.add_row(*cells)
        Console().print(pretty)
    unequal = unequal_budgets(runs)
    if unequal:
        print(
            f"UNEQUAL BUDGETS: in seeds {unequal} strategies injected different numbers of samples "
            "(a stop reason in summary.json says why): set repair.patience to repair.rounds."
        )
    for strategy, seeds in unpaired_seeds(runs).items():
        print(f"{strategy} lacks seeds {seeds}: its pairs use the seeds that both have.")


def _cells(row: "pd.Series[float]", against: list[str]) -> list[str]:
    metric = str(row["metric"])
    cells = [
        metric,
        str(row["strategy"]),
        str(row["seeds"]),
        _number(row["mean"], metric),
        f"{_number(row['low'], metric)} .. {_number(row['high'], metric)}",
    ]
    return cells + [_difference(row, name, metric) for name in against]


def _difference(row: "pd.Series[float]", reference: str, metric: str) -> str:
    """Return the paired difference to a reference and its p-value, where there is one."""
    difference, p = row.get(f"diff_{reference}"), row.get(f"p_{reference}")
    if row["strategy"] == reference or pd.isna(difference):
        return ""
    told = _number(difference, metric, sign=True)
    return told if pd.isna(p) else f"{told} ({p:.2g})"


def _number(value: float, metric: str, *, sign: bool = False) -> str:
    plus = "+" if sign else ""
    if metric in PERCENT:
        return f"{value:{plus}.1%}"
    return f"{value:{plus}.4f}" if metric == "test_accuracy" else f"{value:{plus}.2f}"


if __name__ == "__main__":
    main()
