"""What every classifier of this project does alike: loss, metrics, optimizer."""

from abc import abstractmethod
from collections.abc import Callable, Iterable
from typing import Annotated, Any

import pytorch_lightning as pl
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.optim import Adam, Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torchmetrics.classification import MulticlassAccuracy, MulticlassConfusionMatrix

from rnnrepair.scores import Monitor, score
from rnnrepair.sequences import RecurrentOutput, SequenceBatch
from rnnrepair.settings import at_least, check_settings

NumClasses = Annotated[int, at_least(2)]
MakeOptimizer = Callable[[Iterable[nn.Parameter]], Optimizer]
MakeScheduler = Callable[[Optimizer], LRScheduler]


class Classifier(pl.LightningModule):
    """Base of the networks; a subclass says how logits and hidden states come about."""

    def __init__(
        self,
        num_classes: NumClasses,
        optimizer: MakeOptimizer | None = None,
        scheduler: MakeScheduler | None = None,
    ) -> None:
        """Set up metrics and optimizer.

        Args:
            num_classes: C.
            optimizer: makes the optimizer from the parameters, Adam where None.
            scheduler: makes an epoch-wise learning-rate scheduler, none where None.

        Raises:
            SettingsError: fewer than two classes.
        """
        check_settings(Classifier, locals())
        super().__init__()
        self.make_optimizer: MakeOptimizer = optimizer or Adam
        self.make_scheduler = scheduler
        self.val_accuracy = MulticlassAccuracy(num_classes, average="micro")
        self.val_confusion = MulticlassConfusionMatrix(num_classes)
        self.test_accuracy = MulticlassAccuracy(num_classes, average="micro")

    @abstractmethod
    def logits(self, batch: SequenceBatch) -> Tensor:
        """Return (B, C) logits."""

    @abstractmethod
    def trace(self, batch: SequenceBatch) -> RecurrentOutput:
        """Return logits, step logits and hidden states (see ``RecurrentModule``)."""

    def loss(self, batch: SequenceBatch) -> Tensor:
        """Cross entropy of the logits."""
        return cross_entropy(self.logits(batch), batch.label)

    def forward(self, batch: SequenceBatch) -> RecurrentOutput:
        """Return the same as ``trace``."""
        return self.trace(batch)

    def training_step(self, batch: SequenceBatch, batch_idx: int) -> Tensor:
        """Return the loss."""
        loss = self.loss(batch)
        # Lightning's log takes a tenth of a small network's step: call it only where it shows.
        every = self.trainer.log_every_n_steps  # type: ignore[attr-defined]
        if (self.global_step + 1) % max(every, 1) == 0:
            self.log("train/loss", loss, prog_bar=True, batch_size=len(batch))
        return loss

    def validation_step(self, batch: SequenceBatch, batch_idx: int) -> None:
        """Log ``val/loss`` and ``val/accuracy``."""
        logits = self._evaluate(batch, "val", self.val_accuracy)
        self.val_confusion.update(logits, batch.label)

    def on_validation_epoch_end(self) -> None:
        """Log ``val/balanced_accuracy`` and ``val/macro_f1``."""
        confused = self.val_confusion.compute()
        for monitor in (Monitor.BALANCED_ACCURACY, Monitor.MACRO_F1):
            self.log(f"val/{monitor}", score(confused, monitor))
        self.val_confusion.reset()

    def test_step(self, batch: SequenceBatch, batch_idx: int) -> None:
        """Log ``test/loss`` and ``test/accuracy``."""
        self._evaluate(batch, "test", self.test_accuracy)

    def _evaluate(self, batch: SequenceBatch, split: str, accuracy: MulticlassAccuracy) -> Tensor:
        logits = self.logits(batch)
        accuracy.update(logits, batch.label)
        size = len(batch)
        self.log(f"{split}/loss", cross_entropy(logits, batch.label), batch_size=size)
        self.log(f"{split}/accuracy", accuracy, prog_bar=True, batch_size=size)
        return logits

    def configure_optimizers(self) -> Any:
        """Return the optimizer and, where there is one, the epoch-wise scheduler."""
        optimizer = self.make_optimizer(self.parameters())
        if self.make_scheduler is None:
            return optimizer
        return {"optimizer": optimizer, "lr_scheduler": self.make_scheduler(optimizer)}
