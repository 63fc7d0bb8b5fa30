"""Turn a multirun into one table: ``python scripts/summarize.py <multirun folder> [--wandb]``.

Writes ``summary/`` into the folder: the table, a figure for every metric, and all jobs as parallel
coordinates.
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
from rnnrepair.report.sweep_figures import sweep_figures
from rnnrepair.report.sweep_table import print_sweep
from rnnrepair.runs import METRICS, read_sweep
from rnnrepair.runs.jobs import jobs_of, outcome_lines


def main() -> None:
    """Read the jobs, print the table, write it and its figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of a multirun")
    parser.add_argument(
        "--wandb", action="store_true", help="log jobs, table and figures to W&B too"
    )
    arguments = parser.parse_args()
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
