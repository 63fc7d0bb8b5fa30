"""Label-preserving edits of time series."""

from typing import Annotated

import numpy as np
import torch
from torch import Tensor

from rnnrepair.edits.edit import EditBatch
from rnnrepair.edits.family import seeds, uniform
from rnnrepair.sequences import Kind
from rnnrepair.settings import Factors, Size, at_least, check_settings


class SeriesEdits:
    """Magnitude, time shift, time warp and noise for float sequences (B, T, F)."""

    name = "series"
    fits = frozenset({Kind.SERIES, Kind.IMAGE})

    def __init__(
        self,
        magnitude: Factors = (0.9, 1.1),
        shift: Annotated[int, at_least(0)] = 2,
        warp: Factors = (0.9, 1.1),
        noise: Size = 0.05,
    ) -> None:
        """Set the limits.

        Args:
            magnitude: smallest and largest factor on all values.
            shift: steps earlier or later; the edge value is repeated.
            warp: smallest and largest speed (2 runs through the series twice as fast).
            noise: largest standard deviation of Gaussian noise, in units of the data.

        Raises:
            SettingsError: a limit is out of range.
        """
        check_settings(SeriesEdits, locals())
        self.magnitude = magnitude
        self.shift = shift
        self.warp = warp
        self.noise = noise

    def draw(self, n: int, generator: torch.Generator) -> EditBatch:
        """Draw n edits, uniform within the limits."""
        return EditBatch(
            "series",
            {
                "magnitude": uniform(*self.magnitude, n, generator),
                "shift": uniform(-self.shift, self.shift, n, generator).round(),
                "warp": uniform(*self.warp, n, generator),
                "noise": uniform(0, self.noise, n, generator),
                "noise_seed": seeds(n, generator),
            },
        )

    def apply(self, inputs: Tensor, edits: EditBatch, lengths: Tensor | None = None) -> Tensor:
        """Apply edit i to sequence i of (B, T, F); padding stays as it is."""
        p = {name: value[:, None] for name, value in edits.parameters.items()}
        n_steps = inputs.shape[1]
        last = torch.full((len(inputs),), n_steps) if lengths is None else lengths.cpu()
        last = last[:, None] - 1
        steps = torch.arange(n_steps)
        # Where in the parent each step comes from, between two of its real steps.
        origin = ((steps - p["shift"]) * p["warp"]).clamp_min(0).minimum(last)
        before = origin.floor().long()
        share = (origin - before)[..., None].to(inputs)
        rows = torch.arange(len(inputs))[:, None]
        warped = torch.lerp(inputs[rows, before], inputs[rows, (before + 1).minimum(last)], share)
        # numpy draws step after step, so the noise does not depend on how far a batch is padded.
        noise = torch.stack(
            [
                torch.from_numpy(np.random.default_rng(seed).standard_normal(inputs.shape[1:]))
                for seed in edits.parameters["noise_seed"].long().tolist()
            ]
        ).to(inputs)
        magnitude, deviation = (p[name][..., None].to(inputs) for name in ("magnitude", "noise"))
        edited = warped * magnitude + deviation * noise
        return torch.where((steps <= last)[..., None].to(inputs.device), edited, inputs)
