"""Whether a checkpoint can be gone on from; asked before training."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from rnnrepair.errors import IncompatibleCheckpointError
from rnnrepair.network.weights import weights_that_differ
from rnnrepair.safe_loading import read_checkpoint


def is_whole(path: Path) -> bool:
    """Return whether a file can be read as a checkpoint."""
    try:
        read_checkpoint(path)
    except IncompatibleCheckpointError:
        return False
    return True


def checkpoint_of_a_run(path: str) -> dict[str, Any]:
    """Read a checkpoint to go on from.

    Raises:
        IncompatibleCheckpointError: it cannot be read, or no training can go on from it.
    """
    saved = read_checkpoint(Path(path))
    if "state_dict" not in saved:
        raise IncompatibleCheckpointError(
            f"ckpt_path={path} is no checkpoint of a run, which training could go on from: name "
            "checkpoints/last.ckpt of one."
        )
    return saved


def check_weights(path: str, saved: Mapping[str, Any], model: pl.LightningModule) -> None:
    """Refuse a checkpoint of another network.

    Raises:
        IncompatibleCheckpointError: names the weights that differ.
    """
    differing = weights_that_differ(saved["state_dict"], model.state_dict())
    if differing:
        raise IncompatibleCheckpointError(
            f"ckpt_path={path} is of another network; {differing}. Give the settings of the run "
            "that wrote it (its .hydra/config.yaml), or start without ckpt_path."
        )
