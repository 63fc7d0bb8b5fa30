"""Label-preserving edits of time series."""

import math
from collections.abc import Mapping, Sequence
from copy import copy
from typing import Annotated, ClassVar

import numpy as np
import torch
from torch import Tensor

from rnnrepair.edits.channels import channels_on, spared_channels, swapped_channels
from rnnrepair.edits.edit import EditBatch
from rnnrepair.edits.family import seeds, uniform
from rnnrepair.edits.middles import middles_in, middles_of
from rnnrepair.edits.rotation import rotated
from rnnrepair.edits.spreads import spreads_in, spreads_of
from rnnrepair.edits.timing import held, local_origin, resampled
from rnnrepair.sequences import DataSpec, Kind
from rnnrepair.settings import Factors, Share, Size, at_least, at_most, check_settings

# Where in a series its speed changes, as a share of its steps.
TURN = (1 / 3, 2 / 3)
# Kinds of edits that can spare channels.
KINDS = (
    *("magnitude", "shift", "warp", "local_warp", "noise", "dropped", "rotation", "drift"),
    "offset",
)


class SeriesEdits:
    """Magnitude, time shift, speed and noise for float sequences (B, T, F), and more where wanted.

    Each keeps the label of what sensors record: the same event a little louder, earlier or faster,
    with a noisier sensor, a few readings lost, or the sensor put on another way round.
    """

    name = "series"
    fits = frozenset({Kind.SERIES, Kind.IMAGE})
    # Parameters that may be given values of one's own, with the values that change nothing.
    # By no draw of this class: channels ``swapped`` and ``swapped_with`` take each other's place, a
    # series with ``reversed`` at 1 runs backwards.
    neutral: ClassVar[dict[str, float]] = {
        "magnitude": 1,
        "shift": 0,
        "warp": 1,
        "noise": 0,
        "drift": 0,
        "offset": 0,
        "swapped": 0,
        "swapped_with": 0,
        "reversed": 0,
    }

    def __init__(
        self,
        magnitude: Factors = (0.9, 1.1),
        shift: Annotated[int, at_least(0)] = 2,
        warp: Factors = (0.9, 1.1),
        noise: Size = 0.05,
        local_warp: Factors | None = None,
        dropped: Share | None = None,
        rotation: Annotated[float, at_least(0), at_most(180)] | None = None,
        drift: Size | None = None,
        offset: Size | None = None,
        spared: Mapping[str, Sequence[int]] | None = None,
        spreads: Sequence[float] | None = None,
        middles: Sequence[float] | None = None,
    ) -> None:
        """Set the limits.

        Args:
            magnitude: smallest and largest factor on all values, as far as they are from the middle
                of their channel.
            shift: steps earlier or later; the edge value is repeated.
            warp: smallest and largest speed (2 runs through the series twice as fast).
            noise: largest standard deviation of Gaussian noise, in spreads of each channel.
            local_warp: smallest and largest speed of a first part of the series; the rest makes up
                for it, so that the end stays where it is. None for none.
            dropped: largest share of steps whose reading is lost: the last one is held. None for
                none.
            rotation: largest angle in degrees by which the vectors that channels 0 to 2, 3 to 5,
                ... make are turned about an axis drawn at random, None for none. Only for sensors
                that may be worn any way round.
            drift: largest change of the zero of a sensor from the first step to the last, up or
                down, in spreads of each channel, None for none.
            offset: largest change of the zero of a sensor throughout, likewise.
            spared: channels (from 0) that a kind of edit leaves alone, by its name, such as
                ``{"noise": [3]}``; a rotation leaves out every three that hold one.
            spreads: usual size of the changes of each channel, rounded to powers of two. None takes
                those of the data that are trained on, see ``fitted``; 1 where these do not say.
            middles: what the values of each channel swing around. None takes those of the data,
                where they are more than four spreads from 0; else 0, as where none is listed.

        Raises:
            SettingsError: a limit is out of range, or ``spared`` names no kind of edit or channel.
        """
        check_settings(SeriesEdits, locals(), known_kinds, above_zero, finite)
        self.magnitude = magnitude
        self.shift = shift
        self.warp = warp
        self.noise = noise
        self.local_warp = local_warp
        self.dropped = dropped
        self.rotation = rotation
        self.drift = drift
        self.offset = offset
        self.spared = dict(spared or {})
        self.spreads = spreads
        self.middles = middles

    def fitted(self, spec: DataSpec) -> "SeriesEdits":
        """Return the same in the spreads and around the middles of the data, if none are given."""
        if spec.scale is None:
            return self
        same = copy(self)
        same.spreads = spec.scale.spread if self.spreads is None else self.spreads
        same.middles = spec.scale.origin if self.middles is None else self.middles
        return same

    def draw(self, n: int, generator: torch.Generator) -> EditBatch:
        """Draw n edits, uniform within the limits."""
        parameters = {
            "magnitude": uniform(*self.magnitude, n, generator),
            "shift": uniform(-self.shift, self.shift, n, generator).round(),
            "warp": uniform(*self.warp, n, generator),
            "noise": uniform(0, self.noise, n, generator),
            "noise_seed": seeds(n, generator),
        }
        if self.local_warp is not None:
            parameters["local_warp"] = uniform(*self.local_warp, n, generator)
            parameters["turn"] = uniform(*TURN, n, generator)
        if self.dropped is not None:
            parameters["dropped"] = uniform(0, self.dropped, n, generator)
            parameters["dropped_seed"] = seeds(n, generator)
        if self.rotation is not None:
            parameters["rotation"] = uniform(-self.rotation, self.rotation, n, generator)
            parameters["axis_height"] = uniform(-1, 1, n, generator)
            parameters["axis_angle"] = uniform(-180, 180, n, generator)
        if self.drift is not None:
            parameters["drift"] = uniform(-self.drift, self.drift, n, generator)
        if self.offset is not None:
            parameters["offset"] = uniform(-self.offset, self.offset, n, generator)
        parameters |= spared_channels(self.spared, n)
        parameters |= spreads_of(self.spreads or (), n) | middles_of(self.middles or (), n)
        return EditBatch("series", parameters)

    def apply(self, inputs: Tensor, edits: EditBatch, lengths: Tensor | None = None) -> Tensor:
        """Apply edit i to sequence i of (B, T, F); padding stays as it is.

        Raises:
            ConfigurationError: a channel that is spared, swapped or has a spread or a middle, or
                the three of a rotation, are not there.
        """
        p, padding = edits.parameters, inputs
        n_steps, n_channels = inputs.shape[1:]
        last = torch.full((len(inputs),), n_steps) if lengths is None else lengths.cpu()
        last = (last - 1)[:, None, None]
        steps = torch.arange(n_steps)[:, None]

        def on(kind: str) -> Tensor | None:
            return channels_on(p, kind, n_channels)

        def of(kind: str, neutral: float) -> Tensor:
            """Return a parameter as (B, 1, 1), or (B, 1, F) where some channels are left alone."""
            value, chosen = p[kind][:, None, None], on(kind)
            return value if chosen is None else torch.where(chosen[:, None], value, neutral)

        if "swapped" in p:
            inputs = swapped_channels(inputs, p["swapped"], p["swapped_with"])
        # Where in the parent each step comes from, between two of its real steps.
        origin = ((steps - of("shift", 0.0)) * of("warp", 1.0)).clamp_min(0).minimum(last)
        if "local_warp" in p:
            turn, chosen = p["turn"][:, None, None], on("local_warp")
            local = local_origin(origin, p["local_warp"][:, None, None], turn, last)
            origin = local if chosen is None else torch.where(chosen[:, None], local, origin)
        if "reversed" in p:
            origin = torch.where(p["reversed"][:, None, None] > 0, last - origin, origin)
        edited = resampled(inputs, origin, last)
        if "rotation" in p:
            edited = rotated(edited, p, on("rotation"))
        spread = spreads_in(p, n_channels)[:, None]
        magnitude = of("magnitude", 1.0).to(inputs)
        edited = _louder(edited, magnitude, middles_in(p, n_channels))
        edited = _noisy(edited, (of("noise", 0.0) * spread).to(inputs), edits)
        if "drift" in p:
            far = steps / last.clamp_min(1)
            edited = edited + (of("drift", 0.0) * spread * far).to(inputs)
        if "offset" in p:
            edited = edited + (of("offset", 0.0) * spread).to(inputs)
        if "dropped" in p:
            lost, chosen = held(edited, p["dropped"], p["dropped_seed"]), on("dropped")
            edited = lost if chosen is None else torch.where(chosen[:, None], lost, edited)
        return torch.where((steps <= last).to(inputs.device), edited, padding)


