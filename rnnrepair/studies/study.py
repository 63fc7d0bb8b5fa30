"""The interface of a study: from a finished run to tables and pictures."""

from dataclasses import dataclass, field
from typing import Protocol

import pandas as pd
from torch import Tensor

from rnnrepair.studies.finished_run import FinishedRun


@dataclass(frozen=True)
class StudyResult:
    """What a study has found.

    Attributes:
        tables: by name; each becomes a csv file, and figures are drawn from them alone.
        conclusion: sentences for the reader, the most important first.
        pictures: arrays that a figure shows as they are, by name.
        documents: text files by name, such as an exported graph.
    """

    tables: dict[str, pd.DataFrame]
    conclusion: list[str]
    pictures: dict[str, Tensor] = field(default_factory=dict)
    documents: dict[str, str] = field(default_factory=dict)


class Study(Protocol):
    """A question that is asked of a finished run.

    Attributes:
        name: of its folder, its figures and its part of the report.
    """

    name: str

    def check(self, run: FinishedRun) -> None:
        """Refuse a run that the study does not fit, before any work.

        Raises:
            ConfigurationError: names the argument to change.
        """
        ...

    def __call__(self, run: FinishedRun) -> StudyResult:
        """Answer the question."""
        ...
