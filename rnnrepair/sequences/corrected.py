"""What a person has said of labels, as it was applied to the data of a run."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Corrected:
    """Samples whose label somebody has looked at, of any split.

    Attributes:
        source: the file that says so.
        relabelled: (r,) int64 indices of samples that have another label now.
        dropped: (d,) int64 indices of samples that no split holds any more.
        kept: (k,) int64 indices of samples whose label is right as it is.
    """

    source: str
    relabelled: Tensor
    dropped: Tensor
    kept: Tensor

    @property
    def checked(self) -> Tensor:
        """(r + k,) int64 indices of samples whose label is right now: none is suspect."""
        return torch.cat([self.relabelled, self.kept])

    def plain(self) -> dict[str, str | int]:
        """Return the file and the numbers, for JSON."""
        counts = {name: len(getattr(self, name)) for name in ("relabelled", "dropped", "kept")}
        return {"source": self.source, **counts}
