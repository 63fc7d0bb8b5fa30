"""Wide edits, each along one parameter: what a search for patterns tries; never drawn otherwise."""

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from rnnrepair.edits.edit import EditBatch
from rnnrepair.edits.family import EditFamily
from rnnrepair.edits.image_edits import SIDES, ImageEdits
from rnnrepair.edits.series_edits import SeriesEdits
from rnnrepair.errors import DataError
from rnnrepair.sequences import DataSpec, EditRegion, Kind, Names

# Beside the parameter that is swept all others vary a little, as they do between samples.
IMAGE_JITTER = ImageEdits(rotation=8, translation=1, scale=(0.95, 1.05), shear=5)
SERIES_JITTER = SeriesEdits(magnitude=(0.95, 1.05), shift=1, warp=(0.95, 1.05), noise=0)
# Groups of neighbouring channels that are swept by themselves, at most.
CHANNEL_GROUPS = 12
# Equal parts of all channels that are swept too, where they are wider than those groups: what is
# wrong with a device or an axis is wrong with several channels, a gain with all.
PARTS = (1, 2, 3, 4)
KINDS_OF_CHANNELS = ("magnitude", "drift", "offset")
# Channels of which neighbours, and those next but one, are swapped, at most: the axes of sensors.
SWAPPED = 6


