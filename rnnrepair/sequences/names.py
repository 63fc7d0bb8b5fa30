"""What numbers of classes, tokens and channels are called."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from rnnrepair.sequences.spec import DataSpec


@dataclass(frozen=True)
class Names:
    """Names by number; where there are none, the number itself is the name.

    Attributes:
        classes: of the classes.
        words: of the tokens.
        separator: stands between two words of a text; empty where they are characters.
        channels: of the features of a series.
        units: of the features.
    """

    classes: Sequence[str] = ()
    words: Sequence[str] = ()
    separator: str = " "
    channels: Sequence[str] = ()
    units: Sequence[str] = ()

    @classmethod
    def of(cls, spec: DataSpec) -> "Names":
        """Return what the data call their classes, tokens and channels, as far as they say."""
        return cls(
            spec.class_names,
            spec.token_names,
            spec.between_tokens,
            spec.channel_names,
            spec.units,
        )

    @property
    def token(self) -> str:
        """What a token is: a word, or a character."""
        return "word" if self.separator else "character"

    def of_class(self, number: int) -> str:
        """Return the name of a class, in quotes where blanks at its ends would not be seen."""
        name = self.classes[number] if number < len(self.classes) else str(number)
        return name if name == name.strip() else repr(name)

    def number_of(self, n_classes: int) -> Callable[[str], int | None]:
        """Return what finds the number of a class by its name, or by the number itself."""
        known = {str(number): number for number in range(n_classes)}
        known |= {name: number for number, name in enumerate(self.classes)}
        known |= {self.of_class(number): number for number in range(n_classes)}
        return known.get

    def of_channel(self, number: int) -> str:
        """Return the name of a channel, with its unit where it is known."""
        name = self.channels[number] if number < len(self.channels) else str(number)
        unit = self.units[number] if number < len(self.units) else ""
        return f"{name} ({unit})" if unit else name

    def of_tokens(self, tokens: Tensor) -> list[str]:
        """Return the words of (T,) tokens."""
        return [self.words[t] if t < len(self.words) else str(t) for t in tokens.tolist()]

    def text_of(self, tokens: Tensor) -> str:
        """Return (T,) tokens as one text."""
        return self.separator.join(self.of_tokens(tokens))
