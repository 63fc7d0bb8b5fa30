"""What the page tells of one failure."""

from dataclasses import dataclass

from rnnrepair.repair import Predictions
from rnnrepair.report.cards import FailureCard
from rnnrepair.report.colours import Colour, class_colours
from rnnrepair.report.drawing import Drawing
from rnnrepair.report.pictures import thumbnail, value_range
from rnnrepair.report.sequence_figure import sequence_figure
from rnnrepair.report.wording import count


@dataclass(frozen=True)
class Sample:
    """A training sample beside a failure."""

    drawing: Drawing
    label: str = ""
    colour: Colour | None = None
    distance: str = ""


@dataclass(frozen=True)
class CardView:
    """A failure as ``macros.jinja`` shows it.

    Attributes:
        index: of the failure.
        label: its true class.
        predicted: the class that the unrepaired network gives it.
        final: the class after the run, None where it was not predicted.
        story: when the prediction left the truth.
        neighbourhood: what the influential samples have in common.
        figure: the sequence, step by step.
        nearest: influential training samples, nearest first.
        injected: samples made for it.
    """

    index: int
    label: int
    predicted: int
    final: int | None
    story: str
    neighbourhood: str
    figure: Drawing
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
        return 2500 + self.figure.weight + sum(350 + s.drawing.weight for s in samples)


def card_view(card: FailureCard, after: Predictions) -> CardView:
    """Prepare a card; ``after`` are the predictions of its split after the run."""
    card = _without_padding(card)
    shown = [p for p in (card.inputs, card.nearest, card.injected) if p.numel()]
    scale = value_range(shown)
    labels = card.nearest_label.tolist()
    colours = class_colours([card.label, card.predicted, *card.predictions.tolist(), *labels])
    nearest = zip(card.nearest, labels, card.nearest_distance.tolist(), strict=True)
    return CardView(
        index=card.index,
        label=card.label,
        predicted=card.predicted,
        final=_prediction_of(card.index, after),
        story=_story(card),
        neighbourhood=_neighbourhood(card, labels),
        figure=sequence_figure(card, scale),
        nearest=tuple(
            Sample(
                thumbnail(inputs, scale, f"Influential sample of class {label}"),
                str(label),
                colours[label],
                f"{distance:.3f}",
            )
            for inputs, label, distance in nearest
        ),
        injected=tuple(
            Sample(thumbnail(inputs, scale, "Injected sample")) for inputs in card.injected
        ),
    )


def _without_padding(card: FailureCard) -> FailureCard:
    """Cut the inputs to the steps that were read."""
    fields = card.as_state() | {"inputs": card.inputs[: len(card.states)]}
    return FailureCard(**fields)


def _prediction_of(index: int, predictions: Predictions) -> int | None:
    found = predictions.predicted[predictions.index == index]
    return int(found[0]) if len(found) else None


def _story(card: FailureCard) -> str:
    """Say when the step prediction left the truth, and what the abstraction saw there."""
    n_steps, step = len(card.predictions), card.step
    turned = int(card.predictions[step])
    if not bool((card.predictions == card.label).any()):
        return (
            f"No step was ever predicted {card.label}: the prediction was wrong from step 1 to "
            f"step {n_steps}, where the network is in state {int(card.states[-1])}."
        )
    ending = "" if turned == card.predicted else f" and ended as {card.predicted}"
    old, new = int(card.states[step - 1]), int(card.states[step])
    way = f"stayed in state {new}" if old == new else f"went from state {old} to state {new}"
    return (
        f"The prediction left the truth for good at step {step + 1} of {n_steps}, where "
        f"{card.label} turned into {turned}{ending}: the network {way}."
    )


def _neighbourhood(card: FailureCard, labels: list[int]) -> str:
    if not labels:
        return "No training sample takes a similar way through the states."
    true, wrong = labels.count(card.label), labels.count(card.predicted)
    return (
        f"Of the {count(len(labels), 'sample')} shown, {wrong} carry the predicted label "
        f"{card.predicted} and {true} the true label {card.label}."
    )
