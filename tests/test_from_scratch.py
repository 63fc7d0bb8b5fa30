"""A new network begins with the rates of a new training."""

import pytest
import pytorch_lightning as pl
import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.callbacks import EarlyStopping
from torch import nn

from rnnrepair.callbacks import repair_chain
from rnnrepair.edits import SeriesEdits
from rnnrepair.repair import TrainOnAll
from tests.quiet_trainer import quiet_trainer


class Decaying(pl.LightningModule):
    """A network of somebody's own, whose rate falls to a tenth after every epoch."""

    def __init__(self, scheduler):
        super().__init__()
        self.gru, self.classify = nn.GRU(4, 8, batch_first=True), nn.Linear(8, 3)
        self.scheduler, self.rates = scheduler, []

    def forward(self, inputs):
        return self.classify(self.gru(inputs)[0][:, -1])

    def on_train_epoch_start(self):
        self.rates.append(None)

    def on_train_batch_start(self, batch, batch_idx):
        self.rates[-1] = self.optimizers().param_groups[0]["lr"]

    def training_step(self, batch, batch_idx):
        return nn.functional.cross_entropy(self(batch.inputs), batch.label)

    def configure_optimizers(self):
        optimizer = torch.optim.Adam(self.parameters(), lr=0.01)
        return [optimizer], [self.scheduler(optimizer)]


def anew_after_two_epochs(folder):
    return repair_chain(
        start_epoch=2,
        rounds=1,
        edit=SeriesEdits(),
        strategy=TrainOnAll(augments=False),
        output_dir=str(folder),
    )


@pytest.mark.parametrize(
    ("scheduler", "factor"),
    [
        (lambda optimizer: torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.1), 0.1),
        (lambda optimizer: torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5), 0.5),
    ],
)
def test_a_users_scheduler_begins_anew_with_the_network(make_data, tmp_path, scheduler, factor):
    network = Decaying(scheduler)
    chain = anew_after_two_epochs(tmp_path)
    trainer = quiet_trainer(max_epochs=5, callbacks=chain)
    trainer.fit(network, datamodule=make_data())
    begun = [0.01, 0.01 * factor]
    assert network.rates == pytest.approx([*begun, *begun, 0.01 * factor**2])


class ByHand(Decaying):
    """Halves its rate by hand, after every epoch."""

    def __init__(self):
        super().__init__(None)

    def on_train_epoch_end(self):
        self.optimizers().param_groups[0]["lr"] *= 0.5

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=0.01)


def test_a_rate_without_a_scheduler_begins_anew_too(make_data, tmp_path):
    network = ByHand()
    trainer = quiet_trainer(max_epochs=4, callbacks=anew_after_two_epochs(tmp_path))
    trainer.fit(network, datamodule=make_data())
    assert network.rates == pytest.approx([0.01, 0.005, 0.01, 0.005])


def test_trained_weights_are_no_beginning_of_a_new_network(make_data, tmp_path):
    chain = repair_chain(
        start_epoch=0, rounds=1, strategy=TrainOnAll(augments=False), output_dir=str(tmp_path)
    )
    trainer = quiet_trainer(max_epochs=4, callbacks=chain)
    with pytest.raises(MisconfigurationException, match=r"as a checkpoint .*ckpt_path"):
        trainer.fit(ByHand(), datamodule=make_data())


class Judged(Decaying):
    """Scores 0 at first, and a new network worse than that, but better with every epoch."""

    def training_step(self, batch, batch_idx):
        self.log("judged", 0.0 if self.current_epoch < 2 else 10.0 - self.current_epoch)
        return super().training_step(batch, batch_idx)


def test_the_score_of_the_network_before_does_not_stop_the_new_one(make_data, tmp_path):
    network = Judged(lambda optimizer: torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.1))
    chain = anew_after_two_epochs(tmp_path)
    stopping = EarlyStopping("judged", patience=2, check_on_train_epoch_end=True)
    trainer = quiet_trainer(max_epochs=7, callbacks=[*chain, stopping])
    trainer.fit(network, datamodule=make_data())
    assert len(network.rates) == 7
