"""Label-preserving edits of time series."""

import numpy as np
import torch
from torch import Tensor

from rnnrepair.errors import ConfigurationError
from rnnrepair.repair.edits import Edit


class SeriesMutation:
    """Magnitude, time shift, time warp and noise for float sequences (B, T, F)."""

    def __init__(
        self,
        magnitude: tuple[float, float] = (0.9, 1.1),
        shift: int = 2,
        warp: tuple[float, float] = (0.9, 1.1),
        noise: float = 0.05,
    ) -> None:
        """Set the limits.

        Args:
            magnitude: smallest and largest factor on all values.
            shift: steps earlier or later; the edge value is repeated.
            warp: smallest and largest speed (2 runs through the series twice as fast).
            noise: largest standard deviation of Gaussian noise, in units of the data.

        Raises:
            ConfigurationError: a limit is out of range.
        """
        for name, (low, high) in {"magnitude": magnitude, "warp": warp}.items():
            if not 0 < low <= high:
                raise ConfigurationError(
                    f"repair.mutations.series.{name} must be two factors 0 < low <= high, got "
                    f"{(low, high)}."
                )
        for name, value in {"shift": shift, "noise": noise}.items():
            if value < 0:
                raise ConfigurationError(
                    f"repair.mutations.series.{name} must not be negative, got {value}."
                )
        self.magnitude = magnitude
        self.shift = shift
        self.warp = warp
        self.noise = noise

    def check(self, shape: torch.Size) -> None:
        """Accept float sequences (T, F)."""
        if len(shape) != 2:
            raise ConfigurationError(
                "repair.mutation=series edits float sequences of shape (steps, features), the data "
                f"have inputs of shape {tuple(shape)}."
            )

    def draw(self, generator: torch.Generator) -> Edit:
        """Draw one edit, uniform within the limits."""

        def uniform(low: float, high: float) -> float:
            return low + (high - low) * float(torch.rand((), generator=generator))

        return Edit(
            "series",
            {
                "magnitude": uniform(*self.magnitude),
                "shift": round(uniform(-self.shift, self.shift)),
                "warp": uniform(*self.warp),
                "noise": uniform(0, self.noise),
                "noise_seed": float(torch.randint(2**31, (), generator=generator)),
            },
        )

    def apply(self, inputs: Tensor, edit: Edit, lengths: Tensor | None = None) -> Tensor:
        """Apply one edit to (B, T, F) sequences; padding stays as it is."""
        p, n_steps = edit.parameters, inputs.shape[1]
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
        generator = np.random.default_rng(int(p["noise_seed"]))
        noise = torch.from_numpy(generator.standard_normal(inputs.shape[1:])).to(inputs)
        edited = warped * p["magnitude"] + p["noise"] * noise
        return torch.where((steps <= last)[..., None].to(inputs.device), edited, inputs)
