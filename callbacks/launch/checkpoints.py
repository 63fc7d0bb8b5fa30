"""Whether a checkpoint can be gone on from; asked before training."""

from pathlib import Path
from pickle import UnpicklingError

import pytorch_lightning as pl
import torch

from rnnrepair.errors import IncompatibleCheckpointError

# What torch raises for a file that is no checkpoint, or not a whole one.
DAMAGED = (OSError, RuntimeError, EOFError, UnpicklingError)


def is_whole(path: Path) -> bool:
    """Return whether a file can be read as a checkpoint."""
    try:
        torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except DAMAGED:
        return False
    return True


def check_checkpoint(path: str, model: pl.LightningModule) -> None:
    """Refuse a checkpoint of another network.

    Raises:
        IncompatibleCheckpointError: it cannot be read, or names the weights that differ.
    """
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        weights = saved["state_dict"]
    except (*DAMAGED, KeyError) as error:
        raise IncompatibleCheckpointError(
            f"ckpt_path={path} cannot be read as a checkpoint of this program: it is missing or "
            f"damaged, name checkpoints/last.ckpt of a run. ({error})"
        ) from error
    own = model.state_dict()
    odd = sorted(own.keys() ^ weights.keys())
    shapes = [
        f"{name} {tuple(weights[name].shape)} instead of {tuple(own[name].shape)}"
        for name in own.keys() & weights.keys()
        if own[name].shape != weights[name].shape
    ]
    if odd or shapes:
        told = "; ".join([*shapes[:3], *(f"{name} in one of them only" for name in odd[:3])])
        raise IncompatibleCheckpointError(
            f"ckpt_path={path} is of another network: {told}. Give the settings of the run that "
            "wrote it (its .hydra/config.yaml), or start without ckpt_path."
        )
