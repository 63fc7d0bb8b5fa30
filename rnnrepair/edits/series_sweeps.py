"""Wide edits of series."""

import re
from collections.abc import Mapping, Sequence
from copy import copy

from rnnrepair.edits.series_edits import SeriesEdits
from rnnrepair.edits.sweep import Sweep
from rnnrepair.sequences import DataSpec, Names
from rnnrepair.settings import Share

# Groups of neighbouring channels that are swept by themselves, at most.
CHANNEL_GROUPS = 12
# Equal parts of all channels that are swept too, where they are wider than those groups: what is
# wrong with a device or an axis is wrong with several channels, a gain with all.
PARTS = (1, 2, 3, 4)
# Kinds of edits that are of some channels alone.
KINDS_OF_CHANNELS = ("magnitude", "drift", "offset")
# Channels of which neighbours, and those next but one, are swapped, at most: the axes of sensors.
SWAPPED = 6
# Names of edits that take the readings of channels: of neighbours, or of any.
DEAD = "dead_"
DEAD_NAME = re.compile(r"dead_(?P<first>\d+)(-(?P<last>\d+)|(?P<more>(\+\d+)*))")
# Largest drift and offset, in spreads of a channel.
MOVED = 3.0
# Largest lag, as a share of the longest series.
LATE = 0.2
# What is said of a positive size, and of a negative one.
LATER, HIGHER = ("later by", "earlier by"), ("higher by", "lower by")


def series_jitter(
    spec: DataSpec,
    spared: Mapping[str, Sequence[int]] | None = None,
    dropped: Share | None = None,
) -> SeriesEdits:
    """Return what varies a little beside the parameter that is swept, as it does between samples.

    Args:
        spec: of the data.
        spared: see ``SeriesEdits``.
        dropped: likewise.
    """
    usual = (0.95, 1.05), 1, (0.95, 1.05), 0
    return SeriesEdits(*usual, spared=spared, dropped=dropped).fitted(spec)


def series_sweeps(spec: DataSpec) -> list[Sweep]:
    """Return the wide edits of series: of all channels, of groups and parts of them, swaps."""
    jitter = series_jitter(spec)
    lag = max(2.0, round(LATE * (spec.max_steps or 30)))
    noise, unit = _in_spreads(spec, range(spec.step_width), "noise of {low} to {high}")
    losing = series_jitter(spec, dropped=0)
    swept = [
        Sweep("speed", "speed times {low} to {high}", jitter, "warp", 0.5, 2, by_factor=True),
        _late("lag", "", lag, jitter),
        Sweep("dropped", "{low} to {high} of the readings lost", losing, "dropped", 0.1, 0.8),
        Sweep("noise", noise, jitter, "noise", 0.1, 2, by_factor=True, unit=unit),
        Sweep("reversed", "reversed in time", jitter, fixed={"reversed": 1.0}),
    ]
    groups = _channel_groups(spec)
    if len(groups) > 1:
        swept += [_late_channels(spec, group, lag) for group in groups]
    swept += [sweep for group in groups for sweep in _of_channels(spec, group)]
    for part in _channel_parts(spec):
        whole = len(part) == spec.step_width
        swept += [s for s in _of_channels(spec, part) if _is_of_parts(s, whole=whole)]
    return swept + _swapped(spec)


def dead_sweep(spec: DataSpec, channels: Sequence[int]) -> Sweep:
    """Return the edit that takes all readings of some channels.

    Args:
        spec: of the data.
        channels: ascending, neighbours or not.
    """
    first, last = channels[0], channels[-1]
    neighbours = last - first + 1 == len(channels)
    name = f"{first}-{last}" if neighbours else "+".join(map(str, channels))
    told = f"{_channels(spec, channels)} dead"
    jitter = _around_zero(spec, channels)
    return Sweep(f"{DEAD}{name}", told, jitter, fixed={"magnitude": 0.0}, dead=tuple(channels))