# What is said of a positive size, and of a negative one.
LATER, HIGHER = ("later by", "earlier by"), ("higher by", "lower by")
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
        told: with ``{low}`` and ``{high}``, for people: "turned by {low} to {high} degrees".
        parameter: that is swept; None where the edit has no size.
        low: its least value.
        high: its largest value.
        jitter: draws all other parameters.
        fixed: parameters that are the same in all edits.
        by_factor: whether values are spread evenly by their logarithm.
        whole: whether they are whole numbers.
        dead: channels that have no readings afterwards.
        opposite: what is said of a positive size, and what of a negative one; None where the sign
            is told.
        unit: of its values, in the units that people are told them in.
    """

    name: str
    told: str
    parameter: str | None
    low: float
    high: float
    jitter: EditFamily
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
        ends, told = (self.at(torch.tensor([low, high])) * self.unit).tolist(), self.told
        if self.opposite is not None and ends[1] <= 0:
            ends, told = [abs(ends[1]), abs(ends[0])], told.replace(*self.opposite)
        return told.format(low=f"{ends[0]:.3g}", high=f"{ends[1]:.3g}")


def drawn_in(region: EditRegion, n: int, spec: DataSpec, generator: torch.Generator) -> EditBatch:
    """Draw n edits of a region, every size as likely.

    Args:
        region: of a sweep of these data.
        n: edits.
        spec: of the data.
        generator: draws.

    Raises:
        DataError: the data have no such sweep.
    """
    sweeps = {sweep.name: sweep for sweep in sweeps_of(spec)}
    if region.sweep not in sweeps:
        raise DataError(
            f"Edits {region.sweep}: expected one of {', '.join(sweeps) or 'none'} for these data: "
            "they were found in other data, or by another version."
        )
    size = torch.rand(n, generator=generator)
    return sweeps[region.sweep].draw(region.low + (region.high - region.low) * size, generator)


def still(kind: Kind) -> Sweep:
    """Return edits that only vary as all do: what swept ones are compared with."""
    jitter: EditFamily = SERIES_JITTER if kind == Kind.SERIES else IMAGE_JITTER
    return Sweep("still", "as they are", None, 0, 1, jitter)


def sweeps_of(spec: DataSpec) -> list[Sweep]:
    """Return the wide edits of a kind of data; none of texts."""
    if spec.kind == Kind.IMAGE:
        return _of_images(spec)
    return _of_series(spec) if spec.kind == Kind.SERIES else []


def _of_images(spec: DataSpec) -> list[Sweep]:
    jitter = IMAGE_JITTER
    across, along = (2 / 7 * size for size in (spec.step_width, spec.max_steps or spec.step_width))
    swept = [
        Sweep("rotation", "turned by {low} to {high} degrees", "angle", -90, 90, jitter),
        Sweep("shear", "sheared by {low} to {high} degrees", "shear", -45, 45, jitter),
        Sweep("scale", "scaled by {low} to {high}", "scale", 0.5, 1.6, jitter, by_factor=True),
        Sweep("right", "moved right by {low} to {high} pixels", "right", -across, across, jitter),
        Sweep("down", "moved down by {low} to {high} pixels", "down", -along, along, jitter),
        Sweep(
            *("contrast", "contrast times {low} to {high}", "contrast", 0.3, 3, jitter),
            by_factor=True,
        ),
        Sweep("blur", "blurred by {low} to {high} pixels", "blur", 0.2, 1.5, jitter),
        Sweep("inverted", "inverted", None, 0, 1, jitter, {"inverted": 1.0}),
    ]
    covered = "{low} to {high} of it covered from the "
    return swept + [
        Sweep(
            *(f"covered_{side}", covered + side, "covered", 0.15, 0.65, jitter),
            {"side": float(number)},
        )
        for number, side in enumerate(SIDES)
    ]


def _of_series(spec: DataSpec) -> list[Sweep]:
    jitter = SERIES_JITTER
    losing = SeriesEdits((0.95, 1.05), 1, (0.95, 1.05), 0, dropped=0)
    noisy = jitter.fitted(spec)
    noise, unit = _in_spreads(spec, range(spec.step_width), "noise of {low} to {high}")
    longest = spec.max_steps or 30
    lag = max(2.0, round(0.2 * longest))
    swept = [
        Sweep("speed", "speed times {low} to {high}", "warp", 0.5, 2, jitter, by_factor=True),
        Sweep(
            *("lag", "later by {low} to {high} steps", "shift", -lag, lag, jitter),
            whole=True,
            opposite=LATER,
        ),
        Sweep("dropped", "{low} to {high} of the readings lost", "dropped", 0.1, 0.8, losing),
        Sweep("noise", noise, "noise", 0.1, 2, noisy, by_factor=True, unit=unit),
        Sweep("reversed", "reversed in time", None, 0, 1, jitter, {"reversed": 1.0}),
    ]
    groups = _channel_groups(spec)
    if len(groups) > 1:
        swept += [_late_channels(spec, group, lag) for group in groups]
    swept += [sweep for group in groups for sweep in _of_channels(spec, group)]
    for part in _channel_parts(spec):
        whole = len(part) == spec.step_width
        swept += [s for s in _of_channels(spec, part) if _is_of_parts(s, whole=whole)]
    return swept + _swapped(spec)


def _channel_groups(spec: DataSpec) -> list[range]:
    """Return neighbouring channels, in at most so many groups as are swept."""
    return _neighbours(spec.step_width, -(-spec.step_width // CHANNEL_GROUPS))


def _channel_parts(spec: DataSpec) -> list[range]:
    """Return larger groups of neighbouring channels: all, halves, thirds, quarters."""
    n, groups = spec.step_width, _channel_groups(spec)
    every = [part for parts in PARTS for part in _neighbours(n, -(-n // parts))]
    # What is left over is no wider than a group, or as wide as another part.
    return [part for part in dict.fromkeys(every) if len(part) > len(groups[0])]


def _is_of_parts(sweep: Sweep, *, whole: bool) -> bool:
    """Return whether an edit of channels is tried with parts of them, or with all."""
    if sweep.parameter in ("drift", "offset"):
        # Where many channels are moved, so is the recording.
        return whole
    # Every odd recording is nearer to one without readings than to any other.
    return not whole or not sweep.dead


def _neighbours(n: int, width: int) -> list[range]:
    """Return n channels in groups of so many, the last with what is left."""
    return [range(first, min(first + width, n)) for first in range(0, n, width)]


def _channels(spec: DataSpec, group: range) -> str:
    """Return what people read of neighbouring channels."""
    if len(group) == spec.step_width > 1:
        return "all channels"
    first, last = (Names.of(spec).of_channel(group[end]) for end in (0, -1))
    return f"channel {first}" if len(group) == 1 else f"channels {first} to {last}"


def _jitter_of(spec: DataSpec, group: range, *kinds: str) -> SeriesEdits:
    """Return what varies all series a little, some kinds of it these channels alone."""
    spared = [c for c in range(spec.step_width) if c not in group]
    usual = SeriesEdits((0.95, 1.05), 1, (0.95, 1.05), 0, spared=dict.fromkeys(kinds, spared))
    return usual.fitted(spec)


def _in_spreads(spec: DataSpec, group: range, told: str) -> tuple[str, float]:
    """Return what people read of sizes in spreads of channels, and the unit they are told in.

    Sizes are told as the data have them, where all channels have one spread; else as spreads.
    """
    if spec.scale is None:
        return told, 1.0
    spreads = {spec.scale.spread[c] for c in group}
    if len(spreads) > 1:
        return told + " times each channel's spread", 1.0
    return told, spreads.pop()


def _late_channels(spec: DataSpec, group: range, lag: float) -> Sweep:
    """Return the edits that make some channels late or early, the others not."""
    return Sweep(
        f"lag_{group[0]}-{group[-1]}",
        _channels(spec, group) + " later by {low} to {high} steps",
        *("shift", -lag, lag, _jitter_of(spec, group, "shift")),
        whole=True,
        opposite=LATER,
    )


def _swapped(spec: DataSpec) -> list[Sweep]:
    """Return the edits that swap two channels, where there are few."""
    n, names = spec.step_width, Names.of(spec)
    pairs = [(a, b) for a in range(n) for b in (a + 1, a + 2) if b < n] if n <= SWAPPED else []
    return [
        Sweep(
            f"swapped_{a}-{b}",
            f"channels {names.of_channel(a)} and {names.of_channel(b)} swapped",
            *(None, 0, 1, SERIES_JITTER, {"swapped": float(a), "swapped_with": float(b)}),
        )
        for a, b in pairs
    ]


def _of_channels(spec: DataSpec, group: range) -> list[Sweep]:
    """Return the edits of some channels alone: louder or quieter, dead, of the other sign, ..."""
    told, name = _channels(spec, group), f"{group[0]}-{group[-1]}"
    jitter = _jitter_of(spec, group, *KINDS_OF_CHANNELS)
    drifts, unit = _in_spreads(spec, group, told + " drifting by {low} to {high}")
    is_higher, _ = _in_spreads(spec, group, told + " higher by {low} to {high}")
    return [
        Sweep(
            *(f"magnitude_{name}", told + " times {low} to {high}", "magnitude", 0.2, 4, jitter),
            by_factor=True,
        ),
        Sweep(
            *(f"dead_{name}", f"{told} dead", None, 0, 1, jitter, {"magnitude": 0.0}),
            dead=tuple(group),
        ),
        Sweep(f"sign_{name}", f"{told} of opposite sign", None, 0, 1, jitter, {"magnitude": -1.0}),
        Sweep(f"drift_{name}", drifts, "drift", -3, 3, jitter, unit=unit),
        Sweep(
            *(f"offset_{name}", is_higher, "offset", -3, 3, jitter),
            opposite=HIGHER,
            unit=unit,
        ),
    ]
