"""Take rounds of a repair back: ``python scripts/rollback.py run=<folder> round=<number>``.

Writes a checkpoint whose data lack that round and all later ones. Its weights were trained on them:
go on from it to let the network forget. ``checkpoints/base.ckpt`` is the network before any round.
Of a program of your own (``repair_chain``): ``data=package:function checkpoint=FILE`` too.
"""

import logging
from pathlib import Path

import hydra
import torch
from omegaconf import DictConfig

from rnnrepair.atomic import write_file
from rnnrepair.callbacks.launch.finished import FinishedFolder
from rnnrepair.callbacks.launch.own_folder import is_own, own_data, refuse_own_keys
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
    folder = Path(cfg.run).expanduser()
    if is_own(folder):
        data, saved = own_data(cfg.data, cfg.checkpoint)
        go_on = "trainer.fit(net, datamodule=data, ckpt_path='%s') with max_epochs above %d"
    else:
        refuse_own_keys(cfg, folder)
        finished = FinishedFolder.open(folder, cfg.data_dir)
        saved = finished.checkpoint()
        data = finished.data(saved)
        go_on = "the overrides of the run, ckpt_path='%s' and schedule.total_epochs above %d"
    checkpoint, n_gone = without_rounds(saved, data, cfg.round)
    path = folder / "checkpoints" / f"before_round_{cfg.round}.ckpt"
    with write_file(path) as draft:
        torch.save(checkpoint, draft)
    log.info(
        "Written: %s, the data without %d changes of round %d and later. The weights were trained "
        f"on them: go on with {go_on}.",
        path,
        n_gone,
        cfg.round,
        path,
        # `epoch` is one more at the end of training than at that of its last epoch.
        saved["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"],
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