def dead_in(name: str) -> list[int]:
    """Return the ascending channels that the name of a ``dead_sweep`` says; none of other names."""
    found = DEAD_NAME.fullmatch(name)
    if found is None:
        return []
    if found["last"] is not None:
        return list(range(int(found["first"]), int(found["last"]) + 1))
    channels = [int(channel) for channel in (found["first"] + found["more"]).split("+")]
    return channels if channels == sorted(set(channels)) else []


def _around_zero(spec: DataSpec, channels: Sequence[int]) -> SeriesEdits:
    """Return what varies a little besides readings of nothing, or of the other sign.

    Those are so around 0, wherever the readings of a channel lie.
    """
    jitter = copy(_jitter_of(spec, channels, *KINDS_OF_CHANNELS))
    jitter.middles = []
    return jitter


def _of_channels(spec: DataSpec, group: range) -> list[Sweep]:
    """Return the edits of some channels alone: louder or quieter, dead, of the other sign, ..."""
    told, name = _channels(spec, group), f"{group[0]}-{group[-1]}"
    jitter, around_zero = _jitter_of(spec, group, *KINDS_OF_CHANNELS), _around_zero(spec, group)
    louder = told + _louder(spec, group)
    drifts, unit = _in_spreads(spec, group, told + " drifting from end to end by {low} to {high}")
    is_higher, _ = _in_spreads(spec, group, told + " higher by {low} to {high}")
    opposite, moved = {"magnitude": -1.0}, (-MOVED, MOVED)
    return [
        Sweep(f"magnitude_{name}", louder, jitter, "magnitude", 0.2, 4, by_factor=True),
        dead_sweep(spec, group),
        Sweep(f"sign_{name}", f"{told} of opposite sign", around_zero, fixed=opposite),
        Sweep(f"drift_{name}", drifts, jitter, "drift", *moved, unit=unit),
        Sweep(f"offset_{name}", is_higher, jitter, "offset", *moved, opposite=HIGHER, unit=unit),
    ]


def _late(name: str, who: str, lag: float, jitter: SeriesEdits) -> Sweep:
    """Return the edits that make a series late or early, or the channels that are named."""
    told = who + "later by {low} to {high} steps"
    return Sweep(name, told, jitter, "shift", -lag, lag, whole=True, opposite=LATER)


def _late_channels(spec: DataSpec, group: range, lag: float) -> Sweep:
    """Return the edits that make some channels late or early, the others not."""
    name, jitter = f"lag_{group[0]}-{group[-1]}", _jitter_of(spec, group, "shift")
    return _late(name, _channels(spec, group) + " ", lag, jitter)


def _swapped(spec: DataSpec) -> list[Sweep]:
    """Return the edits that swap two channels, where there are few."""
    n, names = spec.step_width, Names.of(spec)
    pairs = [(a, b) for a in range(n) for b in (a + 1, a + 2) if b < n] if n <= SWAPPED else []
    return [
        Sweep(
            f"swapped_{a}-{b}",
            f"channels {names.of_channel(a)} and {names.of_channel(b)} swapped",
            series_jitter(spec),
            fixed={"swapped": float(a), "swapped_with": float(b)},
        )
        for a, b in pairs
    ]


def _jitter_of(spec: DataSpec, group: Sequence[int], *kinds: str) -> SeriesEdits:
    """Return what varies all series a little, some kinds of it these channels alone."""
    spared = [c for c in range(spec.step_width) if c not in group]
    return series_jitter(spec, dict.fromkeys(kinds, spared))


def _louder(spec: DataSpec, group: range) -> str:
    """Return what people read of channels whose values are further from their middle, or less."""
    around_zero = spec.scale is None or not any(spec.scale.origin[c] for c in group)
    return " times {low} to {high}" if around_zero else " swinging {low} to {high} times as far"


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


def _channels(spec: DataSpec, group: Sequence[int]) -> str:
    """Return what people read of some channels."""
    if len(group) == spec.step_width > 1:
        return "all channels"
    names = [Names.of(spec).of_channel(channel) for channel in group]
    if len(group) == 1:
        return f"channel {names[0]}"
    if group[-1] - group[0] + 1 == len(group):
        return f"channels {names[0]} to {names[-1]}"
    return f"channels {', '.join(names[:-1])} and {names[-1]}"
