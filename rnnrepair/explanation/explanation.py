"""What is told of the failures of a trained network, as a typed result and as a table."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import overload

import pandas as pd
import torch

from rnnrepair.explanation import label_notes, shared_notes
from rnnrepair.explanation.failure_row import COLUMNS, TOLD, failure_lines, failure_row
from rnnrepair.explanation.findings import Findings
from rnnrepair.explanation.mistaken import mistaken
from rnnrepair.explanation.told_failure import ToldFailure
from rnnrepair.patterns import Pattern
from rnnrepair.record import suspect_columns
from rnnrepair.sequences import table_columns


@dataclass(frozen=True, eq=False)
class Explanation(Findings):
    """M failures of a trained network, each with its story.

    ``explanation[0]`` is the first that is told, and prints its story. Steps count from 1 in all
    that is read of it: text, table, page and the failures that are got out of it one by one. Its
    attributes are those of ``Findings``.
    """

    def __len__(self) -> int:
        return len(self.failures)

    @overload
    def __getitem__(self, row: int) -> ToldFailure: ...

    @overload
    def __getitem__(self, row: slice) -> list[ToldFailure]: ...

    def __getitem__(self, row: int | slice) -> ToldFailure | list[ToldFailure]:
        """Return the failure of a row of the table, from 0 on; of several rows, a list.

        Raises:
            IndexError: says how many are told, and how to ask about a sample.
        """
        if isinstance(row, slice):
            return [self[one] for one in range(*row.indices(len(self)))]
        n = len(self)
        if not -n <= row < n:
            raise IndexError(
                f"failure {row}: {n} are told (of {self.n_failures} of the split {self.split}), "
                f"which count from 0 on. A sample by its number is explain(..., index=[{row}]), by "
                "its name names=[...]; more are told with a larger at_most."
            )
        told = failure_row(self, row % n) | {"story": failure_lines(self, row % n)}
        return ToldFailure(**{each.name: told[each.name] for each in fields(ToldFailure)})

    def __iter__(self) -> Iterator[ToldFailure]:
        return (self[row] for row in range(len(self)))

    def __str__(self) -> str:
        """Tell what failures share, and every failure in a few lines."""
        return "\n".join([self.overview, *(failure_lines(self, row) for row in range(len(self)))])

    @property
    def overview(self) -> str:
        """What failures share and everything else that is of no single one."""
        called = self.sample_names.told
        told = [
            self.network,
            self._counts(),
            self.set_aside_told,
            self.warning,
            self.learnt,
            self.two_labels,
            self.cut_off,
            self.states_told,
            f"behind the number of a sample: {called}" if called else "",
            self.mistaken,
            *self.shared_told(),
            self.suspicion.told,
            *(f"{value.told}." for value in self.doubt.shared),
            self.doubt.too_many_told if self.doubt.too_many else "",
            self._suspects_counted(),
        ]
        return "\n".join(line for line in told if line)

    @property
    def mistaken(self) -> str:
        """Which classes of the split are most often taken for which, empty without failures."""
        return mistaken(self.confused, self.names)

    @property
    def set_aside_told(self) -> str:
        """Say which sequences are not looked at, empty where there are none."""
        if self.set_aside == 0:
            return ""
        return (
            f"{self.set_aside} sequences of the splits repair and val are not searched. A run "
            "of this program may have trained on repair at its end; to search all that a network "
            "of your own was trained on, give the data repair_share=0 and val_share=0."
        )

    @property
    def states_told(self) -> str:
        """Say that steps are those of states where these are not as many as inputs, else empty."""
        for failure, n_inputs in zip(self.failures, self.n_inputs.tolist(), strict=True):
            n_states = len(failure.state)
            if n_states != n_inputs:
                (name,) = self.numbered([failure.index])
                return (
                    "Steps are told by the states of the network, which are not as many as the "
                    f"inputs: it makes {n_states} of the {n_inputs} inputs of sample {name}."
                )
        return ""

    def shared_told(self) -> list[str]:
        """Say what the failures of the split have in common, a line each."""
        return shared_notes.shared_told(self)

    def gathered_told(self, *, first: bool) -> list[str]:
        """Say where failures gather beside patterns: see ``shared_notes.gathered_told``."""
        return shared_notes.gathered_told(self, first=first)

    def notes_on(self, pattern: Pattern) -> str:
        """Say of a pattern how rare it is in training, and what else may be why; or nothing."""
        return shared_notes.notes_on(self, pattern)

    def is_suspect(self, row: int) -> bool:
        """Return whether a label at a failure is suspect; a pattern may explain that."""
        return label_notes.is_suspect(self, row)

    def suspect_told(self, row: int) -> str:
        """Say which labels are suspect at a failure and why, or why none is; empty for nothing."""
        return label_notes.suspect_told(self, row)

    def to_dataframe(self) -> pd.DataFrame:
        """Return a row for each failure.

        Columns: index (number in ``data``), name (what the user's data call it: row, id, position;
        see ``sample_names.told``), label, predicted (numbers of classes), label_name,
        predicted_name, n_steps, step (the responsible one), segment_first, segment_last (steps
        count from 1, as everywhere that people read), contrast (see ``Evidence``; NaN where there
        is none), nearest, parents, opponents, contexts (lists of training samples, most influential
        first), nearest_names and so on (what these are called; of injected ones what they were made
        of), pattern (what it shares with other failures; empty for nothing), label_suspect (not
        where a pattern may explain it), why_suspect, odds (see ``LabelDoubt``), copies (training
        samples that are near copies with another label), copies_names, x, y (a place in the
        plane), text, and the columns of the user's data as column_NAME. Lists stay lists in
        parquet.
        """
        rows = [failure_row(self, row) for row in range(len(self))]
        index = torch.tensor([failure.index for failure in self.failures], dtype=torch.int64)
        return pd.DataFrame(rows, columns=COLUMNS).assign(**table_columns(self.sample_names, index))

    def suspects_to_dataframe(self) -> pd.DataFrame:
        """Return a row for each training sample whose label is suspect, most suspicious first.

        Written with ``to_csv(..., index=False)`` and filled in (``relabel``, ``drop`` or ``keep``
        in the column action), it is what data modules take as ``corrections``.
        """
        return pd.DataFrame(suspect_columns(self.suspects, self.names, self.sample_names))

    def _suspects_counted(self) -> str:
        """Tell how many labels are suspect, those of failures apart from those around them."""
        suspect = [row for row in range(len(self)) if self.is_suspect(row)]
        n_own = sum(label_notes.is_own(self, row) for row in suspect)
        told = [f"Labels suspect at {n_own} of the {len(self)} failures told"] if n_own else []
        if len(suspect) > n_own:
            around = f"labels of training samples around {len(suspect) - n_own}"
            told.append(f"{around} more" if told else f"Suspect are the {around} of the failures")
        return f"{', and '.join(told)}." if told else ""

    def _counts(self) -> str:
        """Tell how many failures there are and are told, and which samples asked for are none."""
        told = (
            f"{self.split}: accuracy {self.accuracy:.1%}, {self.n_failures} failures, {len(self)} "
            f"told; training samples {self.fit_accuracy:.1%} of {self.searched}"
        )
        if len(self.right):
            right = self.numbered(self.right.tolist())
            told += f"; right, so nothing to tell: {', '.join(right)}"
        if len(self.right) and len(self) == 0 and self.n_failures:
            failing = self.numbered(self.failing[:TOLD].tolist())
            told += (
                f". Ask about failures of the split, such as {', '.join(failing)}, or for all of "
                "them: without index and names"
            )
        return told
