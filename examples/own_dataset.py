"""Repair in a program with data sets of its own: ``python examples/own_dataset.py``."""

import pytorch_lightning as pl
import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader, Dataset

from rnnrepair.callbacks import repair_chain
from rnnrepair.datamodules import DatasetDataModule
from rnnrepair.edits import SeriesEdits

WAVES = (torch.sin, lambda t: torch.sin(t).sign(), lambda t: (t / torch.pi) % 2 - 1)


class Waves(Dataset):  # three kinds of waves in noise, 20 to 40 steps of one value
    def __init__(self, n, seed):
        self.n, self.seed = n, seed

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        generator = torch.Generator().manual_seed(self.seed + i)
        n_steps = int(torch.randint(20, 41, (), generator=generator))
        time = torch.arange(n_steps) * (0.2 + 0.4 * torch.rand((), generator=generator))
        noise = 0.7 * torch.randn(n_steps, generator=generator)
        return (WAVES[i % 3](time) + noise)[:, None], i % 3


def collate(items):
    waves, labels = zip(*items, strict=True)
    lengths = torch.tensor([len(wave) for wave in waves])
    return pad_sequence(waves, batch_first=True), lengths, torch.tensor(labels)


class WaveNet(pl.LightningModule):  # knows nothing of rnnrepair
    def __init__(self):
        super().__init__()
        self.gru, self.classify = nn.GRU(1, 24, batch_first=True), nn.Linear(24, 3)

    def forward(self, waves, lengths):
        states = self.gru(waves)[0]
        return self.classify(states[torch.arange(len(waves)), lengths - 1])

    def training_step(self, batch, batch_idx):
        waves, lengths, labels = batch
        return nn.functional.cross_entropy(self(waves, lengths), labels)

    def test_step(self, batch, batch_idx):
        waves, lengths, labels = batch
        right = self(waves, lengths).argmax(1) == labels
        self.log("accuracy", right.float().mean(), batch_size=len(labels))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=0.01)


if __name__ == "__main__":
    pl.seed_everything(0, verbose=False)
    train, test, net = Waves(2000, seed=0), Waves(600, seed=10_000), WaveNet()
    data = DatasetDataModule(train, test, batch_size=100, collate_fn=collate)
    chain = repair_chain(start_epoch=6, rounds=2, edit=SeriesEdits(), output_dir="outputs/waves")
    trainer = pl.Trainer(max_epochs=10, callbacks=chain, reload_dataloaders_every_n_epochs=1)
    trainer.fit(net, data)
    trainer.test(net, DataLoader(test, 200, collate_fn=collate))
