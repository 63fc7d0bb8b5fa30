"""Explain the failures of a trained network.

``python scripts/explain.py run=<folder> [split=test | names=[r17,r42]]`` for a run of train.py, or
``python scripts/explain.py module=package.Class checkpoint=FILE data=package:function``.
"""

import importlib.util
import json
import logging
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import hydra
import pandas as pd
from omegaconf import DictConfig, OmegaConf

from rnnrepair import explain
from rnnrepair.abstraction import AbstractionSettings
from rnnrepair.atomic import make_folder, write_file
from rnnrepair.callbacks.launch.finished import FinishedFolder, inject_again
from rnnrepair.callbacks.launch.refused_overrides import telling_refusals
from rnnrepair.callbacks.launch.threads import use_threads
from rnnrepair.callbacks.launch.trained import data_of, trained_network
from rnnrepair.callbacks.launch.unknown_keys import check_keys, made_of
from rnnrepair.callbacks.launch.user_errors import ending_in_one_line
from rnnrepair.errors import ConfigurationError
from rnnrepair.explanation import Explanation
from rnnrepair.influence import Doubting, TrainingDynamics
from rnnrepair.progress import bars_shown
from rnnrepair.record import write_suspects
from rnnrepair.report import write_explanation
from rnnrepair.report.apart import as_written, name_apart
from rnnrepair.sequences import Names
from rnnrepair.studies import LAST, plain

# What there is for runs of programs of one's own.
OWN = "say module=package.Class checkpoint=FILE data=package:function in place of run="

log = logging.getLogger("explain")

# Samples that the name of a file tells.
NAMED = 4


class Asked(NamedTuple):
    """A trained network and what there is to explain it with.

    Attributes:
        module: with its weights.
        data: that it was trained on, with what was injected.
        settings: of the abstraction.
        output: folder that gets page and table.
        network: which one it is, for the reader.
        tap: layer whose outputs are the states; None where it is found.
        dynamics: of its training; None where nobody has recorded them.
    """

    module: Any
    data: Any
    settings: AbstractionSettings
    output: Path
    network: str
    tap: str | None
    dynamics: TrainingDynamics | None = None


def explained(cfg: DictConfig) -> Explanation:
    """Explain what a configuration asks for, print it, and write table and page of what is told."""
    use_threads(cfg.threads)
    asked = _of_run(cfg) if cfg.run else _of_stranger(cfg)
    output, data = asked.output, asked.data
    check_folder(output)
    log.info("Of the network %s", asked.network)
    found = explain(
        asked.module,
        data,
        split=cfg.split,
        index=cfg.index,
        names=cfg.names,
        at_most=cfg.at_most,
        settings=asked.settings,
        top=cfg.top,
        doubting=made_of(Doubting, cfg, "doubting"),
        finders=None if cfg.patterns else (),
        dynamics=asked.dynamics,
        tap=asked.tap,
        keep_in=output,
        progress=cfg.progress,
    )
    print(found)
    if found.suspects:
        # Of training, so the same whichever failures are asked about.
        path = output / f"{stem_of('suspects', None, network_of(cfg))}.csv"
        names = Names.of(data.spec), found.sample_names
        written = write_suspects(found.suspects, *names, path)
        log.info(
            "Training samples whose label is suspect: %s%s",
            path,
            "" if written else ", which has been filled in and stays as it is",
        )
    if len(found) == 0:
        log.info("No failure is told, so no table and no page is written.")
        return found
    made_with = settings_of(cfg, asked)
    stem = stem_of(cfg.split, cfg.index if cfg.names is None else cfg.names, network_of(cfg))
    free = name_apart(stem, made_with, partial(settings_at, output))
    if free != stem:
        log.info("%s was made with other settings and stays: this is %s", output / stem, free)
    table = write_table(found.to_dataframe(), output / f"{free}.parquet")
    page = write_explanation(found, data, output / f"{free}.html", asked.network)
    with write_file(output / f"{free}.json") as draft:
        draft.write_text(json.dumps(made_with, indent=2) + "\n", encoding="utf-8")
    log.info("Written: %s and %s", table, page)
    return found


def network_of(cfg: DictConfig) -> str:
    """Return what sets a network apart from the last of a run, in the names of files."""
    return "" if cfg.checkpoint == LAST or not cfg.run else Path(cfg.checkpoint).stem


