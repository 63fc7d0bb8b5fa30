"""Where the files that a finished run names are now: its paths may be relative, and files move."""

from pathlib import Path

from omegaconf import DictConfig, OmegaConf

# Keys of files of the user's own that must be there, of one that may be, and of folders.
FILES = ("datamodule.path", "datamodule.labels")
OTHERS = ("datamodule.vectors", "paths.data_dir", "paths.cache_dir")


def began_in(folder: Path) -> Path | None:
    """Return the folder that the command of a run was given in; None where it is not told."""
    told = folder / ".hydra" / "hydra.yaml"
    cwd = OmegaConf.select(OmegaConf.load(told), "hydra.runtime.cwd") if told.is_file() else None
    return None if cwd is None else Path(cwd)


def find_paths(cfg: DictConfig, folder: Path, data_dir: str | None) -> None:
    """Let the configuration of a run name files and folders where they are.

    A relative path is looked for in the folder that the run began in, and then in the current one:
    a project may have moved as a whole.

    Args:
        cfg: of a finished run; changed in place.
        folder: of the run.
        data_dir: folder that data sets, and files of the user's own, are in now; None where they
            are where they were.
    """
    began = began_in(folder)
    here = [] if began is None else [began]
    for key in (*FILES, *OTHERS):
        given = OmegaConf.select(cfg, key)
        if not isinstance(given, str) or not given:
            continue
        path = Path(given).expanduser()
        moved = [] if data_dir is None or key not in FILES else [Path(data_dir).expanduser()]
        places = [*(at / path.name for at in moved), *(at / path for at in here), path]
        found = next((place for place in places if place.exists()), None)
        if found is not None:
            OmegaConf.update(cfg, key, str(found))
        elif key in FILES:  # what is missing is told with where it was
            OmegaConf.update(cfg, key, str(places[len(moved)]))
    if data_dir is not None:
        cfg.paths.data_dir = data_dir


def missing_file(cfg: DictConfig) -> str | None:
    """Return a file of the user's own that a run names and that is not there; None for none."""
    given = (OmegaConf.select(cfg, key) for key in FILES)
    paths = [Path(path).expanduser() for path in given if isinstance(path, str) and path]
    return next((str(path) for path in paths if not path.exists()), None)
