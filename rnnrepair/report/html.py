"""A page that tells what failed, why, and what was repaired."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rnnrepair.atomic import write_file
from rnnrepair.protocols import Split
from rnnrepair.repair import Predictions
from rnnrepair.report.cards import FailureCard


def write_report(
    path: Path,
    summary: Mapping[str, Any],
    history: Sequence[Mapping[str, float]],
    cards: Sequence[FailureCard],
    predictions: Mapping[Split, tuple[Predictions, Predictions]],
) -> None:
    """Write the report."""
    with write_file(path) as draft:
        draft.write_text("<html></html>")
