"""Times plain training epochs, without validation and analysis."""

import time
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning import Callback
from typing_extensions import override


class EpochTimer(Callback):
    """Keeps the seconds that each epoch spent in its training batches.

    A plain epoch is one of the shortest: injection makes later ones longer.
    """

    def __init__(self) -> None:
        """Start with no epochs."""
        self.epoch_seconds: list[float] = []
        self.epoch_batches: list[int] = []
        self._start = self._last = 0.0

    @property
    def mean_epoch_s(self) -> float | None:
        """Mean seconds of a plain epoch, None before the first."""
        if not self.epoch_seconds:
            return None
        fewest = min(self.epoch_batches)
        plain = [
            seconds
            for seconds, batches in zip(self.epoch_seconds, self.epoch_batches, strict=True)
            if batches == fewest
        ]
        return sum(plain) / len(plain)

    @override
    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._start = self._last = time.perf_counter()

    @override
    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        self._last = time.perf_counter()

    @override
    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.epoch_seconds.append(self._last - self._start)
        self.epoch_batches.append(int(trainer.num_training_batches))

    @override
    def state_dict(self) -> dict[str, Any]:
        return {"epoch_seconds": self.epoch_seconds[:], "epoch_batches": self.epoch_batches[:]}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.epoch_seconds = list(state_dict["epoch_seconds"])
        self.epoch_batches = list(state_dict["epoch_batches"])
