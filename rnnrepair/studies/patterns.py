"""What failures have in common, found without being told."""

from collections.abc import Sequence
from typing import Annotated

import pandas as pd
import torch
from torch import Tensor

from rnnrepair.patterns import (
    LEAST_FAILURES,
    LEAST_INSIDE,
    LEVEL,
    EditPatterns,
    Finder,
    GroupPatterns,
    PathPatterns,
    Pattern,
    PatternContext,
    WordPatterns,
    columns_without_groups,
    few_groups_told,
    find_patterns,
    members_of,
)
from rnnrepair.protocols import names_of_samples
from rnnrepair.sequences import Kind, Names
from rnnrepair.settings import Count, ProperShare, check_settings, one_of
from rnnrepair.studies.finished_run import FinishedRun
from rnnrepair.studies.shared_causes import pattern_context
from rnnrepair.studies.study import StudyResult
from rnnrepair.traces import Traces

# The other of the two splits, on which a pattern has to hold.
OTHER = {"test": "val", "val": "test"}
# Columns of the table of patterns, which stands there without patterns too.
COLUMNS = (
    *("pattern", "kind", "also", "within"),
    *("failures", "samples", "error_inside", "error_outside", "p"),
    *("other_split", "other_samples", "other_error_inside", "other_error_outside"),
)


class Patterns:
    """Groups of failures with one thing in common, each tested against chance.

    Source: ours.
    """

    name = "patterns"

    def __init__(
        self,
        split: Annotated[str, one_of(OTHER)] = "test",
        level: ProperShare = LEVEL,
        shuffles: Count = 500,
        shown: Count = 8,
    ) -> None:
        """Keep the settings.

        Args:
            split: whose failures.
            level: of the test, corrected over all that is tried.
            shuffles: how often failure flags are shuffled.
            shown: failures and training samples that are shown of a pattern.

        Raises:
            SettingsError: a value out of range.
        """
        check_settings(Patterns, locals())
        self.split = split
        self.level = level
        self.shuffles = shuffles
        self.shown = shown

    def check(self, run: FinishedRun) -> None:
        """Accept every network and all data."""

    def __call__(self, run: FinishedRun) -> StudyResult:
        """Name the patterns, and look whether they hold on the other split."""
        traces = run.chosen().traces
        context = pattern_context(run, traces[self.split], traces["fit"])
        other = pattern_context(run, traces[OTHER[self.split]], traces["fit"])
        finders: list[Finder] = [
            EditPatterns(),
            GroupPatterns(),
            WordPatterns(),
            PathPatterns(),
        ]
        found = find_patterns(context, finders, self.level, self.shuffles)
        again = members_of(other, found, finders)
        rows = [
            _row(pattern, again[: number + 1], other, OTHER[self.split])
            for number, pattern in enumerate(found)
        ]
        table = pd.DataFrame(rows, columns=list(COLUMNS))
        failures = _failures(run, traces[self.split], found)
        samples = _samples(run, found, self.shown)
        pictures = {}
        if run.data.spec.kind == Kind.IMAGE and found:
            pictures = {"patterns": _pictures(run, found, self.shown)}
        return StudyResult(
            {"patterns": table, "failures": failures, "samples": samples},
            _conclusion(table, context, self.split),
            pictures=pictures,
        )


def _row(
    pattern: Pattern, members: Sequence[Tensor], other: PatternContext, split: str
) -> dict[str, float | str]:
    """Return what is told of a pattern, given who has it and, before that, each one before it."""
    again = members[-1]
    outside = ~torch.stack([*members]).any(0)
    return {
        "pattern": pattern.description,
        "kind": pattern.kind,
        "also": ", ".join(trait.description for trait in pattern.also),
        "within": pattern.within,
        "failures": pattern.size,
        "samples": len(pattern.inside),
        "error_inside": pattern.error_inside,
        "error_outside": pattern.error_outside,
        "p": pattern.p,
        "other_split": split,
        "other_samples": int(again.sum()),
        "other_error_inside": float(other.failed[again].double().mean()),
        "other_error_outside": float(other.failed[outside].double().mean()),
    }


def _failures(run: FinishedRun, traces: Traces, found: Sequence[Pattern]) -> pd.DataFrame:
    """Return a row for each failure of each pattern."""
    names, samples = Names.of(run.data.spec), names_of_samples(run.data)
    columns = ["pattern", "index", "name", "label", "predicted"]
    rows = []
    for pattern in found:
        own = traces.select(torch.isin(traces.index, pattern.members))
        for index, label, predicted in zip(
            own.index, own.label.tolist(), own.final_prediction.tolist(), strict=True
        ):
            name = samples.of(index[None])[0]
            true, wrong = names.of_class(label), names.of_class(predicted)
            rows.append((pattern.description, int(index), name, true, wrong))
    return pd.DataFrame(rows, columns=columns)


def _samples(run: FinishedRun, found: Sequence[Pattern], shown: int) -> pd.DataFrame:
    """Return a row for each of the nearest training samples of each pattern."""
    samples = names_of_samples(run.data)
    rows = [
        (pattern.description, index, name)
        for pattern in found
        for index, name in zip(
            pattern.samples[:shown].tolist(), samples.of(pattern.samples[:shown]), strict=True
        )
    ]
    return pd.DataFrame(rows, columns=["pattern", "sample", "name"])


def _pictures(run: FinishedRun, found: Sequence[Pattern], shown: int) -> Tensor:
    """Return (patterns, 2, shown, H, W): failures, and training samples as they are; else 0."""
    drawn = [
        run.data.fetch(index[:shown]).inputs
        for pattern in found
        for index in (pattern.members, pattern.samples)
    ]
    height = max(images.shape[1] for images in drawn)
    pictures = torch.zeros(2 * len(found), shown, height, drawn[0].shape[2])
    for place, images in zip(pictures, drawn, strict=True):
        place[: len(images), : images.shape[1]] = images
    return pictures.unflatten(0, (len(found), 2))


def _conclusion(table: pd.DataFrame, context: PatternContext, split: str) -> list[str]:
    n_failures, told = int(context.failed.sum()), list[str]()
    if silent := columns_without_groups(context.columns, context.index):
        told = [
            f"Nothing can be told by {', '.join(silent)}: no value is that of {LEAST_INSIDE} or "
            "more samples."
        ]
    if (apart := context.failures_apart()) < LEAST_FAILURES:
        few = (
            f"{n_failures} failures on the {split} split"
            + (f", of {apart} groups (recordings, copies)" if apart < n_failures else "")
            + ": what failures have in common is looked for where there are "
            f"{LEAST_FAILURES} or more{' groups' if apart < n_failures else ''}."
        )
        return [few, *told]
    if len(table) == 0:
        nothing = (
            f"The {n_failures} failures on the {split} split have nothing in common by itself."
            f"{few_groups_told(n_failures, apart)}"
        )
        return [nothing, *told]
    return told + [
        f"{row.pattern}: {row.failures} of {n_failures} failures on the {split} split, error "
        f"{row.error_inside:.1%} inside, {row.error_outside:.1%} outside (p {row.p:.3f})"
        + (f", most of these failures also: {row.also}" if row.also else "")
        + (f"; {row.within}; " if row.within else "; ")
        + (
            f"on {row.other_split} {row.other_error_inside:.1%} of {row.other_samples} inside, "
            f"{row.other_error_outside:.1%} outside."
            if row.other_samples
            else f"no sample of {row.other_split} has it."
        )
        for row in table.itertuples()
    ]
