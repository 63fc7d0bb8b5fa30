"""Corrections of labels, kept in the folder of the run: what is asked of it later reads them too.

The file that a user names may be edited for the next run, moved, or written over by it.
"""

import shutil
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from rnnrepair.atomic import write_file
from rnnrepair.errors import ConfigurationError

FOLDER = "corrections"


def keep_corrections(cfg: DictConfig) -> None:
    """Copy the corrections of a run into its folder, under the name that they have.

    Args:
        cfg: of a run whose data module has read them.

    Raises:
        ConfigurationError: the run goes on, and the file has changed since it began.
    """
    given = cfg.datamodule.get("corrections")
    if given is None:
        return
    source = Path(given).expanduser()
    kept = Path(cfg.paths.output_dir) / FOLDER / source.name
    if cfg.ckpt_path is not None and kept.is_file():
        if kept.read_bytes() != source.read_bytes():
            raise ConfigurationError(
                f"datamodule.corrections={given} has changed since the run began: go on with what "
                f"it was, datamodule.corrections={kept}, or start anew without ckpt_path."
            )
        return
    with write_file(kept) as draft:
        shutil.copyfile(source, draft)


def take_kept_corrections(cfg: DictConfig, folder: Path) -> None:
    """Let a configuration name the corrections that the folder of its run has kept, if it has.

    Args:
        cfg: of a finished run; changed in place.
        folder: of the run.
    """
    given = cfg.datamodule.get("corrections") if "datamodule" in cfg else None
    if given is None:
        return
    kept = folder / FOLDER / Path(given).name
    if kept.is_file():
        OmegaConf.update(cfg, "datamodule.corrections", str(kept))
