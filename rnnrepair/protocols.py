"""What the callbacks ask of a user's model and data; anything that answers will do."""

from collections.abc import Iterable
from typing import Any, Literal, Protocol, runtime_checkable

from torch import Tensor

from rnnrepair.traces.batch import RecurrentOutput, SequenceBatch

Split = Literal["fit", "repair", "val", "test"]


@runtime_checkable
class RecurrentModule(Protocol):
    """A model that can show its hidden states; others are wrapped by ``RecurrentAdapter``."""

    def trace(self, batch: SequenceBatch) -> RecurrentOutput:
        """Return logits, step logits and hidden states of a batch."""
        ...


@runtime_checkable
class RepairableData(Protocol):
    """A data module that knows the four splits and takes new training samples.

    ``fit`` trains, ``repair`` supplies the failures to repair, ``val`` chooses, ``test`` is only
    reported. The splits are disjoint.
    """

    num_classes: int

    def trace_dataloader(self, split: Split) -> Iterable[SequenceBatch]:
        """Return batches of the whole split, in any order, without augmentation.

        ``fit`` includes the samples injected so far; their indices are higher than all others.
        """
        ...

    def fetch(self, index: Tensor) -> SequenceBatch:
        """Return the sequences with these indices, in this order."""
        ...

    def split_index(self, split: Split) -> Tensor:
        """Return the (n,) ascending indices of a split; ``fit`` without injected samples."""
        ...

    def inject(self, inputs: Tensor, lengths: Tensor, label: Tensor) -> Tensor:
        """Add samples to the training set of the next epoch and return their new (n,) indices."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return the injected samples, so that a checkpoint holds them."""
        ...

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the injected samples."""
        ...