def _louder(inputs: Tensor, magnitude: Tensor, middle: Tensor | None) -> Tensor:
    """Return (B, T, F) values, so many times as far from the (B, F) middle; from 0 where None."""
    if middle is None:
        return inputs * magnitude
    around = middle[:, None].to(inputs)
    return (inputs - around) * magnitude + around


def _noisy(inputs: Tensor, deviation: Tensor, edits: EditBatch) -> Tensor:
    """Return (B, T, F) values with noise of a deviation, by the seed of each edit."""
    rows = edits.parameters["noise"].nonzero()[:, 0].tolist()
    if not rows:
        # As where noise of nothing is added: no 0 is negative, so that data keep their fingerprint.
        return inputs + 0.0
    seed, noise = edits.parameters["noise_seed"].long().tolist(), np.zeros(inputs.shape)
    for row in rows:
        # numpy draws step after step, so the noise does not depend on how far a batch is padded.
        noise[row] = np.random.default_rng(seed[row]).standard_normal(inputs.shape[1:])
    return inputs + deviation * torch.from_numpy(noise).to(inputs)


def known_kinds(spared: Mapping[str, Sequence[int]] | None) -> str | None:
    """Return what is wrong with the channels that kinds of edits leave alone; None if nothing."""
    for kind, channels in (spared or {}).items():
        if kind not in KINDS:
            return f"{kind!r} is no kind of edit, known are {list(KINDS)}"
        if any(isinstance(c, bool) or not isinstance(c, int) or c < 0 for c in channels):
            return f"{kind} must list channels by their numbers from 0, got {list(channels)}"
    return None


def above_zero(spreads: Sequence[float] | None) -> str | None:
    """Return what is wrong with the spreads of channels; None if nothing."""
    if any(not 0 < spread < math.inf for spread in spreads or ()):
        return f"each must be a finite number above 0, got {list(spreads or ())}"
    return None


def finite(middles: Sequence[float] | None) -> str | None:
    """Return what is wrong with the middles of channels; None if nothing."""
    if not all(math.isfinite(middle) for middle in middles or ()):
        return f"each must be a finite number, got {list(middles or ())}"
    return None
