"""A study as the page shows it, made from its files."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from rnnrepair.report.studies.files import WrittenStudy

# Rows of a table that the page shows; the csv files hold all.
SHOWN_ROWS = 200


@dataclass(frozen=True)
class TableView:
    """A table: header, the first rows as people read them, and how many more there are."""

    header: list[str]
    rows: list[list[str]]
    more: int


@dataclass(frozen=True)
class StudyView:
    """A study as ``study.html.jinja`` shows it.

    Attributes:
        name: of its folder.
        title: above it.
        network: that it is of; empty where it is of several runs.
        conclusion: sentences.
        images: data URIs by name.
        tables: by name.
        settings: what it was made with.
    """

    name: str
    title: str
    network: str
    conclusion: tuple[str, ...]
    images: dict[str, str]
    tables: dict[str, TableView]
    settings: Mapping[str, Any]


def study_view(study: WrittenStudy) -> StudyView:
    """Read what the page shows of a study."""
    return StudyView(
        study.name,
        _title(study),
        study.network,
        study.conclusion,
        {title: _data_uri(study, title) for title in study.figures},
        {title: _table_view(study.table(title)) for title in study.tables},
        study.settings,
    )


def _title(study: WrittenStudy) -> str:
    """Return the name of a study, with what its folder adds: another network, other settings."""
    added = study.name.removeprefix(study.study).removeprefix("-")
    return study.study.replace("_", " ") + (f" ({added})" if added else "")


def _data_uri(study: WrittenStudy, title: str) -> str:
    if study.shows_pictures:
        kind, path = "png", study.picture(title)
    else:
        kind, path = "svg+xml", study.drawing(title)
    return f"data:image/{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"


def _table_view(frame: pd.DataFrame) -> TableView:
    shown = frame.head(SHOWN_ROWS)
    cells = [
        [f"{value:.4g}" if isinstance(value, float) else str(value) for value in row]
        for row in shown.itertuples(index=False)
    ]
    return TableView([str(column) for column in frame.columns], cells, len(frame) - len(shown))
