"""What training is given: originals of some splits, less removed ones, and what was added."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from rnnrepair.datamodules.batching import EpochBatches
from rnnrepair.datamodules.store import Store
from rnnrepair.protocols import Split


class TrainingSet:
    """Sequences with their changes, and which of them an epoch draws.

    Attributes:
        store: sequences as they were loaded, and what was changed of them.
    """

    def __init__(self, store: Store, splits: Mapping[Split, Tensor]) -> None:
        """Take the sequences and the (n,) indices of every split; ``fit`` is drawn, whole."""
        self.store = store
        self._splits = splits
        self._drawn: tuple[Split, ...] = ("fit",)
        self._n_originals: int | None = None

    def index(self) -> Tensor:
        """Return the (n,) indices of the fit split and of all added sequences, but removed ones."""
        return torch.cat([self._left_of(("fit",)), self.store.added_index])

    def draw_from(self, splits: Sequence[Split], n_originals: int | None) -> None:
        """Choose whose originals an epoch draws, and how many; see ``EpochBatches``."""
        self._drawn, self._n_originals = tuple(splits), n_originals

    def originals(self) -> Tensor:
        """Return the (n,) indices of the originals that an epoch draws from."""
        return self._left_of(self._drawn)

    def plans(
        self,
        batch_size: int,
        bucket_batches: int,
        seed: int,
        chance_of: Callable[[Tensor, Tensor], Tensor | None],
    ) -> EpochBatches:
        """Return the plans of the batches of epochs.

        Args:
            batch_size: sequences a step.
            bucket_batches: see ``EpochBatches``.
            seed: of the order.
            chance_of: (n,) originals and (m,) added ones -> the (n + m,) weights by which an epoch
                draws, None where all are drawn alike.
        """
        originals, added = self.originals(), self.store.added_index
        return EpochBatches(
            originals,
            batch_size,
            n_originals=self._n_originals,
            injected=added,
            weight=self.store.weight_of(originals),
            chance=chance_of(originals, added),
            lengths=self.store.lengths_of(torch.cat([originals, added])),
            bucket_batches=bucket_batches,
            shuffle=True,
            seed=seed,
        )

    def state(self) -> dict[str, Any]:
        """Return the changes and what is drawn, for checkpoints."""
        return {
            "rounds": [part.state() for part in self.store.rounds],
            "trained": list(self._drawn),
            "n_originals": self._n_originals,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up what ``state`` told."""
        self.store.restore(state["rounds"])
        self.draw_from(state["trained"], state["n_originals"])

    def _left_of(self, splits: Sequence[Split]) -> Tensor:
        """Return the indices of some splits, without removed sequences."""
        originals = torch.cat([self._splits[split] for split in splits])
        return originals[~torch.isin(originals, self.store.removed)]
