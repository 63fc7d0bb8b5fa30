"""Folders that programs of one's own leave (``repair_chain``), which hold no configuration."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from rnnrepair.callbacks.launch.finished import inject_again, of_same_data
from rnnrepair.callbacks.launch.trained import data_of
from rnnrepair.errors import ConfigurationError
from rnnrepair.protocols import set_up
from rnnrepair.record import RunRecord
from rnnrepair.safe_loading import read_checkpoint


def is_own(folder: Path) -> bool:
    """Return whether the folder is that of a run, and of none of ``train.py``."""
    return RunRecord.is_in(folder) and not (folder / ".hydra" / "config.yaml").is_file()


def own_data(data: str | None, checkpoint: str | None) -> tuple[Any, dict[str, Any]]:
    """Return data as they came, and the checkpoint that says what a repair has made of them.

    Args:
        data: ``package:function`` that returns the data module.
        checkpoint: file that the program's trainer has written.

    Raises:
        ConfigurationError: one of them is not given.
        IncompatibleCheckpointError: the checkpoint cannot be read, or is of other data.
    """
    if data is None or checkpoint is None:
        raise ConfigurationError(
            "The run is one of a program of your own: expected both data=package:function (returns "
            "its data module) and checkpoint=FILE (its trainer has written it, in lightning_logs/ "
            f"or where a ModelCheckpoint says), got data={data} and checkpoint={checkpoint}."
        )
    saved = read_checkpoint(Path(checkpoint).expanduser())
    datamodule = data_of(data)
    set_up(datamodule)
    of_same_data(datamodule, saved, f"checkpoint={checkpoint}", f"data={data} with the same data")
    return datamodule, saved


def own_data_with_changes(data: str | None, checkpoint: str | None) -> Any:
    """Return data with what a repair has injected and mended; see ``own_data``."""
    datamodule, saved = own_data(data, checkpoint)
    inject_again(datamodule, saved)
    return datamodule


def refuse_own_keys(cfg: DictConfig, folder: Path) -> None:
    """Refuse what is said of data that the run of ``train.py`` in a folder knows itself.

    Raises:
        ConfigurationError: names the keys.
    """
    given = [f"{key}={cfg[key]}" for key in ("data", "checkpoint") if cfg[key] is not None]
    if given:
        raise ConfigurationError(
            f"{' and '.join(given)}: only for runs of programs of your own, and run={folder} is "
            "one of train.py, or has not ended. Leave it out."
        )
