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
    with pytest.raises(MisconfigurationException, match=r"checkpoint .*ckpt_path.* start_epoch"):
        trainer.fit(ByHand(), datamodule=make_data())


def trained_for(epochs, data, folder):
    trainer = quiet_trainer(max_epochs=epochs)
    network = ByHand()
    trainer.fit(network, datamodule=data)
    trainer.save_checkpoint(folder / "trained.ckpt")
    return network, folder / "trained.ckpt"


def test_a_trained_network_is_begun_anew_from_its_checkpoint(make_data, tmp_path):
    _, trained = trained_for(2, make_data(), tmp_path)
    network, chain = ByHand(), anew_after_two_epochs(tmp_path)
    initial = network.classify.weight.clone()
    first = FirstWeights()
    trainer = quiet_trainer(max_epochs=5, callbacks=[*chain, first])
    trainer.fit(network, datamodule=make_data(), ckpt_path=trained)
    assert torch.equal(first.of[0], initial)
    assert chain[-1].summary["stop_reason"] == "trained_anew"


def test_a_checkpoint_behind_the_last_analysis_is_refused(make_data, tmp_path):
    _, trained = trained_for(3, make_data(), tmp_path)
    trainer = quiet_trainer(max_epochs=5, callbacks=anew_after_two_epochs(tmp_path))
    with pytest.raises(MisconfigurationException, match=r"made 3 epochs.* start_epoch=3 begins"):
        trainer.fit(ByHand(), datamodule=make_data(), ckpt_path=trained)


class FirstWeights(pl.Callback):
    """Remembers the weights of the head as every epoch begins to train."""

    def __init__(self):
        self.of = []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if batch_idx == 0:
            self.of.append(pl_module.classify.weight.detach().clone())


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
