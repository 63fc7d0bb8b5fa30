"""Compare the arms of an experiment: ``python scripts/compare.py <folder of runs, or export>``.

Prints what every arm reached and the differences between arms. For a folder of runs, the tables
are written into it as well: arms.csv, contrasts.csv and classes.csv.
"""

import argparse
import sys
from pathlib import Path

import pandas as pd

from rnnrepair.atomic import write_file
from rnnrepair.errors import DataError, IncompatibleCheckpointError
from rnnrepair.paired import MIN_PAIRS, MIN_VALUES
from rnnrepair.report.print_table import print_table
from rnnrepair.runs.comparison import (
    Runs,
    Why,
    arm_table,
    class_accuracies,
    contrast_table,
    export_files,
    is_count,
    lacking_seeds,
    metric_table,
    parse_contrast,
    read_export,
    read_folder,
    unequal_injected,
    unequal_steps,
    write_export,
)
from rnnrepair.studies.printed import Printed

PERCENT = {
    *("test_repaired_share", "repaired_share", "efficiency"),
    *("interpolated_repaired_share", "interpolated_efficiency"),
    "repaired_share_at_equal_broken",
}


def main() -> None:
    """Read the runs, compare, write and print."""
    arguments = _arguments()
    source: Path = arguments.source
    try:
        runs = _read(source, arguments.other_start, arguments.export)
        also = [parse_contrast(text, runs) for text in arguments.also]
        refused = unequal_steps(runs) and not arguments.unequal_ok
        kept = write_export(runs, arguments.export) if arguments.export and not refused else None
    except (DataError, IncompatibleCheckpointError) as error:
        sys.exit(f"compare: {error}")
    arms, contrasts, classes = arm_table(runs), contrast_table(runs, also), class_accuracies(runs)
    if source.is_dir():
        tables = {"arms": arms, "contrasts": contrasts, "classes": classes.reset_index()}
        for name, table in tables.items():
            with write_file(source / f"{name}.csv") as draft:
                table.to_csv(draft, index=False)
    _print_arms(arms, markdown=arguments.markdown)
    _print_contrasts(contrasts, markdown=arguments.markdown)
    _print_not_compared(runs, contrasts)
    if arguments.classes:
        _print_classes(classes, markdown=arguments.markdown)
    if kept:
        print(f"{arguments.export} now holds {len(kept)} runs.")
    for arm, seeds in lacking_seeds(runs).items():
        print(f"{arm} lacks seeds {seeds}: its pairs use the seeds that both have.")
    if _print_unequal(runs) and not arguments.unequal_ok:
        if arguments.export:
            print(f"Nothing was added to {arguments.export}: --unequal-ok adds such runs too.")
        sys.exit(1)


def _read(source: Path, other_start: list[str], export: Path | None) -> Runs:
    if source.is_dir():
        # Arms may be added whose rivals are among the exported runs.
        there = other_start and export and any(file.is_file() for file in export_files(export))
        return read_folder(source, other_start, read_export(export) if there else ())
    if other_start:
        raise DataError("--other-start is for folders: an export tells which network counts.")
    return read_export(source)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "source", type=Path, help="folder of runs, or exported runs (with or without .csv)"
    )
    parser.add_argument("--markdown", action="store_true", help="print Markdown tables")
    parser.add_argument("--classes", action="store_true", help="print the accuracy of each class")
    parser.add_argument(
        "--also",
        action="append",
        default=[],
        metavar="ARM-ARM:METRIC",
        help="a difference that nobody named in advance, without a p; may be repeated",
    )
    parser.add_argument(
        "--export",
        type=Path,
        metavar="NAME",
        help="add the runs to NAME.csv and NAME.npz, which can be compared in place of the folder",
    )
    parser.add_argument(
        "--other-start",
        action="append",
        default=[],
        metavar="ARM",
        help="an arm that began with another network (true labels): its items count as repaired or "
        "broken by the unrepaired network of the other arms; may be repeated",
    )
    parser.add_argument(
        "--unequal-ok",
        action="store_true",
        help="export and end with 0 although arms made different numbers of steps",
    )
    return parser.parse_args()


def _print_arms(arms: pd.DataFrame, *, markdown: bool) -> None:
    rows = [
        [
            row["metric"],
            row["arm"],
            str(row["seeds"]),
            _number(row["mean"], row["metric"]),
            _range(row),
        ]
        for row in arms.to_dict("records")
    ]
    header = ["metric", "arm", "seeds", "mean", "95 % over seeds"]
    title = f"Arms (intervals from {MIN_VALUES} seeds on)"
    print_table(Printed(title, header, rows, keys=2), markdown=markdown)


