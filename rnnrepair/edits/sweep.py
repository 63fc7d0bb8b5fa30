"""Wide edits along one parameter: what a search for patterns tries; never drawn otherwise."""

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from rnnrepair.edits.edit import EditBatch
from rnnrepair.edits.family import EditFamily
from rnnrepair.sequences.written import written

# Values at which nothing is changed.
UNCHANGED = {
    **dict.fromkeys(("angle", "shear", "right", "down", "shift", "drift", "offset"), 0.0),
    **dict.fromkeys(("scale", "contrast", "warp", "magnitude"), 1.0),
}


@dataclass(frozen=True)
class Sweep:
    """Edits of one kind, of every size.

    Attributes:
        name: of the kind of edit, for tables.
        description: with ``{low}`` and ``{high}``, for people: "turned by {low} to {high} degrees".
        jitter: draws all other parameters.
        parameter: that is swept; None where the edit has no size.
        low: its least value.
        high: its largest value.
        fixed: parameters that are the same in all edits.
        by_factor: whether values are spread evenly by their logarithm.
        whole: whether they are whole numbers.
        dead: channels that have no readings afterwards.
        opposite: what is said of a positive size, and what of a negative one; None where the sign
            is told.
        unit: of its values, in the units that people are told them in.
    """

    name: str
    description: str
    jitter: EditFamily
    parameter: str | None = None
    low: float = 0.0
    high: float = 1.0
    fixed: dict[str, float] = field(default_factory=dict)
    by_factor: bool = False
    whole: bool = False
    dead: tuple[int, ...] = ()
    opposite: tuple[str, str] | None = None
    unit: float = 1.0

    def at(self, place: Tensor) -> Tensor:
        """Return the values at (n,) places between 0 (the least) and 1 (the largest)."""
        place = place.double()
        if self.by_factor:
            return (math.log(self.low) + place * math.log(self.high / self.low)).exp()
        return self.low + place * (self.high - self.low)

    @property
    def unchanged(self) -> float | None:
        """The place at which nothing is changed; None where every edit changes something."""
        value = UNCHANGED.get(self.parameter or "")
        if value is None:
            return None
        if self.by_factor:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def draw(self, place: Tensor, generator: torch.Generator) -> EditBatch:
        """Draw an edit for each of (n,) places between 0 and 1."""
        drawn = self.jitter.draw(len(place), generator)
        parameters = dict(drawn.parameters)
        for name, fixed in self.fixed.items():
            parameters[name] = torch.full((len(place),), fixed, dtype=torch.float64)
        if self.parameter is not None:
            size = self.at(place)
            parameters[self.parameter] = size.round() if self.whole else size
        return EditBatch(drawn.name, parameters)

    def region(self, low: float, high: float) -> str:
        """Return what people read of the edits between two places."""
        ends, told = (self.at(torch.tensor([low, high])) * self.unit).tolist(), self.description
        if self.opposite is not None and ends[1] <= 0:
            ends, told = [abs(ends[1]), abs(ends[0])], told.replace(*self.opposite)
        return told.format(low=written(ends[0]), high=written(ends[1]))
