"""Label-preserving edits of token sequences."""

import numpy as np
import torch
from torch import Tensor

from rnnrepair.errors import ConfigurationError
from rnnrepair.repair.edits import Edit


class TokenMutation:
    """Hides some of the tokens: what is left must still carry the label."""

    def __init__(self, hidden: float = 0.15, unknown: int = 0) -> None:
        """Set the limits.

        Args:
            hidden: largest share of tokens that are replaced by ``unknown``.
            unknown: token that stands for words without a number.

        Raises:
            ConfigurationError: the share is out of range.
        """
        if not 0 < hidden <= 0.5:
            raise ConfigurationError(
                f"repair.mutations.token.hidden must lie in (0, 0.5], got {hidden}."
            )
        self.hidden = hidden
        self.unknown = unknown

    def check(self, shape: torch.Size) -> None:
        """Accept token sequences (T,)."""
        if len(shape) != 1:
            raise ConfigurationError(
                "repair.mutation=token edits token sequences of shape (steps,), the data have "
                f"inputs of shape {tuple(shape)}: use repair.mutation=image or series."
            )

    def draw(self, generator: torch.Generator) -> Edit:
        """Draw one edit, its share uniform within the limits."""
        return Edit(
            "hide",
            {
                "share": self.hidden * float(torch.rand((), generator=generator)),
                "seed": float(torch.randint(2**31, (), generator=generator)),
            },
        )

    def apply(self, inputs: Tensor, edit: Edit, lengths: Tensor | None = None) -> Tensor:
        """Apply one edit to (B, T) tokens; padding stays as it is."""
        # numpy draws step after step, so the edit does not depend on how far a batch is padded.
        draw = np.random.default_rng(int(edit.parameters["seed"])).random(inputs.shape[1])
        hidden = torch.from_numpy(draw < edit.parameters["share"]).expand(inputs.shape)
        steps = torch.arange(inputs.shape[1])
        end = torch.full((len(inputs),), len(steps)) if lengths is None else lengths.cpu()
        real = steps < end[:, None]
        # A text of which nothing is left carries no label: it stays as it is.
        hidden = hidden & real & (~hidden & real).any(1, keepdim=True)
        return torch.where(hidden.to(inputs.device), self.unknown, inputs)
