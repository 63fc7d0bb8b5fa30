"""Which networks the folder of a run holds, by the names that people give them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rnnrepair.errors import ConfigurationError
from rnnrepair.studies import LAST

# What the files in checkpoints/ are; any other file is told by its name alone.
_MEANING = {
    LAST: "the final network",
    "best": "the best network on val",
    "base": "the unrepaired network",
    "interpolated": "between the unrepaired and the final network",
}
_ENDING = ".ckpt"


def checkpoint_file(folder: Path, name: str) -> Path:
    """Return the file of a network of a run.

    Args:
        folder: of the run.
        name: of a file in its ``checkpoints/``, with or without its ending; or the path of a file.

    Raises:
        ConfigurationError: there is none; tells which there are.
    """
    # A number on the command line is one in the configuration.
    inside, name = folder / "checkpoints", str(name)
    for path in (inside / f"{name}{_ENDING}", inside / name, Path(name).expanduser()):
        if path.is_file():
            return path
    there = sorted(path.stem for path in inside.glob(f"*{_ENDING}"))
    raise ConfigurationError(
        f"checkpoint={name}: expected one of {', '.join(there) or 'none'} (the files in {inside}), "
        "or the path of a file."
    )


def network_told(path: Path, saved: Mapping[str, Any]) -> str:
    """Return what people read of a network: its file, what it is, and how long it was trained.

    Args:
        path: of its checkpoint.
        saved: what the checkpoint holds.
    """
    is_of_run = path.parent.name == "checkpoints"
    told = [f"checkpoints/{path.name}" if is_of_run else str(path)]
    if is_of_run and path.stem in _MEANING:
        told.append(_MEANING[path.stem])
    if "factor" in saved:
        told.append(f"factor {saved['factor']:g}")
    if "epoch" in saved:
        told.append(f"after {saved['epoch'] + 1} epochs")
    return ", ".join(told)
