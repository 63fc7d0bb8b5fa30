"""How many labels that were made wrong on purpose are found."""

import pandas as pd
from torch import Tensor

from rnnrepair.protocols import KnowsWrongLabels
from rnnrepair.studies.finished_run import FinishedRun
from rnnrepair.traces import Traces


def planted_labels(run: FinishedRun, failures: Traces) -> Tensor | None:
    """Return (M,) bool: failures whose label was made wrong; None where the data know of none."""
    if not isinstance(run.data, KnowsWrongLabels):
        return None
    return run.data.mislabelled(failures.index)


def found_of_planted(named: Tensor, planted: Tensor) -> pd.DataFrame:
    """Return how well suspect labels are those that were made wrong.

    Args:
        named: (M,) bool, failures whose own label is suspect.
        planted: (M,) bool, failures whose label was made wrong.
    """
    both = int((named & planted).sum())
    row = {
        "failures": len(named),
        "planted": int(planted.sum()),
        "named": int(named.sum()),
        "both": both,
        "precision": both / int(named.sum()) if named.any() else float("nan"),
        "recall": both / int(planted.sum()) if planted.any() else float("nan"),
    }
    return pd.DataFrame([row])


def told_of_planted(table: pd.DataFrame) -> str:
    """Say what ``found_of_planted`` counted."""
    row = table.iloc[0]
    return (
        f"{row.planted:.0f} of these failures have a label that was made wrong on purpose; "
        f"{row.named:.0f} are named for their label: precision {row.precision:.2f} (chance "
        f"{row.planted / row.failures:.2f}), recall {row.recall:.2f}. The precision is a "
        "lower bound: labels that were wrong before count as named in error."
    )
