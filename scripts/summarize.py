"""Turn a multirun into one table: ``python scripts/summarize.py <multirun folder> [--wandb]``.

Writes ``summary/`` into the folder: the table, a figure for every metric, and all jobs as parallel
coordinates. With ``--study NAME`` (backdoor, mislabel, validity), puts the rows of that study of
all runs in the folder together instead, as ``study/NAME/``; the rows themselves, csv files, are
read as well.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from rnnrepair.atomic import write_folder
from rnnrepair.callbacks.wandb.logger import wandb_logger
from rnnrepair.errors import DataError, IncompatibleCheckpointError
from rnnrepair.report.print_table import print_table
from rnnrepair.report.studies import WrittenStudy, read_studies, write_study
from rnnrepair.report.sweep_figures import sweep_figures
from rnnrepair.report.sweep_table import print_sweep
from rnnrepair.runs import METRICS, read_sweep
from rnnrepair.runs.jobs import jobs_of, outcome_lines
from rnnrepair.studies import StudyResult, backdoor_seeds, mislabel_tables, validity_tables

# Studies whose rows can be put together: how, and what is said of them.
MERGED = {
    "backdoor": backdoor_seeds,
    "mislabel": mislabel_tables,
    "validity": validity_tables,
}


def main() -> None:
    """Read the jobs, print the table, write it and its figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of a multirun")
    parser.add_argument(
        "--wandb", action="store_true", help="log jobs, table and figures to W&B too"
    )
    parser.add_argument("--study", choices=sorted(MERGED), help="of all jobs, as one")
    parser.add_argument("--markdown", action="store_true", help="print its tables as Markdown")
    arguments = parser.parse_args()
    if arguments.study:
        try:
            told = study_of(arguments.folder, arguments.study, markdown=arguments.markdown)
        except (DataError, IncompatibleCheckpointError) as error:
            sys.exit(f"summarize: {error}")
        print("\n".join(told))
        return
    if arguments.markdown:
        parser.error("--markdown prints the tables of a study: name it with --study")
    try:
        table, varied = read_sweep(arguments.folder)
    except (DataError, IncompatibleCheckpointError) as error:
        sys.exit(f"summarize: {error}")
    figures = sweep_figures(table, varied)
    with write_folder(arguments.folder / "summary") as draft:
        table.to_csv(draft / "sweep.csv", index=False)
        for name, figure in figures.items():
            file = name.replace("/", "_")
            figure.savefig(draft / f"{file}.png")
            figure.savefig(draft / f"{file}.svg", metadata={"Date": None})
    print_sweep(table, varied, str(arguments.folder))
    for line in outcome_lines(jobs_of(arguments.folder)):
        print(f"Left out, because it failed or did not end: {line}")
    print(f"Figures: {arguments.folder / 'summary'}")
    if arguments.wandb:
        log_to_wandb(arguments.folder, table, varied, figures)


def study_of(folder: Path, name: str, *, markdown: bool) -> list[str]:
    """Print the tables of a study of several runs, and return what is said of them.

    Args:
        folder: of runs, or of the rows that were put together before (docs/data/NAME).
        name: of the study.
        markdown: whether the tables are for a file.

    Raises:
        DataError: there are neither.
        IncompatibleCheckpointError: a run cannot be read.
    """
    kind = MERGED[name]
    # The contrasts say what the controls were. A folder of runs holds those of its arms.
    files = {table: folder / f"{table}.csv" for table in (*kind.ROWS, "contrasts")}
    rows = {table: pd.read_csv(file) for table, file in files.items() if file.is_file()}
    if rows.keys() - {"contrasts"}:
        lacking = [str(files[table]) for table in kind.NEEDED if table not in rows]
        if lacking:
            raise DataError(f"{', '.join(lacking)}: expected beside {', '.join(rows)} in {folder}.")
        found = kind.merged([rows])
        told = kind.told(found)
    else:
        written = put_together(folder, name)
        found = {table: written.table(table) for table in written.tables}
        told = [*written.conclusion, f"Tables and figures: {written.folder}"]
    for table in kind.shown(found):
        print_table(table, markdown=markdown)
    return told


def put_together(folder: Path, name: str) -> WrittenStudy:
    """Write the rows of a study of all runs in a folder, such as a multirun, as one study.

    Raises:
        DataError: no run has left such a study.
        IncompatibleCheckpointError: one cannot be read.
    """
    runs = sorted(path.parents[2] for path in folder.glob(f"*/study/{name}/study.json"))
    studies = [study for run in runs for study in read_studies(run)]
    tables = [{t: s.table(t) for t in s.tables} for s in studies if s.name == name and s.tables]
    if not tables:
        raise DataError(
            f"{folder} holds no run with the study {name}: expected folders with study/{name}/ in "
            f"them, as train.py -m ... study={name} leaves them."
        )
    found = MERGED[name].merged(tables)
    told = MERGED[name].told(found)
    return write_study(folder, name, StudyResult(found, told), {"jobs": len(tables)})


def log_to_wandb(
    folder: Path, table: pd.DataFrame, varied: Sequence[str], figures: dict[str, Figure]
) -> None:
    """Log a run for each job, and one with the table and the figures, all in one group.

    W&B draws parallel coordinates of runs: settings are in their configuration, metrics in their
    summary.
    """
    import wandb  # slow import, needed only here

    group = f"summary of {folder}"
    metrics = [name for name in table if name in METRICS]
    for row in table.to_dict("records"):
        settings = {name: row[name] for name in ("job", *varied)}
        run = wandb_logger(
            str(folder),
            "rnnrepair",
            name=f"job {row['job']}",
            group=group,
            job_type="job",
            config=settings,
        ).experiment
        run.summary.update({name: row[name] for name in metrics if pd.notna(row[name])})
        run.finish()
    run = wandb_logger(
        str(folder), "rnnrepair", name=group, group=group, job_type="sweep"
    ).experiment
    entries: dict[str, object] = {"sweep/jobs": wandb.Table(dataframe=table)}
    entries |= {f"sweep/{name}": wandb.Image(figure) for name, figure in figures.items()}
    run.log(entries)
    run.finish()


if __name__ == "__main__":
    main()
