"""A token sequence as words, with what the network made of each of them."""

from dataclasses import dataclass

from torch import Tensor

from rnnrepair.report.cards import FailureCard, Mark
from rnnrepair.report.colours import class_colours
from rnnrepair.report.names import Names


@dataclass(frozen=True)
class Word:
    """One word; ``line`` is the colour under it, ``css`` tells what it is part of."""

    text: str
    line: str = ""
    css: str = ""
    title: str = ""


@dataclass(frozen=True)
class TextFigure:
    """Words in their order."""

    words: tuple[Word, ...]
    description: str

    @property
    def weight(self) -> int:
        """Characters of the page that it takes, about."""
        return sum(60 + len(word.text) + len(word.title) for word in self.words)


def failure_text(card: FailureCard, names: Names) -> TextFigure:
    """Show a failure: step predictions under the words, responsible segment marked."""
    colour = class_colours([card.label, card.predicted, *card.predictions.tolist()])
    first, end = card.segment
    words = []
    steps = zip(card.predictions.tolist(), card.states.tolist(), strict=True)
    for step, (text, (predicted, state)) in enumerate(
        zip(names.of_tokens(card.inputs), steps, strict=True)
    ):
        css = "responsible" if step == card.step else "segment" if first <= step < end else ""
        title = f"step {step + 1}: predicted {names.of_class(predicted)}, state {state}"
        words.append(Word(text, colour[predicted].fill, css, title))
    return TextFigure(
        tuple(words), f"Failure {card.index}: {len(words)} words, word {card.step + 1} marked."
    )


def sample_text(tokens: Tensor, mark: Mark, names: Names, description: str) -> TextFigure:
    """Show a sample with a part of it marked."""
    words = tuple(
        Word(text, css="common" if mark[0] <= step < mark[1] else "")
        for step, text in enumerate(names.of_tokens(tokens))
    )
    return TextFigure(words, description)
