"""Render the page of a run again: ``python scripts/report.py run=<folder> [data_dir=<folder>]``.

From the record and the studies in its folder; sequences come from the data it was made with, and
injected samples from its last checkpoint.
"""

import logging
from pathlib import Path

import hydra
from omegaconf import DictConfig

from rnnrepair.callbacks.launch.finished import FinishedFolder, inject_again
from rnnrepair.callbacks.launch.refused_overrides import telling_refusals
from rnnrepair.callbacks.launch.threads import use_threads
from rnnrepair.callbacks.launch.unknown_keys import check_keys
from rnnrepair.callbacks.launch.user_errors import ending_in_one_line
from rnnrepair.errors import IncompatibleCheckpointError
from rnnrepair.report import write_page, write_pattern_figure

log = logging.getLogger("report")


def report(cfg: DictConfig) -> None:
    """Write ``report.html`` and the picture of patterns into the folder of a run.

    Raises:
        IncompatibleCheckpointError: there is nothing to show, or what is there cannot be read.
    """
    use_threads(cfg.threads)
    finished = FinishedFolder.open(Path(cfg.run).expanduser(), cfg.data_dir)
    saved = finished.checkpoint()
    data = finished.data(saved)
    inject_again(data, saved)
    page = write_page(finished.folder, data)
    if page is None:
        raise IncompatibleCheckpointError(
            f"run={finished.folder} has neither a record/ nor a study/: there is nothing to show. "
            "Train with callbacks=repair, or run scripts/study.py first."
        )
    write_pattern_figure(finished.folder, data)
    log.info("Written: %s", page)


@hydra.main(version_base="1.3", config_path="../configs", config_name="report")
def main(cfg: DictConfig) -> None:
    """Render the page; what a user can mend ends the program with one line."""
    with ending_in_one_line(log):
        check_keys(cfg, "report")
        report(cfg)


if __name__ == "__main__":
    with telling_refusals("report"):
        main()
