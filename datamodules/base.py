"""What a store of changes stands on."""

from typing import Protocol

from torch import Tensor

from rnnrepair.datamodules.sequences import Sequences


class Base(Protocol):
    """N sequences as they were loaded, in memory or wherever they are."""

    def __len__(self) -> int: ...

    @property
    def lengths(self) -> Tensor:
        """(N,) int64 steps of each."""
        ...

    @property
    def in_front(self) -> int | None:
        """Token that shorter texts begin with; None where nothing stands in front."""
        ...

    def copies(self) -> Tensor:
        """Return (N,) int64, equal where two sequences have the same steps, bit for bit."""
        ...

    @property
    def largest_token(self) -> int | None:
        """The largest of all; None of features, and of no sequences."""
        ...

    def fingerprinted(self) -> tuple[Tensor, ...]:
        """Return what tells these sequences from others."""
        ...

    def take(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return (B, T, F) features or (B, T) int64 tokens, padded, and (B,) lengths."""
        ...

    def further(self, rows: Tensor, width: int) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return further inputs of sequences, and of their steps, padded to ``width``."""
        ...

    def none(self) -> Sequences:
        """Return no sequences of the same kind."""
        ...

    def like(self, inputs: Tensor, lengths: Tensor) -> Sequences:
        """Return further sequences of the same kind, or refuse them with a ``DataError``."""
        ...

    def check_origins(self, origin: Tensor | None, lengths: Tensor) -> None:
        """Refuse origins (or none) of new samples with a ``DataError``."""
        ...
