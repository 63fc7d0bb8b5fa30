"""Take rounds of a repair back: ``python scripts/rollback.py run=<folder> round=<number>``.

Writes a checkpoint whose data lack that round and all later ones. Its weights were trained on them:
go on from it to let the network forget. ``checkpoints/base.ckpt`` is the network before any round.
"""

import logging
from pathlib import Path

import hydra
import torch
from omegaconf import DictConfig

from rnnrepair.atomic import write_file
from rnnrepair.callbacks.launch.finished import FinishedFolder
from rnnrepair.callbacks.launch.refused_overrides import telling_refusals
from rnnrepair.callbacks.launch.rollback import without_rounds
from rnnrepair.callbacks.launch.threads import use_threads
from rnnrepair.callbacks.launch.unknown_keys import check_keys
from rnnrepair.callbacks.launch.user_errors import ending_in_one_line
from rnnrepair.errors import ConfigurationError

log = logging.getLogger("rollback")


def rollback(cfg: DictConfig) -> Path:
    """Write the checkpoint into the folder of the run; return its path.

    Raises:
        ConfigurationError: there is no such round.
        IncompatibleCheckpointError: the run has not ended, or was made of other data.
    """
    if not isinstance(cfg.round, int) or cfg.round < 1:
        raise ConfigurationError(f"round={cfg.round!r}: expected a whole number from 1 on.")
    use_threads(cfg.threads)
    finished = FinishedFolder.open(Path(cfg.run).expanduser(), cfg.data_dir)
    saved = finished.checkpoint()
    checkpoint, n_gone = without_rounds(saved, finished.data(saved), cfg.round)
    path = finished.folder / "checkpoints" / f"before_round_{cfg.round}.ckpt"
    with write_file(path) as draft:
        torch.save(checkpoint, draft)
    log.info(
        "Written: %s, the data without %d changes of round %d and later. The weights were trained "
        "on them: go on with the overrides of the run, ckpt_path='%s' and more epochs "
        "(trainer.max_epochs, above %d).",
        path,
        n_gone,
        cfg.round,
        path,
        saved["epoch"] + 1,
    )
    return path


@hydra.main(version_base="1.3", config_path="../configs", config_name="rollback")
def main(cfg: DictConfig) -> None:
    """Write the checkpoint; what a user can mend ends the program with one line."""
    with ending_in_one_line(log):
        check_keys(cfg, "rollback")
        rollback(cfg)


if __name__ == "__main__":
    with telling_refusals("rollback"):
        main()
