"""Turn a multirun into one table: ``python scripts/summarize.py <multirun folder> [--wandb]``.

Writes ``summary/`` into the folder: the table, a figure for every metric, and all jobs as parallel
coordinates.
"""

import argparse
import sys
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from callbacks.wandb_logger import wandb_logger
from rnnrepair.atomic import write_folder
from rnnrepair.errors import DataError
from rnnrepair.report.jobs import jobs_of, outcome_lines
from rnnrepair.report.sweeps import read_sweep, sweep_figures


def main() -> None:
    """Read the jobs, print the table, write it and its figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of a multirun")
    parser.add_argument("--wandb", action="store_true", help="log table and figures to W&B too")
    arguments = parser.parse_args()
    try:
        table, varied = read_sweep(arguments.folder)
    except DataError as error:
        sys.exit(f"summarize: {error}")
    figures = sweep_figures(table, varied)
    with write_folder(arguments.folder / "summary") as draft:
        table.to_csv(draft / "sweep.csv", index=False)
        for name, figure in figures.items():
            figure.savefig(draft / f"{name}.png")
            figure.savefig(draft / f"{name}.svg", metadata={"Date": None})
    pretty = Table(*table.columns, title=str(arguments.folder))
    for row in table.itertuples(index=False):
        pretty.add_row(*(f"{v:.4g}" if isinstance(v, float) else escape(str(v)) for v in row))
    Console().print(pretty)
    for line in outcome_lines(jobs_of(arguments.folder)):
        print(f"Left out, because it failed or did not end: {line}")
    print(f"Figures: {arguments.folder / 'summary'}")
    if arguments.wandb:
        log_to_wandb(arguments.folder, table, figures)


def log_to_wandb(folder: Path, table: pd.DataFrame, figures: dict[str, Figure]) -> None:
    """Log the table, which W&B can draw as parallel coordinates itself, and the figures."""
    import wandb  # slow import, needed only here

    logger = wandb_logger(str(folder), "rnnrepair", name=f"summary of {folder}", job_type="sweep")
    entries: dict[str, object] = {"sweep/jobs": wandb.Table(dataframe=table)}
    entries |= {f"sweep/{name}": wandb.Image(figure) for name, figure in figures.items()}
    logger.experiment.log(entries)
    logger.experiment.finish()


if __name__ == "__main__":
    main()
