"""Keys that README and docs tell of exist."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
FILES = [ROOT / "README.md", *(ROOT / "docs" / name for name in ("usage.md", "data.md"))]
TOLD = "\n".join(file.read_text() for file in FILES)


def keys_of(name):
    """Keys of a data module, those of the file that it begins with included."""
    plain = yaml.safe_load((ROOT / "configs" / "datamodule" / f"{name}.yaml").read_text())
    found = set(plain) - {"defaults", "_target_"}
    for part in plain.get("defaults", []):
        found |= keys_of(part) if part != "_self_" else set()
    return found


def rows():
    """Cells of the table of one's own files: what it is, keys of csv, keys of series."""
    lines = TOLD[TOLD.index("| | `csv` | `series` |") :].split("\n\n")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


@pytest.mark.parametrize(("name", "column"), [("csv", 1), ("series", 2)])
def test_keys_for_files_of_ones_own_exist_and_all_columns_are_told(name, column):
    told = {key for row in rows() for key in re.findall(r"`(\w+)`", row[column])}
    keys = keys_of(name)
    assert told <= keys
    of_columns = {key for key in keys if key.endswith("_column")} | {
        "path",
        "columns",
        "test_share",
    }
    assert of_columns <= told


def test_keys_with_a_dot_exist():
    """What is written in code type and begins with a group of the configuration."""
    groups = {path.name for path in (ROOT / "configs").iterdir() if path.is_dir()}
    texts = {
        group: "".join(file.read_text() for file in (ROOT / "configs" / group).glob("*.yaml"))
        for group in groups
    }
    named = re.findall(r"`([a-z_]+)\.([a-z_]+)[\w.]*(?:=[^`]*)?`", TOLD)
    known = [(group, key) for group, key in named if group in groups]
    assert len(known) > 20
    for group, key in known:
        assert re.search(rf"^\s*{key}:", texts[group], re.MULTILINE), f"{group}.{key}"
