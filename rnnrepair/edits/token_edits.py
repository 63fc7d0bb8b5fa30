"""Label-preserving edits of token sequences."""

from typing import Annotated

import numpy as np
import torch
from torch import Tensor

from rnnrepair.edits.edit import EditBatch
from rnnrepair.edits.family import seeds, uniform
from rnnrepair.sequences import Kind
from rnnrepair.settings import above, at_most, check_settings


class TokenEdits:
    """Hides some of the tokens: what is left must still carry the label.

    A hidden token becomes the one that stands for unknown words. The network must have learnt
    what that one means before a repair injects it (``TextDataModule(min_count=2)`` sees to it): a
    vector that only injected samples train means whatever those samples have in common.
    """

    name = "token"
    fits = frozenset({Kind.TOKENS})

    def __init__(
        self, hidden: Annotated[float, above(0), at_most(0.5)] = 0.15, unknown: int = 0
    ) -> None:
        """Set the limits.

        Args:
            hidden: largest share of tokens that are replaced by ``unknown``.
            unknown: token that stands for words without a number.

        Raises:
            SettingsError: the share is out of range.
        """
        check_settings(TokenEdits, locals())
        self.hidden = hidden
        self.unknown = unknown

    def draw(self, n: int, generator: torch.Generator) -> EditBatch:
        """Draw n edits, their shares uniform within the limits."""
        return EditBatch(
            "hide",
            {
                "share": uniform(0, self.hidden, n, generator),
                "seed": seeds(n, generator),
                "unknown": torch.full((n,), float(self.unknown), dtype=torch.float64),
            },
        )

    def apply(self, inputs: Tensor, edits: EditBatch, lengths: Tensor | None = None) -> Tensor:
        """Apply edit i to sequence i of (B, T) tokens; padding stays as it is."""
        n_steps = inputs.shape[1]
        # numpy draws step after step, so the edit does not depend on how far a batch is padded.
        draws = np.stack(
            [
                np.random.default_rng(seed).random(n_steps)
                for seed in edits.parameters["seed"].long().tolist()
            ]
        )
        hidden = torch.from_numpy(draws) < edits.parameters["share"][:, None]
        steps = torch.arange(n_steps)
        end = torch.full((len(inputs),), n_steps) if lengths is None else lengths.cpu()
        real = steps < end[:, None]
        # A text of which nothing is left carries no label: it stays as it is.
        hidden = hidden & real & (~hidden & real).any(1, keepdim=True)
        unknown = edits.parameters["unknown"][:, None].to(inputs)
        return torch.where(hidden.to(inputs.device), unknown, inputs)
