"""Options of trainers that would make a repair another one are refused, and what to do is told."""

from functools import partial

import pytest
import pytorch_lightning as pl
import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.callbacks import EMAWeightAveraging, ModelCheckpoint, WeightAveraging
from torch.optim import SGD
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau

from rnnrepair.callbacks import BaseCheckpoint, FinalAverage, repair_chain
from rnnrepair.edits import SeriesEdits
from rnnrepair.errors import IncompatibleCheckpointError
from rnnrepair.models import SequenceClassifier
from tests.quiet_trainer import quiet_trainer


def network():
    torch.manual_seed(0)
    return SequenceClassifier(4, 3, hidden_size=6, optimizer=partial(torch.optim.Adam, lr=0.03))


def chain(folder):
    return repair_chain(
        start_epoch=2, rounds=1, budget=1, edit=SeriesEdits(), output_dir=str(folder)
    )


def fit(data, folder, *more, callbacks=None, ckpt_path=None, **options):
    callbacks = [*(callbacks or chain(folder)), *more]
    trainer = quiet_trainer(**({"max_epochs": 4, "callbacks": callbacks} | options))
    trainer.fit(network(), datamodule=data, ckpt_path=ckpt_path)


def test_a_chain_serves_one_fit(make_data, tmp_path):
    callbacks = chain(tmp_path)
    fit(make_data(), tmp_path, callbacks=callbacks)
    with pytest.raises(MisconfigurationException, match=r"earlier fit.* repair_chain\(\)"):
        fit(make_data(), tmp_path, callbacks=callbacks)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"overfit_batches": 2}, "limit_train_batches"),
        # Two epochs, at whose end the first samples are injected.
        ({"max_steps": 2, "limit_train_batches": 1}, r"max_steps=2.* Raise max_steps"),
    ],
)
def test_trainings_that_see_no_repair_sample_are_refused(make_data, tmp_path, options, told):
    with pytest.raises(MisconfigurationException, match=told):
        fit(make_data(), tmp_path, **options)


def test_a_training_that_sees_them_for_a_step_is_not(make_data, tmp_path):
    callbacks = chain(tmp_path)
    fit(make_data(), tmp_path, callbacks=callbacks, max_steps=3, limit_train_batches=1)
    assert callbacks[-1].summary["injected"] > 0


@pytest.mark.parametrize("average", [EMAWeightAveraging(), WeightAveraging()])
def test_averages_that_analyses_do_not_see_are_refused(make_data, tmp_path, average):
    with pytest.raises(MisconfigurationException, match=r"FinalAverage\(start_epoch\)"):
        fit(make_data(), tmp_path, average)


def test_an_average_behind_the_repair_is_taken(make_data, tmp_path):
    callbacks = chain(tmp_path)
    fit(make_data(), tmp_path, FinalAverage(3), callbacks=callbacks)
    assert callbacks[-1].summary["rounds"] == 1


def test_a_checkpoint_from_inside_an_epoch_is_refused(make_data, tmp_path):
    # At the last batch of the second epoch too, whose analysis has not been made yet.
    often = ModelCheckpoint(tmp_path, "{step}", every_n_train_steps=1, save_top_k=-1)
    options = {"enable_checkpointing": True, "limit_train_batches": 2}
    fit(make_data(), tmp_path, often, **options)
    for step in (3, 4):
        inside = tmp_path / f"step={step}.ckpt"
        with pytest.raises(IncompatibleCheckpointError, match="inside epoch 1"):
            fit(make_data(), tmp_path / "again", ckpt_path=inside, **options)


class Rates(pl.Callback):
    """Remembers the rate of every step."""

    def __init__(self):
        self.of = []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.of.append(trainer.optimizers[0].param_groups[0]["lr"])


class Scheduled(SequenceClassifier):
    """A network of a user with a scheduler."""

    def __init__(self, make):
        super().__init__(4, 3, hidden_size=6)
        self.make = make

    def configure_optimizers(self):
        optimizer = SGD(self.parameters(), lr=0.1)
        return {"optimizer": optimizer, "lr_scheduler": self.make(optimizer)}


def rates_of(make, data, *callbacks):
    rates = Rates()
    trainer = quiet_trainer(max_epochs=4, callbacks=[*callbacks, rates], limit_train_batches=3)
    trainer.fit(Scheduled(make), datamodule=data)
    return rates.of


def test_keeping_the_unrepaired_network_changes_no_rate(make_data, tmp_path):
    def by_step(optimizer):
        return {"scheduler": LambdaLR(optimizer, lambda n: 1 / (1 + n)), "interval": "step"}

    kept = BaseCheckpoint(tmp_path / "base.ckpt", 2)
    assert rates_of(by_step, make_data(), kept) == rates_of(by_step, make_data())


def test_a_base_whose_rate_val_decides_is_kept_and_not_shared(make_data, tmp_path):
    def by_val(optimizer):
        return {"scheduler": ReduceLROnPlateau(optimizer), "monitor": "val/loss"}

    def by_epoch(optimizer):
        return LambdaLR(optimizer, lambda n: 1 / (1 + n))

    own, shared = tmp_path / "base.ckpt", tmp_path / "shared.ckpt"
    for make, shares in ((by_val, False), (by_epoch, True)):
        rates_of(make, make_data(), BaseCheckpoint(own, 2, shared))
        assert own.is_file()
        assert shared.is_file() == shares