def _print_contrasts(contrasts: pd.DataFrame, *, markdown: bool) -> None:
    header = ["metric", "difference", "pairs", "mean", "95 % interval", "drawn"]
    titles = {
        Why.NAMED: "Differences named in advance",
        Why.EVERY_ARM: "Every arm against none, and the arm of the experiment against every other",
    }
    for why, title in titles.items():
        family = contrasts[(contrasts["why"] == why) & (contrasts["pairs"] > 0)]
        rows = [
            [*_contrast(row), _p(row["p"]), _p(row["p_holm"])] for row in family.to_dict("records")
        ]
        if rows:
            told = f"{title} (p with at least {MIN_PAIRS} pairs, Holm over this table)"
            table = Printed(told, [*header, "p", "p (Holm)"], rows, keys=2)
            print_table(table, markdown=markdown)
    asked = contrasts[contrasts["why"] == Why.ASKED_FOR]
    rows = [_contrast(row) for row in asked.to_dict("records")]
    if rows:
        title = "Exploratory: not named in advance, no tests"
        print_table(Printed(title, header, rows, keys=2), markdown=markdown)


def _print_not_compared(runs: Runs, contrasts: pd.DataFrame) -> None:
    lacking = contrasts[(contrasts["pairs"] == 0) & (contrasts["why"] == Why.NAMED)]
    if len(lacking):
        names = [
            f"{row['of']} - {row['against']} ({row['metric']})"
            for row in lacking.to_dict("records")
        ]
        print(
            f"Named in comparison.contrasts, but not compared: {', '.join(names)}. No seed has "
            f"both arms with that metric; the arms here are {', '.join(runs.arms)}, the metrics "
            f"{', '.join(metric_table(runs))}."
        )


def _contrast(row: dict[str, object]) -> list[str]:
    metric = str(row["metric"])
    mean = _number(row["difference"], metric, sign=True)
    name = f"{row['of']} - {row['against']}"
    return [metric, name, str(row["pairs"]), mean, _range(row, sign=True), str(row["drawn"]) or "-"]


def _print_classes(classes: pd.DataFrame, *, markdown: bool) -> None:
    rows = [
        [str(arm), *(_number(value, "test_accuracy") for value in row)]
        for arm, row in zip(classes.index, classes.to_numpy(), strict=True)
    ]
    header = ["arm", *(str(label) for label in classes.columns)]
    title = "Test accuracy of each class, mean over seeds"
    print_table(Printed(title, header, rows), markdown=markdown)


def _print_unequal(runs: Runs) -> bool:
    injected, steps = unequal_injected(runs), unequal_steps(runs)
    if injected:
        print(
            "Unequal budgets: arms injected different numbers of samples "
            f"{_where(injected, runs)}; original samples were drawn in place of those that lack."
        )
    if steps:
        print(
            "UNEQUAL TRAINING: arms made different numbers of optimizer steps "
            f"{_where(steps, runs)}: set repair.patience to repair.rounds, so that no arm stops "
            "early."
        )
    return bool(steps)


def _where(by_seed: dict[int, dict[str, float]], runs: Runs) -> str:
    """Return in how many seeds arms differ, and what each had in the first of them."""
    seed, of_arms = next(iter(by_seed.items()))
    told = ", ".join(f"{arm} {value:g}" for arm, value in of_arms.items())
    return f"in {len(by_seed)} of {len(runs.seeds)} seeds (seed {seed}: {told})"


def _range(row: dict[str, object], *, sign: bool = False) -> str:
    if pd.isna(row["low"]):
        return "-"
    low, high = (_number(row[end], str(row["metric"]), sign=sign) for end in ("low", "high"))
    return f"{low} .. {high}"


def _p(value: float) -> str:
    return "-" if pd.isna(value) else f"{value:.2g}"


def _number(value: object, metric: str, *, sign: bool = False) -> str:
    if pd.isna(value):
        return "-"
    plus = "+" if sign else ""
    if metric in PERCENT:
        return f"{value:{plus}.1%}"
    if is_count(metric):
        # Means over seeds need a digit behind the point, whole numbers none.
        return f"{value:{plus},.1f}".removesuffix(".0")
    precise = metric.endswith(("_accuracy", "_factor"))
    return f"{value:{plus}.4f}" if precise else f"{value:{plus}.2f}"


if __name__ == "__main__":
    main()
