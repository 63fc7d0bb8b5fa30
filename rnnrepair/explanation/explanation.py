"""What is told of the failures of a trained network, as a typed result and as a table."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, overload

import pandas as pd
import torch
from torch import Tensor

from rnnrepair.explanation.around import around
from rnnrepair.explanation.mistaken import mistaken
from rnnrepair.explanation.pattern_notes import or_wrong_labels, rare_in_training
from rnnrepair.explanation.told_failure import ToldFailure
from rnnrepair.influence import Evidence, LabelDoubt, Role, Suspicion
from rnnrepair.patterns import LEAST_FAILURES, LEVEL, Pattern, few_groups_told
from rnnrepair.protocols import Split
from rnnrepair.record import Failure, Suspect, story, suspect_columns
from rnnrepair.sequences import DataSpec, Names, SampleNames, table_columns

# Training samples told of a failure in a line of text.
TOLD = 3


@dataclass(frozen=True, eq=False)
class Explanation:
    """M failures of a trained network, each with its story.

    ``explanation[0]`` is the first that is told, and prints its story. Steps count from 1 in all
    that is read of it: text, table, page and the failures that are got out of it one by one.

    Attributes:
        spec: of the data.
        network: how it is read.
        split: that the failures are of.
        accuracy: of the network on the whole split.
        fit_accuracy: of it on the training samples that are searched.
        searched: training samples among which those behind a failure are looked for.
        set_aside: sequences of ``repair`` and ``val``, which are not.
        warning: that the data are probably not those that it was trained on, or that the split is
            unlike them; empty for none.
        learnt: whether failures are of what the network has not learnt, or of what is new to it;
            empty for neither, and where a warning, a pattern or where they gather says more.
        confused: (C, C) int64, how often the class of the row is taken for that of the column on
            the whole split.
        failing: (n,) int64 indices of all failures of the split; as many may be told, or fewer.
        n_apart: groups that these are of; copies, or windows of one recording, count as one.
        by_group: which groups most failures are of, in a line; empty where they stand alone.
        patterns: what failures of the split have in common, told or not; None where nobody has
            looked.
        perhaps: what they may have in common where there are none of these: chance explains it, but
            not easily.
        gathered: classes, lengths and odd values of the inputs in which failures gather, where
            patterns explain less than half of them: where they are, and not why.
        unlike: by which values samples of a pattern differ from training, by what is told of it.
        failures: M of them as records hold them, with the training samples that a card shows; their
            steps are positions in ``state`` and ``prediction``, from 0.
        evidence: of the same failures, all training samples that were looked for, by role.
        doubt: whether labels of the failures are suspect.
        suspicion: of the labels of all training samples.
        suspects: training samples whose label is suspect, the most suspicious first, and behind
            them those whose doubt a value of a column explains.
        place: (M, 2) float32, first two principal components of the last states.
        words: M texts as their words, none where inputs are no tokens.
        n_inputs: (M,) int64 steps of the sequences, of which a network may make fewer states.
        right: (n,) int64 indices that were asked for and are no failures.
        sample_names: what samples are called where they came from.
    """

    spec: DataSpec
    network: str
    split: Split
    accuracy: float
    fit_accuracy: float
    searched: int
    set_aside: int
    warning: str
    learnt: str
    confused: Tensor
    failing: Tensor
    n_apart: int
    by_group: str
    patterns: tuple[Pattern, ...] | None
    perhaps: Pattern | None
    gathered: tuple[Pattern, ...]
    unlike: Mapping[str, str]
    failures: tuple[Failure, ...]
    evidence: Evidence
    doubt: LabelDoubt
    suspicion: Suspicion
    suspects: tuple[Suspect, ...]
    place: Tensor
    words: tuple[tuple[str, ...], ...]
    n_inputs: Tensor
    right: Tensor
    sample_names: SampleNames = field(default_factory=SampleNames)

    def __len__(self) -> int:
        return len(self.failures)

    @property
    def n_failures(self) -> int:
        """Failures of the whole split."""
        return len(self.failing)

    @property
    def mistaken(self) -> str:
        """Which classes of the split are most often taken for which, empty without failures."""
        return mistaken(self.confused, Names.of(self.spec))

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
                (name,) = self._numbered([failure.index])
                return (
                    "Steps are told by the states of the network, which are not as many as the "
                    f"inputs: it makes {n_states} of the {n_inputs} inputs of sample {name}."
                )
        return ""

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
        told = self._row(row % n) | {"story": self._line(row % n)}
        return ToldFailure(**{each.name: told[each.name] for each in fields(ToldFailure)})

    def __iter__(self) -> Iterator[ToldFailure]:
        return (self[row] for row in range(len(self)))

    def __str__(self) -> str:
        """Tell what failures share, and every failure in a few lines."""
        head = (
            f"{self.network}\n{self.split}: accuracy {self.accuracy:.1%}, {self.n_failures} "
            f"failures, {len(self)} told; training samples {self.fit_accuracy:.1%} of "
            f"{self.searched}"
        )
        if len(self.right):
            right = self.sample_names.numbered(self.right)
            head += f"; right, so nothing to tell: {', '.join(right)}"
        if len(self.right) and len(self) == 0 and self.n_failures:
            failing = self.sample_names.numbered(self.failing[:TOLD])
            head += (
                f". Ask about failures of the split, such as {', '.join(failing)}, or for all of "
                "them: without index and names"
            )
        if self.set_aside:
            head += f"\n{self.set_aside_told}"
        if self.warning:
            head += f"\n{self.warning}"
        if self.learnt:
            head += f"\n{self.learnt}"
        if self.states_told:
            head += f"\n{self.states_told}"
        if self.sample_names.told:
            head += f"\nbehind the number of a sample: {self.sample_names.told}"
        doubted = [f"{value.told}." for value in self.doubt.shared]
        doubted += [self.doubt.too_many_told] if self.doubt.too_many else []
        suspect = sum(self.is_suspect(row) for row in range(len(self)))
        if suspect:
            doubted.append(f"Labels suspect at {suspect} of the {len(self)} failures told.")
        lines = (self._line(row) for row in range(len(self)))
        training = [self.suspicion.told] if self.suspicion.told else []
        mistaken = [self.mistaken] if self.mistaken else []
        return "\n".join([head, *mistaken, *self.shared_told(), *training, *doubted, *lines])

    def shared_told(self) -> list[str]:
        """Say what the failures of the split have in common, a line each."""
        if self.patterns is None or self.n_failures == 0:
            return []
        return [*self._in_common(), *([self.by_group] if self.by_group else [])]

    def _in_common(self) -> list[str]:
        if self.n_apart < LEAST_FAILURES:
            apart = (
                ""
                if self.n_apart == self.n_failures
                else f" that are no copies, nor of one group, and these are of {self.n_apart}"
            )
            needed = f"where there are {LEAST_FAILURES} or more{apart}."
            return [f"What failures share is looked for {needed}"]
        if not self.patterns:
            nothing = (
                "The failures share nothing that was looked for (edits, words, values of columns) "
                "more than chance explains."
                f"{few_groups_told(self.n_failures, self.n_apart)}"
            )
            gathered = (self._told("Where they gather", found) for found in self.gathered)
            return [nothing, *gathered, *self._perhaps_told()]
        shared = [self._told("What failures share", found) for found in self.patterns]
        return [*self.gathered_told(first=True), *shared, *self.gathered_told(first=False)]

    def gathered_told(self, *, first: bool) -> list[str]:
        """Say where failures gather beside patterns, a line each.

        Args:
            first: those with more failures and a higher error than every pattern, which say more
                than the patterns do; else all others.
        """
        patterns = self.patterns or ()
        return [
            self._told("Where failures gather", found)
            for found in self.gathered
            if first
            == all(
                found.size > other.size and found.error_inside > other.error_inside
                for other in patterns
            )
        ]

    def notes_on(self, found: Pattern) -> str:
        """Say of a pattern how rare it is in training, and what else may be why; or nothing."""
        index = [failure.index for failure in self.failures]
        notes = [
            rare_in_training(found, self.searched, int(self.confused.sum()), self.split),
            self.unlike.get(found.told, ""),
            or_wrong_labels(found, index, self.doubt.suspect),
        ]
        return " ".join(note for note in notes if note)

    def _told(self, how: str, found: Pattern) -> str:
        return f"{how}: {found.name} (p {found.p:.3f}). {self.notes_on(found)}".strip()

    def _perhaps_told(self) -> list[str]:
        """Say what comes near to a pattern, if anything does."""
        found = self.perhaps
        if found is None:
            return []
        return [
            f"Perhaps some share this, look at a few: {found.name} (p {found.p:.3f}, where a "
            f"pattern is named from {LEVEL} down)."
        ]

    def is_suspect(self, row: int) -> bool:
        """Return whether a label at a failure is suspect; a pattern may explain that.

        It does not explain that the same input has another label in training.
        """
        shared = self._patterns_of(self.failures[row].index)
        return bool(self.doubt.suspect[row] & (self.doubt.copied[row] or not shared))

    def suspect_told(self, row: int) -> str:
        """Say which labels are suspect at a failure and why, or why none is; empty for nothing."""
        if self.doubt.explained[row]:
            value = self.doubt.shared[int(self.doubt.explained_by[row])]
            return (
                f"Most training samples with {value.name} look mislabelled: they "
                "are, or what has this value differs"
            )
        if not self.doubt.suspect[row]:
            return ""
        own = bool(self.doubt.own[row] | self.doubt.copied[row])
        shared = self._patterns_of(self.failures[row].index)
        if not self.is_suspect(row):
            return (
                f"What it shares ({', '.join(shared)}) may be why {self.why_suspect(row)}: look at "
                "that first; or its label is wrong"
            )
        whose = "LABEL SUSPECT" if own else "LABELS OF NEIGHBOURS SUSPECT"
        return f"{whose}: {self.why_suspect(row)}"

    def why_suspect(self, row: int) -> str:
        """Say what speaks against the label of a failure, or those around it; empty for nothing."""
        told = []
        if self.doubt.own[row]:
            told.append(self._odds_told(row))
        if self.doubt.neighbours[row]:
            told.append("most neighbours that speak for the prediction look mislabelled themselves")
        if self.doubt.copied[row]:
            copies = ", ".join(self._numbered(_real(self.doubt.copies[row])))
            told.append(f"near copies in training carry another label (samples {copies})")
        return "; ".join(told)

    def _odds_told(self, row: int) -> str:
        """Say what odds are: of two counts of labels, multiplied."""
        failure, names = self.failures[row], Names.of(self.spec)
        label, predicted = names.of_class(failure.label), names.of_class(failure.predicted)
        n_voters, odds = self.doubt.copies.shape[1], float(self.doubt.odds[row])
        return (
            f"training samples like it are labelled {predicted} rather than {label}, odds "
            f"{odds:.0f} to 1 (the {n_voters} nearest by last state times the {n_voters} nearest "
            "by input)"
        )

    def _numbered(self, index: Sequence[int]) -> list[str]:
        return self.sample_names.numbered(torch.tensor(index, dtype=torch.int64))

    def _called(self, index: Sequence[int]) -> list[str]:
        return self.sample_names.called(torch.tensor(index, dtype=torch.int64))

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
        named = [f"{role}_names" for role in _ROLES]
        columns = [*_COLUMNS, *_ROLES, *named, "pattern", *_DOUBT, "x", "y", "text"]
        frame = pd.DataFrame([self._row(row) for row in range(len(self))], columns=columns)
        index = torch.tensor([failure.index for failure in self.failures], dtype=torch.int64)
        return frame.assign(**table_columns(self.sample_names, index))

    def suspects_to_dataframe(self) -> pd.DataFrame:
        """Return a row for each training sample whose label is suspect, most suspicious first.

        Written with ``to_csv(..., index=False)`` and filled in (``relabel``, ``drop`` or ``keep``
        in the column action), it is what data modules take as ``corrections``.
        """
        return pd.DataFrame(suspect_columns(self.suspects, Names.of(self.spec), self.sample_names))

    def _row(self, row: int) -> dict[str, Any]:
        failure, names, evidence = self.failures[row], Names.of(self.spec), self.evidence
        first, end = failure.segment
        found: dict[str, Any] = {
            "index": failure.index,
            "name": self.sample_names.of(torch.tensor([failure.index]))[0],
            "label": failure.label,
            "predicted": failure.predicted,
            "label_name": names.of_class(failure.label),
            "predicted_name": names.of_class(failure.predicted),
            "n_steps": len(failure.state),
            "step": failure.step + 1,
            "segment_first": first + 1,
            "segment_last": end,
            "contrast": float("nan") if failure.contrast is None else failure.contrast,
        }
        for role in (Role.NEAREST, Role.PARENTS, Role.OPPONENTS):
            samples = getattr(evidence, role)
            found[role.value] = [] if samples is None else _real(samples.index[row])
        found["contexts"] = (
            [] if evidence.contexts is None else _real(evidence.contexts.sample[row])
        )
        found |= {f"{role}_names": self._called(found[role]) for role in _ROLES}
        x, y = self.place[row].tolist()
        return found | {
            "pattern": "; ".join(self._patterns_of(failure.index)),
            "label_suspect": self.is_suspect(row),
            "why_suspect": self.why_suspect(row),
            "odds": float(self.doubt.odds[row]),
            "copies": _real(self.doubt.copies[row]),
            "copies_names": self._called(_real(self.doubt.copies[row])),
            "x": x,
            "y": y,
            "text": names.separator.join(self.words[row]),
        }

    def _patterns_of(self, index: int) -> list[str]:
        return [p.told for p in self.patterns or () if bool((p.members == index).any())]

    def _line(self, row: int) -> str:
        told, left = self._row(row), story(self.failures[row], Names.of(self.spec))
        line = (
            f"sample {self._numbered([told['index']])[0]}: labelled {told['label_name']}, "
            f"predicted {told['predicted_name']}. {left} Segment "
            f"{told['segment_first']} .. {told['segment_last']}"
        )
        for role in _ROLES:
            if told[role]:
                line += f"; {role} {', '.join(self._numbered(told[role][:TOLD]))}"
        if told["pattern"]:
            line += f"; shares {told['pattern']}"
        if self.words[row]:
            separator, words = Names.of(self.spec).separator, self.words[row]
            # Steps of a network that makes fewer than it reads are no words.
            stepwise = len(words) == len(self.failures[row].state)
            segment = self.failures[row].segment
            text = around(words, segment, separator) if stepwise else separator.join(words)
            line += f"\n    {text}"
        suspect = self.suspect_told(row)
        return line + (f"\n    {suspect}" if suspect else "")


_COLUMNS = [
    *("index", "name", "label", "predicted", "label_name", "predicted_name", "n_steps", "step"),
    *("segment_first", "segment_last", "contrast"),
]
_ROLES = ["nearest", "parents", "opponents", "contexts"]
_DOUBT = ["label_suspect", "why_suspect", "odds", "copies", "copies_names"]


def _real(index: Tensor) -> list[int]:
    """Leave the places out in which there is no sample."""
    found: list[int] = index[index >= 0].tolist()
    return found
