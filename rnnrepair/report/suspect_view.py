"""What the page shows of samples whose label is suspect."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from rnnrepair.record import Suspect
from rnnrepair.report.card_view import Sample
from rnnrepair.report.cards import ShownData, fetched
from rnnrepair.report.colours import class_colours
from rnnrepair.report.drawing import Drawing
from rnnrepair.report.margin_curve import margin_curve
from rnnrepair.report.sample_figures import sample_figures
from rnnrepair.sequences import Names, SampleNames


@dataclass(frozen=True)
class SuspectView:
    """A suspect as ``repair.html.jinja`` shows it.

    Attributes:
        number: of the sample, with what it is called where it came from.
        split: that it is of.
        score: how suspicious it is.
        label: name of the class that it carries.
        suggested: of the one that the evidence speaks for.
        sample: its picture or text.
        neighbours: nearest training samples, nearest first.
        margins: of its label while the network was trained; None where nobody has recorded it.
    """

    number: str
    split: str
    score: float
    label: str
    suggested: str
    sample: Sample
    neighbours: tuple[Sample, ...]
    margins: Drawing | None


def suspect_views(
    suspects: Sequence[Suspect], data: ShownData, names: Names, samples: SampleNames
) -> list[SuspectView]:
    """Fetch suspects and their neighbours, and prepare them for the page."""
    return [_view(suspect, data, names, samples) for suspect in suspects]


def _view(suspect: Suspect, data: ShownData, names: Names, samples: SampleNames) -> SuspectView:
    near = suspect.neighbours
    index = [suspect.index, *(n.index for n in near)]
    label = [suspect.label, *(n.label for n in near)]
    called = samples.numbered(torch.tensor(index))
    inputs, colours = fetched(data, index), class_colours([*label, suspect.suggested])
    shown = [
        Sample(figure, names.of_class(c), colours[c], caption)
        for figure, c, caption in zip(
            sample_figures(inputs, data, names, "sample whose label is suspect, or one like it"),
            label,
            called,
            strict=True,
        )
    ]
    return SuspectView(
        number=called[0],
        split=suspect.split,
        score=suspect.score,
        label=names.of_class(suspect.label),
        suggested=names.of_class(suspect.suggested),
        sample=shown[0],
        neighbours=tuple(shown[1:]),
        margins=margin_curve(suspect.margins),
    )
