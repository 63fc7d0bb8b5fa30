"""What the page tells of one failure."""

from dataclasses import dataclass

import torch
from torch import Tensor

from rnnrepair.network import Predictions
from rnnrepair.record import Injected, Span, story
from rnnrepair.report.cards import FailureCard
from rnnrepair.report.colours import Colour, class_colours
from rnnrepair.report.drawing import Drawing
from rnnrepair.report.neighbourhood import caption, neighbourhood, origin
from rnnrepair.report.pictures import shared_scales, thumbnail
from rnnrepair.report.sequence_figure import sequence_figure
from rnnrepair.report.text_figure import TextFigure, failure_text, sample_text
from rnnrepair.sequences import Names, SampleNames

Figure = Drawing | TextFigure


@dataclass(frozen=True)
class Sample:
    """A training sample beside a failure.

    Attributes:
        figure: its picture or text.
        label: name of its class.
        colour: of the class.
        caption: why it stands here.
        copies: how many of the samples are just the same.
    """

    figure: Figure
    label: str
    colour: Colour
    caption: str = ""
    copies: int = 1


@dataclass(frozen=True)
class CardView:
    """A failure as ``macros.jinja`` shows it.

    Attributes:
        index: of the failure.
        number: the same, with what the sample is called where it came from.
        label: name of the class that it is labelled with.
        predicted: of the class that the unrepaired network gives it.
        final: of the class after the run, None where it was not predicted.
        story: when the prediction left the label.
        neighbourhood: what the influential samples have in common.
        figure: the sequence, step by step.
        nearest: influential training samples, nearest first.
        injected: samples made for it.
        doubt: which labels are suspect and why, or why none is; empty where nobody has looked.
        suspect: whether any is.
        trained_on: whether the final network was trained on the failure itself, too.
    """

    index: int
    number: str
    label: str
    predicted: str
    final: str | None
    story: str
    neighbourhood: str
    figure: Figure
    nearest: tuple[Sample, ...]
    injected: tuple[Sample, ...]
    doubt: str = ""
    suspect: bool = False
    trained_on: bool = False

    @property
    def repaired(self) -> bool:
        """Whether the network is right after the run."""
        return self.final == self.label

    @property
    def weight(self) -> int:
        """Characters of the page that it takes, about."""
        samples = self.nearest + self.injected
        return 2500 + self.figure.weight + sum(350 + s.figure.weight for s in samples)


def card_view(
    card: FailureCard,
    names: Names,
    samples: SampleNames,
    after: Predictions | None = None,
    doubt: str = "",
    *,
    suspect: bool = False,
    trained_on: bool = False,
) -> CardView:
    """Prepare a card.

    Args:
        card: the failure with its sequences.
        names: of classes and tokens.
        samples: what samples are called.
        after: predictions of its split after the run, None where no run has changed the network.
        doubt: which labels are suspect and why, or why none is.
        suspect: whether any is.
        trained_on: see ``CardView``.
    """
    failure = card.failure
    labels = [found.label for found in failure.neighbours]
    labels += [made.label for made in failure.injected]
    colours = class_colours(
        [failure.label, failure.predicted, *failure.prediction.tolist(), *labels]
    )
    final = None if after is None else _prediction_of(failure.index, after)
    shown = [card.inputs, *card.nearest, *card.injected]
    scales = shared_scales(shown, by_feature=not (card.is_image or card.is_text))

    def called(index: int) -> str:
        return samples.numbered(torch.tensor([index]))[0]

    def sample(
        kind: str, inputs: Tensor, label: int, mark: Span, told: str = "", copies: int = 1
    ) -> Sample:
        description = f"{kind} sample of class {names.of_class(label)}"
        if card.is_text:
            own: Figure = sample_text(inputs, mark, names, description)
        else:
            own = thumbnail(inputs, scales, description, image=card.is_image)
        return Sample(own, names.of_class(label), colours[label], told, copies)

    return CardView(
        index=failure.index,
        number=called(failure.index),
        label=names.of_class(failure.label),
        predicted=names.of_class(failure.predicted),
        final=None if final is None else names.of_class(final),
        story=story(failure, names),
        neighbourhood=neighbourhood(failure, names),
        figure=failure_text(card, names) if card.is_text else sequence_figure(card, scales, names),
        nearest=tuple(
            sample(
                "Influential",
                inputs,
                found.label,
                found.common,
                f"{caption(found, names)} · {called(found.index)}",
            )
            for inputs, found in zip(card.nearest, failure.neighbours, strict=True)
        ),
        injected=tuple(
            sample("Injected", inputs, made.label, made.piece, origin(made, inputs, card), copies)
            for inputs, made, copies in _counted(card)
        ),
        doubt=doubt,
        suspect=suspect,
        trained_on=trained_on,
    )


def _counted(card: FailureCard) -> list[tuple[Tensor, Injected, int]]:
    """Return the injected samples in their order, equal ones once, with how many there are."""
    found: list[tuple[Tensor, Injected, int]] = []
    for inputs, made in zip(card.injected, card.failure.injected, strict=True):
        what = (made.label, made.piece, made.parent)
        for place, (seen, first, copies) in enumerate(found):
            if (first.label, first.piece, first.parent) == what and torch.equal(seen, inputs):
                found[place] = (seen, first, copies + 1)
                break
        else:
            found.append((inputs, made, 1))
    return found


def _prediction_of(index: int, predictions: Predictions) -> int | None:
    found = predictions.predicted[predictions.index == index]
    return int(found[0]) if len(found) else None
