"""What the page tells of one failure."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from rnnrepair.network import Predictions
from rnnrepair.report.cards import FailureCard, Mark
from rnnrepair.report.colours import Colour, class_colours
from rnnrepair.report.drawing import Drawing
from rnnrepair.report.names import Names
from rnnrepair.report.pictures import thumbnail, value_range
from rnnrepair.report.sequence_figure import sequence_figure
from rnnrepair.report.text_figure import TextFigure, failure_text, sample_text
from rnnrepair.report.wording import count

Figure = Drawing | TextFigure


@dataclass(frozen=True)
class Sample:
    """A training sample beside a failure."""

    figure: Figure
    label: str
    colour: Colour
    caption: str = ""


@dataclass(frozen=True)
class CardView:
    """A failure as ``macros.jinja`` shows it.

    Attributes:
        index: of the failure.
        label: name of its true class.
        predicted: of the class that the unrepaired network gives it.
        final: of the class after the run, None where it was not predicted.
        story: when the prediction left the truth.
        neighbourhood: what the influential samples have in common.
        figure: the sequence, step by step.
        nearest: influential training samples, nearest first.
        injected: samples made for it.
    """

    index: int
    label: str
    predicted: str
    final: str | None
    story: str
    neighbourhood: str
    figure: Figure
    nearest: tuple[Sample, ...]
    injected: tuple[Sample, ...]

    @property
    def repaired(self) -> bool:
        """Whether the network is right after the run."""
        return self.final == self.label

    @property
    def weight(self) -> int:
        """Characters of the page that it takes, about."""
        samples = self.nearest + self.injected
        return 2500 + self.figure.weight + sum(350 + s.figure.weight for s in samples)


def card_view(card: FailureCard, after: Predictions, names: Names) -> CardView:
    """Prepare a card; ``after`` are the predictions of its split after the run."""
    labels = card.nearest_label.tolist()
    shown = [card.label, card.predicted, *card.predictions.tolist(), *labels]
    colours = class_colours([*shown, *card.injected_label.tolist()])
    final = _prediction_of(card.index, after)
    if card.is_text:
        figure: Figure = failure_text(card, names)
    else:
        figure = sequence_figure(card, _scale(card))

    def samples(
        kind: str,
        inputs: Sequence[Tensor],
        label: Tensor,
        marks: Sequence[Mark],
        captions: Sequence[str],
    ) -> tuple[Sample, ...]:
        found = zip(inputs, label.tolist(), marks, captions, strict=True)
        made = []
        for one, of, mark, caption in found:
            description = f"{kind} sample of class {names.of_class(of)}"
            if card.is_text:
                own: Figure = sample_text(one, mark, names, description)
            else:
                own = thumbnail(one, _scale(card), description)
            made.append(Sample(own, names.of_class(of), colours[of], caption))
        return tuple(made)

    return CardView(
        index=card.index,
        label=names.of_class(card.label),
        predicted=names.of_class(card.predicted),
        final=None if final is None else names.of_class(final),
        story=_story(card, names),
        neighbourhood=card.nearest_note or _neighbourhood(card, labels, names),
        figure=figure,
        nearest=samples(
            "Influential",
            card.nearest,
            card.nearest_label,
            card.nearest_mark,
            card.nearest_caption,
        ),
        injected=samples(
            "Injected",
            card.injected,
            card.injected_label,
            card.injected_mark,
            [""] * len(card.injected),
        ),
    )


def _scale(card: FailureCard) -> tuple[float, float]:
    """Return the range of values that the pictures of a card share."""
    return value_range([card.inputs, *card.nearest, *card.injected])


def _prediction_of(index: int, predictions: Predictions) -> int | None:
    found = predictions.predicted[predictions.index == index]
    return int(found[0]) if len(found) else None


def _story(card: FailureCard, names: Names) -> str:
    """Say when the step prediction left the truth, and what the abstraction saw there."""
    n_steps, step = len(card.predictions), card.step
    if n_steps == 1:
        return (
            f"The network reads the input as a whole: it predicted "
            f"{names.of_class(card.predicted)}, in state {int(card.states[0])}."
        )
    label, turned = names.of_class(card.label), int(card.predictions[step])
    if not bool((card.predictions == card.label).any()):
        return (
            f"No step was ever predicted {label}: the prediction was wrong from step 1 to "
            f"step {n_steps}, where the network is in state {int(card.states[-1])}."
        )
    ending = "" if turned == card.predicted else f" and ended as {names.of_class(card.predicted)}"
    old, new = int(card.states[step - 1]), int(card.states[step])
    way = f"stayed in state {new}" if old == new else f"went from state {old} to state {new}"
    return (
        f"The prediction left the truth for good at step {step + 1} of {n_steps}, where "
        f"{label} turned into {names.of_class(turned)}{ending}: the network {way}."
    )


def _neighbourhood(card: FailureCard, labels: list[int], names: Names) -> str:
    if not labels:
        return "No training sample takes a similar way through the states."
    true, wrong = labels.count(card.label), labels.count(card.predicted)
    return (
        f"Of the {count(len(labels), 'sample')} shown, {wrong} carry the predicted label "
        f"{names.of_class(card.predicted)} and {true} the true label {names.of_class(card.label)}."
    )
