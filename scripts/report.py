"""Render the page of a run again: ``python scripts/report.py run=<folder> [data_dir=<folder>]``.

From the record and the studies in its folder; sequences come from the data it was made with, and
injected samples from its last checkpoint. Of a program of your own (``repair_chain``) both are
named, ``data=package:function checkpoint=FILE``; without them the page shows no sequences.
"""

import logging
from pathlib import Path
from typing import Any

import hydra
from omegaconf import DictConfig

from rnnrepair.callbacks.launch.finished import FinishedFolder, inject_again
from rnnrepair.callbacks.launch.own_folder import is_own, own_data_with_changes, refuse_own_keys
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
        ConfigurationError: data are named in a way that does not fit the run.
        IncompatibleCheckpointError: there is nothing to show, or what is there cannot be read.
    """
    use_threads(cfg.threads)
    folder = Path(cfg.run).expanduser()
    data = _data_of_own(cfg) if is_own(folder) else _data_of_run(folder, cfg)
    page = write_page(folder, data)
    if page is None:
        raise IncompatibleCheckpointError(
            f"run={folder} has neither a record/ nor a study/: there is nothing to show. "
            "Train with callbacks=repair, or run scripts/study.py first."
        )
    if data is not None:
        write_pattern_figure(folder, data)
    log.info("Written: %s", page)


def _data_of_run(folder: Path, cfg: DictConfig) -> Any:
    refuse_own_keys(cfg, folder)
    finished = FinishedFolder.open(folder, cfg.data_dir)
    saved = finished.checkpoint()
    data = finished.data(saved)
    inject_again(data, saved)
    return data


def _data_of_own(cfg: DictConfig) -> Any | None:
    """Return the data of a program of one's own, None where nobody has said where they are."""
    if cfg.data is None and cfg.checkpoint is None:
        log.warning(
            "The page shows no sequences: the run was made by a program of your own, and its data "
            "are not known. Say data=package:function checkpoint=FILE."
        )
        return None
    return own_data_with_changes(cfg.data, cfg.checkpoint)


@hydra.main(version_base="1.3", config_path="../configs", config_name="report")
def main(cfg: DictConfig) -> None:
    """Render the page; what a user can mend ends the program with one line."""
    with ending_in_one_line(log):
        check_keys(cfg, "report")
        report(cfg)


if __name__ == "__main__":
    with telling_refusals("report"):
        main()
