"""A W&B logger that works offline unless the user is logged in."""

import os
import sys
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import WandbLogger


def wandb_logger(
    save_dir: str, project: str, offline: bool | None = None, **init: Any
) -> WandbLogger:
    """Start a W&B run and wrap it for Lightning.

    The run is started here and not by Lightning, whose ``offline=True`` would leave
    ``WANDB_MODE`` set for every later job of a multirun.

    Args:
        save_dir: folder that gets ``wandb/``.
        project: W&B project.
        offline: True, False, or None: offline unless an API key is at hand or WANDB_MODE is set.
        **init: passed to ``wandb.init`` (name, group, tags, job_type, entity, notes ...).
    """
    import wandb  # slow import, needed only with this logger

    if offline is None:
        mode = os.environ.get("WANDB_MODE") or ("online" if wandb.api.api_key else "offline")
    else:
        mode = "offline" if offline else "online"
    Path(save_dir).mkdir(parents=True, exist_ok=True)
    run = wandb.init(
        dir=save_dir,
        project=project,
        mode=mode,  # type: ignore[arg-type]
        settings=wandb.Settings(silent=True, console="off"),
        **init,
    )
    return WandbLogger(experiment=run, project=project, save_dir=save_dir)


def finish_wandb(*, failed: bool) -> None:
    """Close the W&B run, so that the next job of a multirun starts its own.

    Args:
        failed: whether W&B shows it as failed, or as finished.
    """
    if "wandb" in sys.modules and sys.modules["wandb"].run is not None:
        sys.modules["wandb"].finish(exit_code=int(failed))
