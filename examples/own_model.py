"""Repair in a program of your own: your module, your data, Lightning's Trainer.

``python examples/own_model.py`` trains a GRU that knows nothing of rnnrepair, and repairs it.
"""

import sys
from pathlib import Path

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from rnnrepair import callbacks
from rnnrepair.abstraction import AbstractionSettings
from rnnrepair.datamodules import LoadedData, SequenceDataModule, Sequences
from rnnrepair.edits import SeriesEdits
from rnnrepair.repair import GuidedRepair
from rnnrepair.sequences import SequenceBatch

WAVES = (torch.sin, torch.cos, lambda t: torch.sin(t).sign(), lambda t: (t / torch.pi) % 2 - 1)


class Waves(SequenceDataModule):
    """Four kinds of waves in noise: 40 steps of one value; you only say how data are loaded."""

    def load(self) -> LoadedData:
        generator = torch.Generator().manual_seed(0)
        label = torch.randint(len(WAVES), (4000,), generator=generator)
        speed = 0.2 + 0.4 * torch.rand(4000, 1, generator=generator)
        time = torch.arange(40) * speed
        inputs = torch.stack([WAVES[c](t) for c, t in zip(label.tolist(), time, strict=True)])
        inputs += 0.6 * torch.randn(inputs.shape, generator=generator)
        sequences = Sequences.from_padded(inputs[..., None], torch.full((4000,), 40))
        return LoadedData(sequences, label, n_train=3000, source="waves", kind="series")


class WaveNet(pl.LightningModule):
    """A GRU and a linear head; the callbacks find both by themselves."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(1, 32, batch_first=True)
        self.classify = nn.Linear(32, len(WAVES))

    def forward(self, inputs: Tensor) -> Tensor:
        return self.classify(self.gru(inputs)[0][:, -1])

    def training_step(self, batch: SequenceBatch, batch_idx: int) -> Tensor:
        return nn.functional.cross_entropy(self(batch.inputs), batch.label)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=0.005)


def main(folder: Path) -> dict[str, object]:
    """Train, analyse after epochs 10 and 12, repair, and report into ``folder``."""
    pl.seed_everything(0, verbose=False)
    when = {"start_epoch": 10, "every_n_epochs": 2, "end_epoch": 12}
    report = callbacks.RepairReport(**when, experiment="waves", output_dir=str(folder))
    chain = [
        callbacks.TraceCollector(**when),
        callbacks.StateAbstraction(AbstractionSettings(n_components=16), **when),
        callbacks.InfluenceAnalysis(**when),
        callbacks.RepairInjection(GuidedRepair(), SeriesEdits(), rounds=2, budget=3, **when),
        report,
    ]
    trainer = pl.Trainer(
        max_epochs=14,
        callbacks=chain,
        reload_dataloaders_every_n_epochs=1,  # or the injected samples would never be seen
        default_root_dir=folder,
        logger=False,
    )
    trainer.fit(WaveNet(), datamodule=Waves(num_classes=len(WAVES), batch_size=100))
    return report.summary


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "outputs/own_model"))
