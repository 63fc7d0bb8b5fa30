"""What numbers of classes and tokens are called."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from rnnrepair.sequences.spec import DataSpec


@dataclass(frozen=True)
class Names:
    """Names by number; where there are none, the number itself is the name.

    Attributes:
        classes: of the classes.
        words: of the tokens.
    """

    classes: Sequence[str] = ()
    words: Sequence[str] = ()

    @classmethod
    def of(cls, spec: DataSpec) -> "Names":
        """Return what the data call their classes and tokens, as far as they say."""
        return cls(spec.class_names, spec.token_names)

    def of_class(self, number: int) -> str:
        """Return the name of a class."""
        return self.classes[number] if number < len(self.classes) else str(number)

    def of_tokens(self, tokens: Tensor) -> list[str]:
        """Return the words of (T,) tokens."""
        return [self.words[t] if t < len(self.words) else str(t) for t in tokens.tolist()]
