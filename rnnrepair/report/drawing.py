"""What a figure is made of; ``macros.jinja`` turns it into inline SVG.

Colours that must differ between light and dark mode are CSS classes of ``style.jinja``.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Picture:
    """A PNG in the page."""

    x: float
    y: float
    width: float
    height: float
    uri: str


@dataclass(frozen=True)
class Box:
    """A rectangle, with a text in its middle where there is room."""

    x: float
    y: float
    width: float
    height: float
    css: str
    text: str = ""
    fill: str = ""
    ink: str = ""
    title: str = ""


@dataclass(frozen=True)
class Path:
    """A line; ``d`` is SVG path data."""

    d: str
    css: str


@dataclass(frozen=True)
class Dot:
    """A data point; its title tells its value."""

    x: float
    y: float
    css: str
    title: str


@dataclass(frozen=True)
class Text:
    """A text at a point; ``anchor`` is start, middle or end."""

    x: float
    y: float
    text: str
    anchor: str = "middle"
    css: str = "tick"


@dataclass(frozen=True)
class Drawing:
    """A figure; pictures, boxes, paths, dots, frames and texts are drawn in this order."""

    width: float
    height: float
    description: str
    pictures: tuple[Picture, ...] = ()
    boxes: tuple[Box, ...] = ()
    paths: tuple[Path, ...] = ()
    dots: tuple[Dot, ...] = ()
    frames: tuple[Box, ...] = ()
    texts: tuple[Text, ...] = ()

    @property
    def weight(self) -> int:
        """Characters of the page that its data take, about."""
        shapes = len(self.boxes) + len(self.dots) + len(self.frames) + len(self.texts)
        return (
            sum(len(p.uri) for p in self.pictures)
            + sum(len(p.d) for p in self.paths)
            + 150 * shapes
        )


def path_data(points: list[tuple[float, float]]) -> str:
    """Return the SVG path through points; one point alone becomes a line without length.

    Example:
        >>> path_data([(0, 1.04), (2.5, 3)])
        'M0 1L2.5 3'
    """
    points = points * 2 if len(points) == 1 else points
    return "M" + "L".join(f"{round(x, 1):g} {round(y, 1):g}" for x, y in points)
