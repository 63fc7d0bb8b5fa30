"""A study on disk: csv, PNG, SVG and documents in a folder, with a word on what they are."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from rnnrepair.atomic import write_folder
from rnnrepair.errors import IncompatibleCheckpointError
from rnnrepair.report.apart import as_written, name_apart
from rnnrepair.report.studies.figures import study_figures
from rnnrepair.studies import LAST, StudyResult

FOLDER = "study"
WORD = "study.json"
# Shown first: what the others are about.
FIRST = "breakdown"


@dataclass(frozen=True)
class WrittenStudy:
    """What was written of a study.

    Attributes:
        folder: holds everything.
        study: its name.
        conclusion: sentences for the reader.
        settings: what it was made with.
        network: that it is of, for the reader; empty where it is of several runs.
        tables: names of the csv files.
        figures: names of the PNG and SVG files.
        shows_pictures: whether a figure is a grid of pictures, which is smaller as PNG.
    """

    folder: Path
    study: str
    conclusion: tuple[str, ...]
    settings: Mapping[str, Any]
    network: str
    tables: tuple[str, ...]
    figures: tuple[str, ...]
    shows_pictures: bool

    @property
    def name(self) -> str:
        """Of the folder: the study, with what keeps it apart from others of the same run."""
        return self.folder.name

    def table(self, title: str) -> pd.DataFrame:
        """Read a table."""
        try:
            # A class or an arm may be called NA.
            return pd.read_csv(self.folder / f"{title}.csv", keep_default_na=False, na_values=[""])
        except pd.errors.EmptyDataError:
            return pd.DataFrame()

    def picture(self, title: str) -> Path:
        """Return the PNG of a figure."""
        return self.folder / f"{title}.png"

    def drawing(self, title: str) -> Path:
        """Return the SVG of a figure."""
        return self.folder / f"{title}.svg"


def write_study(
    run_folder: Path,
    name: str,
    result: StudyResult,
    settings: Mapping[str, Any] | None = None,
    network: str = "",
) -> WrittenStudy:
    """Write a study below ``<run>/study/``; its folder appears whole or not at all.

    See ``study_folder`` for its name. What the same settings have left there is replaced.

    Args:
        run_folder: of the run.
        name: of the study; figures are drawn by it.
        result: what it found.
        settings: what it was made with: plain values, ``checkpoint`` among them.
        network: that it is of, for the reader.
    """
    figures = study_figures(name, result)
    folder = study_folder(run_folder, name, settings or {})
    with write_folder(folder) as draft:
        for table, frame in result.tables.items():
            frame.to_csv(draft / f"{table}.csv", index=False)
        for title, figure in figures.items():
            figure.savefig(draft / f"{title}.png")
            figure.savefig(draft / f"{title}.svg", metadata={"Date": None})
        for title, text in result.documents.items():
            (draft / title).write_text(text, encoding="utf-8")
        word = {
            "study": name,
            "conclusion": result.conclusion,
            "settings": as_written(settings or {}),
            "network": network,
            "tables": list(result.tables),
            "figures": list(figures),
            "shows_pictures": bool(result.pictures),
        }
        (draft / WORD).write_text(json.dumps(word, indent=2) + "\n", encoding="utf-8")
    return _read_study(folder)


def study_folder(run_folder: Path, name: str, settings: Mapping[str, Any]) -> Path:
    """Return where a study stands: apart from those of other networks, and with other settings.

    ``study/automaton``, ``study/automaton-best`` of the checkpoint best, ``study/automaton-2`` of
    other settings than the first.

    Args:
        run_folder: of the run.
        name: of the study.
        settings: what it is made with, ``checkpoint`` among them.
    """
    checkpoint = str(settings.get("checkpoint", LAST))
    stem = name if checkpoint == LAST else f"{name}-{Path(checkpoint).stem}"

    def settings_at(folder: str) -> Mapping[str, Any] | None:
        try:
            return _read_study(run_folder / FOLDER / folder).settings
        except IncompatibleCheckpointError:
            return None  # damaged: written anew

    return run_folder / FOLDER / name_apart(stem, settings, settings_at)


def read_studies(run_folder: Path) -> list[WrittenStudy]:
    """Return the studies in the folder of a run, that of what failures there are first.

    The others come in the order of their names.

    Raises:
        IncompatibleCheckpointError: one was written by another version, or is damaged.
    """
    folders = [p for p in (run_folder / FOLDER).glob("*") if p.is_dir() and p.name[0] != "."]
    studies = [_read_study(folder) for folder in sorted(folders)]
    return sorted(studies, key=lambda study: study.study != FIRST)


def _read_study(folder: Path) -> WrittenStudy:
    try:
        # Earlier versions did not say of which network it is.
        word: dict[str, Any] = {"study": folder.name, "network": ""}
        word |= json.loads((folder / WORD).read_text(encoding="utf-8"))
        for name in ("conclusion", "tables", "figures"):
            word[name] = tuple(word[name])
        return WrittenStudy(folder, **word)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise IncompatibleCheckpointError(
            f"{folder} is no study of this version ({error}): run it again (scripts/study.py), or "
            "move its folder away."
        ) from error