def settings_of(cfg: DictConfig, asked: Asked) -> dict[str, Any]:
    """Return what a page and a table are made with: other values make others."""
    names = ("module", "data", "arguments", "checkpoint", "split", "names", "index", "at_most")
    told = {name: cfg[name] for name in (*names, "top", "doubting", "patterns")}
    told["run"] = str(Path(cfg.run).expanduser().resolve()) if cfg.run else None
    return as_written({**told, **plain(asked.settings, "abstraction."), "tap": asked.tap})


def settings_at(output: Path, stem: str) -> dict[str, Any] | None:
    """Return what page and table of a name were made with; None where there is no page."""
    if not (output / f"{stem}.html").is_file():
        return None
    try:
        made_with: dict[str, Any] = json.loads((output / f"{stem}.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}  # nobody knows, so it is left alone
    return made_with


def stem_of(split: str, asked: Sequence[Any] | None, network: str = "") -> str:
    """Return what table and page are called: what was asked about stands beside all failures.

    Example:
        >>> stem_of("test", None), stem_of("test", [17, 42]), stem_of("val", None, "best")
        ('test', 'test_17_42', 'val_best')
    """
    asked = [] if asked is None else asked
    shown = [re.sub(r"[^\w.-]+", "-", str(one)) for one in asked[:NAMED]]
    more = [f"and_{len(asked) - NAMED}_more"] if len(asked) > NAMED else []
    return "_".join([split, *shown, *more, *([network] if network else [])])


def check_folder(output: Path) -> None:
    """Refuse a folder that cannot be written, before anything is computed.

    Raises:
        ConfigurationError: names it.
    """
    try:
        make_folder(output)
    except OSError as error:
        raise ConfigurationError(
            f"output={output} cannot be written ({error}): name another folder."
        ) from error


def write_table(frame: pd.DataFrame, path: Path) -> Path:
    """Write a table as parquet, or as csv where pyarrow is not installed; return its path."""
    if importlib.util.find_spec("pyarrow") is not None:
        with write_file(path) as draft:
            frame.to_parquet(draft)
        return path
    log.info("Without pyarrow (pip install pyarrow) the table is a csv file.")
    path = path.with_suffix(".csv")
    with write_file(path) as draft:
        frame.to_csv(draft, index=False)
    return path


def _of_run(cfg: DictConfig) -> Asked:
    """Return the network of a run."""
    finished = FinishedFolder.open(Path(cfg.run).expanduser(), cfg.data_dir, OWN)
    saved = finished.checkpoint(cfg.checkpoint)
    data = finished.data(saved)
    inject_again(data, saved)
    module = finished.network(data, saved)
    collector = finished.cfg.callbacks.get("trace_collector") or {}
    output = Path(cfg.output or finished.folder / "explain").expanduser()
    settings, tap = finished.abstraction(cfg.abstraction), collector.get("tap")
    told = finished.told(cfg.checkpoint, saved)
    return Asked(module, data, settings, output, told, tap, finished.dynamics(saved))


def _of_stranger(cfg: DictConfig) -> Asked:
    """Return a network that was trained elsewhere.

    Raises:
        ConfigurationError: it is not said which.
    """
    missing = [
        told
        for told, given in {
            "module=package.Class": cfg.module,
            "checkpoint=FILE": cfg.checkpoint != LAST,
            "data=package:function": cfg.data,
        }.items()
        if not given
    ]
    if missing:
        raise ConfigurationError(
            "Say which network: run=<folder of a run>, or all of module=package.Class, "
            "checkpoint=FILE (of its weights) and data=package:function; "
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing."
        )
    arguments = OmegaConf.to_container(cfg.arguments, resolve=True)
    module = trained_network(cfg.module, cfg.checkpoint, arguments)  # type: ignore[arg-type]
    settings = made_of(AbstractionSettings, cfg, "abstraction")
    output = Path(cfg.output or "explain").expanduser()
    told = f"{cfg.module} with the weights of {cfg.checkpoint}"
    return Asked(module, data_of(cfg.data), settings, output, told, cfg.tap)


@hydra.main(version_base="1.3", config_path="../configs", config_name="explain")
def main(cfg: DictConfig) -> None:
    """Explain; what a user can mend ends the program with one message."""
    with ending_in_one_line(log), bars_shown(cfg.progress):
        check_keys(cfg, "explain")
        explained(cfg)


if __name__ == "__main__":
    with telling_refusals("explain"):
        main()
