"""A token sequence as words, with what the network made of each of them."""

from dataclasses import dataclass

from torch import Tensor

from rnnrepair.record import Span
from rnnrepair.report.cards import FailureCard
from rnnrepair.report.colours import class_colours
from rnnrepair.report.sequence_figure import reads_stepwise
from rnnrepair.sequences import Names


@dataclass(frozen=True)
class Word:
    """One word; ``line`` is the colour under it, ``css`` tells what it is part of."""

    text: str
    line: str = ""
    css: str = ""
    title: str = ""


@dataclass(frozen=True)
class TextFigure:
    """Words (or characters) in their order, with what stands between two of them."""

    words: tuple[Word, ...]
    description: str
    separator: str = " "

    @property
    def weight(self) -> int:
        """Characters of the page that it takes, about."""
        return sum(60 + len(word.text) + len(word.title) for word in self.words)


def failure_text(card: FailureCard, names: Names) -> TextFigure:
    """Show a failure: step predictions under the words, responsible segment marked."""
    failure = card.failure
    colour = class_colours([failure.label, failure.predicted, *failure.prediction.tolist()])
    first, end = failure.segment
    texts, words = names.of_tokens(card.inputs), []
    if not reads_stepwise(card):  # a network that makes fewer steps than it reads
        told = (
            f"Failure {failure.index}: {len(failure.state)} steps of {len(texts)} {names.token}s."
        )
        return TextFigure(tuple(map(Word, texts)), told, names.separator)
    steps = zip(failure.prediction.tolist(), failure.state.tolist(), strict=True)
    for step, (text, (predicted, state)) in enumerate(zip(texts, steps, strict=True)):
        css = "responsible" if step == failure.step else "segment" if first <= step < end else ""
        title = f"step {step + 1}: predicted {names.of_class(predicted)}, state {state}"
        words.append(Word(text, colour[predicted].fill, css, title))
    token = names.token
    told = f"Failure {failure.index}: {len(words)} {token}s, {token} {failure.step + 1} marked."
    return TextFigure(tuple(words), told, names.separator)


def sample_text(tokens: Tensor, mark: Span, names: Names, description: str) -> TextFigure:
    """Show a sample with a part of it marked."""
    words = tuple(
        Word(text, css="common" if mark[0] <= step < mark[1] else "")
        for step, text in enumerate(names.of_tokens(tokens))
    )
    return TextFigure(words, description, names.separator)
