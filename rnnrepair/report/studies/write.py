"""A study on disk: csv, PNG, SVG and documents in a folder, and a section of the report."""

import base64
import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from rnnrepair.analysis import StudyResult
from rnnrepair.atomic import write_file, write_folder
from rnnrepair.report.studies.figures import study_figures

# Rows of a table that the report shows; the csv files hold all.
SHOWN_ROWS = 200


@dataclass(frozen=True)
class WrittenStudy:
    """What was written of a study.

    Attributes:
        name: of the study.
        folder: holds everything.
        figures: PNG files by name.
    """

    name: str
    folder: Path
    figures: dict[str, Path]


def write_study(
    run_folder: Path,
    name: str,
    result: StudyResult,
    settings: Mapping[str, Any] | None = None,
) -> WrittenStudy:
    """Write a study to ``<run>/study/<name>/`` and into ``<run>/report.html``.

    The folder appears whole or not at all. A report that holds this study already gets the new
    one in its place; where there is no report, one is made that holds studies only.

    Args:
        run_folder: of the run.
        name: of the study.
        result: what it found.
        settings: what it was made with: plain values, for the reader.
    """
    settings = settings or {}
    figures = study_figures(result.tables, result.pictures)
    folder = run_folder / "study" / name
    images: dict[str, str] = {}
    with write_folder(folder) as draft:
        for table, frame in result.tables.items():
            frame.to_csv(draft / f"{table}.csv", index=False)
        for title, figure in figures.items():
            figure.savefig(draft / f"{title}.png")
            figure.savefig(draft / f"{title}.svg", metadata={"Date": None})
            images[title] = _data_uri(draft / title, vector=not result.pictures)
        for title, text in result.documents.items():
            (draft / title).write_text(text, encoding="utf-8")
        (draft / "settings.json").write_text(json.dumps(settings, indent=2, default=str) + "\n")
        (draft / "conclusion.txt").write_text("\n".join(result.conclusion) + "\n", encoding="utf-8")
    _into_report(run_folder / "report.html", name, _section(name, result, images, settings))
    return WrittenStudy(name, folder, {title: folder / f"{title}.png" for title in figures})


def _data_uri(path: Path, *, vector: bool) -> str:
    """Return a figure as it stands in the report; grids of pictures are smaller as PNG."""
    kind, suffix = ("svg+xml", ".svg") if vector else ("png", ".png")
    data = base64.b64encode(path.with_suffix(suffix).read_bytes()).decode()
    return f"data:image/{kind};base64,{data}"


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("rnnrepair.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _section(
    name: str, result: StudyResult, images: Mapping[str, str], settings: Mapping[str, Any]
) -> str:
    tables = {title: _rows(frame) for title, frame in result.tables.items()}
    template = _environment().get_template("study.html.jinja")
    return template.render(
        name=name, conclusion=result.conclusion, images=images, tables=tables, settings=settings
    )


def _rows(frame: pd.DataFrame) -> tuple[list[str], list[list[str]], int]:
    """Return header, the first rows as people read them, and how many more there are."""
    shown = frame.head(SHOWN_ROWS)
    cells = [
        [f"{value:.4g}" if isinstance(value, float) else str(value) for value in row]
        for row in shown.itertuples(index=False)
    ]
    return [str(column) for column in frame.columns], cells, len(frame) - len(shown)


def _into_report(path: Path, name: str, section: str) -> None:
    start, end = f"<!-- study {html.escape(name)} -->", f"<!-- end of study {html.escape(name)} -->"
    block = f"{start}\n{section}\n{end}"
    if path.is_file():
        page = path.read_text(encoding="utf-8")
    else:
        page = _environment().get_template("studies.html.jinja").render(title=path.parent.name)
    known = re.compile(f"{re.escape(start)}.*?{re.escape(end)}", re.DOTALL)
    if known.search(page):
        page = known.sub(lambda _: block, page, count=1)
    else:
        # Before the end of the main part, whatever else it holds.
        before, closing, after = page.rpartition("</main>")
        page = f"{before}{block}\n{closing}{after}"
    with write_file(path) as draft:
        draft.write_text(page, encoding="utf-8")
