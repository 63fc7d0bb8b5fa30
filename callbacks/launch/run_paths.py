"""Where the files that a finished run names are now: its paths may be relative, and files move."""

from pathlib import Path

from omegaconf import DictConfig, OmegaConf

# Keys of files of the user's own, and of folders.
FILES = ("datamodule.path", "datamodule.labels")
FOLDERS = ("paths.data_dir", "paths.cache_dir")


def began_in(folder: Path) -> Path | None:
    """Return the folder that the command of a run was given in; None where it is not told."""
    told = folder / ".hydra" / "hydra.yaml"
    cwd = OmegaConf.select(OmegaConf.load(told), "hydra.runtime.cwd") if told.is_file() else None
    return None if cwd is None else Path(cwd)


def find_paths(cfg: DictConfig, folder: Path, data_dir: str | None) -> None:
    """Let the configuration of a run name files and folders where they are.

    Args:
        cfg: of a finished run; changed in place.
        folder: of the run.
        data_dir: folder that data sets, and files of the user's own, are in now; None where they
            are where they were.
    """
    began = began_in(folder)
    if began is not None:
        for key in FOLDERS:
            OmegaConf.update(cfg, key, str(began / str(OmegaConf.select(cfg, key))))
    if data_dir is not None:
        cfg.paths.data_dir = data_dir
    for key in FILES:
        given = OmegaConf.select(cfg, key)
        if not isinstance(given, str) or not given:
            continue
        was = Path(given).expanduser() if began is None else began / Path(given).expanduser()
        moved = None if data_dir is None else Path(data_dir).expanduser() / was.name
        is_moved = moved is not None and moved.exists()
        OmegaConf.update(cfg, key, str(moved if is_moved else was))


def missing_file(cfg: DictConfig) -> str | None:
    """Return a file of the user's own that a run names and that is not there; None for none."""
    given = (OmegaConf.select(cfg, key) for key in FILES)
    paths = [Path(path).expanduser() for path in given if isinstance(path, str) and path]
    return next((str(path) for path in paths if not path.exists()), None)
