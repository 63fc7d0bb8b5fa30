"""Ten class colours that stay apart for colour-blind readers."""

from collections.abc import Sequence
from dataclasses import dataclass

# Petroff, "Accessible color sequences for data visualization" (2021), ten colours.
PALETTE = (
    "#3f90da",
    "#ffa90e",
    "#bd1f01",
    "#94a4a2",
    "#832db6",
    "#a96b59",
    "#e76300",
    "#b9ac70",
    "#717581",
    "#92dadd",
)
_DARK, _LIGHT = "#111111", "#ffffff"


@dataclass(frozen=True)
class Colour:
    """A fill and the ink that is readable on it."""

    fill: str
    ink: str

    @classmethod
    def of(cls, fill: str) -> "Colour":
        """Choose the ink of higher contrast (WCAG)."""
        light = _luminance(fill)
        on_dark, on_light = (light + 0.05) / (_luminance(_DARK) + 0.05), 1.05 / (light + 0.05)
        return cls(fill, _DARK if on_dark >= on_light else _LIGHT)


def class_colours(classes: Sequence[int]) -> dict[int, Colour]:
    """Give each of the classes that are shown together a colour.

    Classes 0 to 9 keep their own colour on the whole page. Where there are others, colours go by
    order of appearance, so that two classes share one only where more than ten are shown.
    """
    seen = list(dict.fromkeys(classes))
    own = all(0 <= c < len(PALETTE) for c in seen)
    return {
        c: Colour.of(PALETTE[c if own else place % len(PALETTE)]) for place, c in enumerate(seen)
    }


def _luminance(fill: str) -> float:
    channels = (int(fill[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
