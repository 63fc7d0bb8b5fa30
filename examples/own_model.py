"""Repair in a program of your own: ``python examples/own_model.py``."""

import pytorch_lightning as pl
import torch
from torch import nn

from rnnrepair.callbacks import repair_chain
from rnnrepair.datamodules import LoadedData, SequenceDataModule, Sequences
from rnnrepair.edits import SeriesEdits

WAVES = (torch.sin, torch.cos, lambda t: torch.sin(t).sign(), lambda t: (t / torch.pi) % 2 - 1)


class Waves(SequenceDataModule):  # four kinds of waves in noise: 40 steps of one value
    def load(self):
        generator = torch.Generator().manual_seed(0)
        label = torch.randint(4, (4000,), generator=generator)
        time = torch.arange(40) * (0.2 + 0.4 * torch.rand(4000, 1, generator=generator))
        inputs = torch.stack([WAVES[c](t) for c, t in zip(label.tolist(), time, strict=True)])
        inputs += 0.6 * torch.randn(inputs.shape, generator=generator)
        sequences = Sequences.from_padded(inputs[..., None], torch.full((4000,), 40))
        return LoadedData(sequences, label, n_train=3000, source="waves", kind="series")


class WaveNet(pl.LightningModule):  # knows nothing of rnnrepair
    def __init__(self):
        super().__init__()
        self.gru, self.classify = nn.GRU(1, 32, batch_first=True), nn.Linear(32, 4)

    def training_step(self, batch, batch_idx):
        return nn.functional.cross_entropy(self(batch.inputs), batch.label)

    def forward(self, inputs):
        return self.classify(self.gru(inputs)[0][:, -1])

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=0.005)


if __name__ == "__main__":
    pl.seed_everything(0, verbose=False)
    chain = repair_chain(start_epoch=10, rounds=2, edit=SeriesEdits(), output_dir="outputs/own")
    trainer = pl.Trainer(max_epochs=14, callbacks=chain, reload_dataloaders_every_n_epochs=1)
    trainer.fit(WaveNet(), datamodule=Waves(num_classes=4, batch_size=100))
