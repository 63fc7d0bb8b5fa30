"""Times plain training epochs, without validation and analysis."""

import time
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning import Callback
from typing_extensions import override


class EpochTimer(Callback):
    """Keeps the seconds that each epoch spent in its training batches."""

    def __init__(self) -> None:
        """Start with no epochs."""
        self.epoch_seconds: list[float] = []
        self._start = self._last = 0.0

    @property
    def mean_epoch_s(self) -> float | None:
        """Mean seconds of an epoch, None before the first."""
        return sum(self.epoch_seconds) / len(self.epoch_seconds) if self.epoch_seconds else None

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

    @override
    def state_dict(self) -> dict[str, Any]:
        return {"epoch_seconds": list(self.epoch_seconds)}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.epoch_seconds = list(state_dict["epoch_seconds"])
