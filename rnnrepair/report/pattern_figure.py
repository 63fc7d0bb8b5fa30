"""One picture of what failures have in common, how it was taught, and what became of it."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from rnnrepair.atomic import write_file
from rnnrepair.record import FoundPattern, RunRecord
from rnnrepair.report.cards import ShownData, fetched
from rnnrepair.report.studies.canvas import LINES, panel
from rnnrepair.report.taught import taught_inputs
from rnnrepair.sequences import Kind

FILE = "patterns.png"
# Pictures in a row, and patterns, at most.
SHOWN, PATTERNS = 9, 3


def write_pattern_figure(run_folder: Path, data: ShownData) -> Path | None:
    """Write ``patterns.png`` from the record in the folder of a run.

    Args:
        run_folder: of the run.
        data: of the run.

    Returns:
        The picture, None where the run has no record or has found no pattern.

    Raises:
        IncompatibleCheckpointError: the record is of another version, or damaged.
    """
    if not RunRecord.is_in(run_folder):
        return None
    repair = RunRecord.load(run_folder).repair
    if repair is None or not repair.patterns:
        return None
    figure = pattern_figure(repair.patterns[:PATTERNS], data, trained_on=repair.trained_on)
    path = run_folder / FILE
    with write_file(path) as draft:
        figure.savefig(draft, format="png")
    return path


def pattern_figure(
    patterns: Sequence[FoundPattern], data: ShownData, *, trained_on: bool
) -> Figure:
    """Draw of each pattern the errors before and after and, of images, what it looks like.

    Args:
        patterns: of a run, at least one.
        data: of the run.
        trained_on: whether the final network was trained on the repair split too; then errors on
            it say nothing, and are left out.
    """
    image = data.spec.kind == Kind.IMAGE
    height = 3.4 if image else 2.5
    figure = Figure(figsize=(11, height * len(patterns)), layout="constrained", dpi=120)
    for part, pattern in zip(
        figure.subfigures(len(patterns), squeeze=False)[:, 0], patterns, strict=True
    ):
        part.suptitle(
            f"{pattern.description}: {len(pattern.failures)} failures, error "
            f"{pattern.error_inside:.0%} inside, {pattern.error_outside:.1%} outside",
            x=0.01,
            ha="left",
            fontsize=13,
        )
        left, right = part.subfigures(1, 2, width_ratios=[2, 1]) if image else (None, part)
        if left is not None:
            taught = taught_inputs(pattern, data, SHOWN)
            rows = [("failures", fetched(data, list(pattern.failures[:SHOWN])))]
            if taught:
                samples = list(pattern.taught.samples[:SHOWN])
                rows += [("training samples like them", fetched(data, samples))]
                rows += [("... with the edit: taught", taught)]
            lines = left.subfigures(len(rows), 1, squeeze=False)[:, 0]
            for line, (told, images) in zip(lines, rows, strict=True):
                line.suptitle(told, x=0.01, ha="left", fontsize=11)
                _row(line.subplots(1, SHOWN), images)
        _errors(right.subplots(), pattern, trained_on=trained_on)
    return figure


def _row(line: Sequence[Axes], images: Sequence[Tensor]) -> None:
    for axes in line:
        axes.axis("off")
    for axes, image in zip(line, images, strict=False):
        axes.imshow(image.numpy(), cmap="gray_r", vmin=0, vmax=1)


def _errors(axes: Axes, pattern: FoundPattern, *, trained_on: bool) -> None:
    """Draw the errors of the samples that have the pattern, by split."""
    shown = {
        split: errors
        for split, errors in pattern.splits.items()
        if errors.samples and not (split == "repair" and trained_on)
    }
    panel(axes, "Error of samples that have it", "", "")
    for shift, when, colour in ((-0.2, "before", LINES[5]), (0.2, "after", LINES[0])):
        share = [getattr(errors, when) / errors.samples for errors in shown.values()]
        places = [place + shift for place in range(len(share))]
        bars = axes.bar(places, share, 0.38, label=when, color=colour)
        axes.bar_label(bars, [f"{s:.0%}" for s in share], padding=2, fontsize=9)
    names = [f"{split}\n({errors.samples})" for split, errors in shown.items()]
    axes.set_xticks(range(len(names)), names)
    axes.margins(y=0.35)
    axes.legend(fontsize=9, frameon=False, ncols=2, loc="upper right")
