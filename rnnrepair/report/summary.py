"""The end of a run for programs: ``summary.json``."""

import json
from pathlib import Path
from typing import Any

from rnnrepair.atomic import write_file


def write_summary(summary: dict[str, Any], path: Path) -> None:
    """Write the summary as JSON; the file is replaced in one step."""
    with write_file(path) as draft:
        draft.write_text(json.dumps(summary, indent=2) + "\n")
