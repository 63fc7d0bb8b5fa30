"""Networks, settings and schedules that would break a run: taken with a warning, or refused."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException
from torch.optim import Adam, lr_scheduler

from rnnrepair.abstraction import AbstractionSettings
from rnnrepair.callbacks import Calendar, TraceCollector, repair_chain
from rnnrepair.datamodules import LoadedData, Sequences
from rnnrepair.edits import SeriesEdits
from rnnrepair.errors import ConfigurationError, DataError
from rnnrepair.models import SequenceClassifier
from rnnrepair.repair import GuidedRepair, HardRepair, read_ledger
from tests.conftest import TensorData
from tests.quiet_trainer import quiet_trainer

N_FIT, BATCH = 100, 20


def data_of(label=None, num_classes=3):
    g = torch.Generator().manual_seed(0)
    label = torch.arange(200) % 3 if label is None else label
    inputs = torch.rand(200, 5, 4, generator=g)
    inputs[torch.arange(200), :, torch.arange(200) % 3] += 0.2
    sequences = Sequences.from_padded(inputs, torch.full((200,), 5))
    loaded = LoadedData(sequences, label, 150, "walks", "series", class_names=("a", "b", "c"))
    return TensorData(loaded, num_classes, batch_size=BATCH, repair_share=0.2, val_share=2 / 15)


class Network(SequenceClassifier):
    """A network that says how often it was trained."""

    trained = 0

    def training_step(self, batch, batch_idx):
        self.trained += 1
        return super().training_step(batch, batch_idx)


def fit(tmp_path, network, data=None, *, start=1, max_epochs=3, strategy=None, more=(), **options):
    chain = repair_chain(
        start_epoch=start,
        rounds=2,
        strategy=strategy or GuidedRepair(3, 4),
        **({"edit": SeriesEdits()} | options),
        budget=2,
        settings=AbstractionSettings(n_components=4),
        output_dir=str(tmp_path),
    )
    chain[1] = TraceCollector(Calendar(start, 1, start + 1), progress=False)
    trainer = quiet_trainer(
        default_root_dir=tmp_path,
        callbacks=chain,
        **({"max_epochs": max_epochs} | dict(more)),
    )
    trainer.fit(network, datamodule=data or data_of())
    return trainer, chain


def network_of(n_outputs=3, **options):
    torch.manual_seed(0)
    return Network(4, n_outputs, hidden_size=6, **options)


@pytest.mark.parametrize(
    ("label", "error", "message"),
    [
        (torch.eye(3)[torch.arange(200) % 3], DataError, r"one-hot.*argmax\(1\)"),
        (torch.rand(200), DataError, "Real-valued"),
        (torch.arange(200) % 3 + 1, DataError, "labels - 1"),
        (torch.zeros(200, 5), DataError, "one label a step"),
    ],
)
def test_bad_labels_are_refused_before_training(tmp_path, label, error, message):
    network = network_of()
    with pytest.raises(error, match=message):
        fit(tmp_path, network, data_of(label))
    assert network.trained == 0


@pytest.mark.parametrize("n_outputs", [2, 4])
def test_another_number_of_classes_is_refused_before_training(tmp_path, n_outputs):
    network = network_of(n_outputs)
    with pytest.raises(ConfigurationError, match="the last layer of the network"):
        fit(tmp_path, network)
    assert network.trained == 0


@pytest.mark.parametrize("strategy", [GuidedRepair(3, 4), HardRepair(3, 4)])
def test_a_collapsed_network_is_repaired_all_the_same(tmp_path, caplog, strategy):
    """All its states are one, and it predicts one class: too few states, and no right sources."""
    network = network_of(optimizer=partial(Adam, lr=0.0))
    for name, parameter in network.named_parameters():
        torch.nn.init.zeros_(parameter)
        if name == "head.bias":
            parameter.data[1] = 1.0
    data = data_of()
    _, chain = fit(tmp_path, network, data, start=0, max_epochs=1, strategy=strategy)
    summary = chain[-1].summary
    assert summary["n_components"] == 1
    assert "n_components=4, but only 1 of" in caplog.text
    assert "No training sample of class a, c is classified correctly" in caplog.text
    # As many samples as two rounds plan, of both classes that it never predicts, from originals.
    ledger = read_ledger(tmp_path / "ledger.csv")
    assert len(ledger) == summary["injected"] == 2 * 2 * summary["before"]["repair_failures"]
    assert {row.label for row in ledger} == {0, 2}
    for row in ledger:
        parent = data.fetch(torch.tensor([row.parent_id]))
        assert int(parent.label) == row.label
        assert row.parent_id in data.indices("fit")


def test_nothing_is_said_of_classes_that_are_right_sometimes(tmp_path, caplog):
    fit(tmp_path, network_of(optimizer=partial(Adam, lr=0.02)), start=4, max_epochs=5)
    assert "classified correctly" not in caplog.text
    assert "n_components" not in caplog.text


class Scheduled(Network):
    """The rate follows a scheduler that counts batches."""

    def __init__(self, make, interval="step", **options):
        super().__init__(4, 3, hidden_size=6, **options)
        self.make, self.interval = make, interval

    def configure_optimizers(self):
        optimizer = Adam(self.parameters(), lr=1e-3)
        scheduler = {"scheduler": self.make(optimizer), "interval": self.interval}
        return {"optimizer": optimizer, "lr_scheduler": scheduler}


def one_cycle(total):
    return lambda optimizer: lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=total)


def cosine(total):
    return lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, total)


def in_turn(first, then):
    """Warm up, then a cosine."""

    def make(optimizer):
        warm = lr_scheduler.LinearLR(optimizer, 0.1, total_iters=first)
        return lr_scheduler.SequentialLR(optimizer, [warm, cosine(then)(optimizer)], [first])

    return make


# 5 batches an epoch without injection; up to twice as many after each of the 2 rounds.
FEWEST, MOST = 15, 25


@pytest.mark.parametrize(
    ("make", "total"),
    [
        (one_cycle(FEWEST), FEWEST),
        (one_cycle(MOST - 1), MOST - 1),
        (cosine(FEWEST), FEWEST),
        (in_turn(5, 10), FEWEST),
    ],
)
def test_schedulers_that_end_before_the_run_are_refused_with_both_numbers(tmp_path, make, total):
    network = Scheduled(make)
    with pytest.raises(MisconfigurationException, match=rf"{total} .*{FEWEST} to {MOST}"):
        fit(tmp_path, network)
    assert network.trained == 0


@pytest.mark.parametrize(
    "network",
    [
        Scheduled(one_cycle(MOST)),
        Scheduled(cosine(MOST)),
        Scheduled(in_turn(5, MOST - 5)),
        Scheduled(one_cycle(3), "epoch"),
        Scheduled(lambda optimizer: lr_scheduler.ConstantLR(optimizer, 0.5, 3)),
        Scheduled(lambda optimizer: lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 4)),
    ],
    ids=["one_cycle", "cosine", "in_turn", "epochs", "constant", "restarts"],
)
def test_schedulers_that_last_are_taken(tmp_path, network):
    trainer, chain = fit(tmp_path, network)
    assert chain[-1].summary["injected"] > 0
    assert FEWEST < network.trained == trainer.global_step <= MOST


def test_fewer_samples_at_most_make_fewer_steps_at_most(tmp_path):
    """What the run can make is told by max_share; a scheduler that covers it is taken."""
    network = Scheduled(one_cycle(19))
    fit(tmp_path, network, max_share=0.3)  # 5, then 7 and 7 batches
    assert network.trained <= 19
    with pytest.raises(MisconfigurationException, match=r"18 .*15 to 19"):
        fit(tmp_path, Scheduled(one_cycle(18)), max_share=0.3)


@pytest.mark.parametrize(
    ("more", "fewest", "most"),
    [
        ({"accumulate_grad_batches": 2}, 3 * 3, 3 + 5 + 5),  # 5 and 10 batches in twos
        ({"limit_train_batches": 7}, 3 * 5, 5 + 7 + 7),
        ({"limit_train_batches": 0.6}, 3 * 3, 3 + 6 + 6),
        ({"max_steps": 11}, 11, 11),
        ({"max_epochs": -1, "max_steps": 40}, 40, 40),
    ],
)
def test_steps_are_counted_as_the_trainer_makes_them(tmp_path, more, fewest, most):
    with pytest.raises(MisconfigurationException, match=rf"makes {fewest} to {most}:"):
        fit(tmp_path, Scheduled(one_cycle(most - 1)), more=more)
    trainer, _ = fit(tmp_path, Scheduled(one_cycle(most)), more=more)
    assert fewest <= trainer.global_step <= most


class Scaled(TensorData):
    """Changes what training is given, where no analysis sees it."""

    def on_after_batch_transfer(self, batch, dataloader_idx):
        batch.inputs = batch.inputs * 2
        return batch


def test_data_that_change_batches_on_their_way_are_refused_before_training(tmp_path):
    loaded, network = data_of().load(), network_of()
    data = Scaled(loaded, 3, batch_size=BATCH, repair_share=0.2, val_share=2 / 15)
    with pytest.raises(MisconfigurationException, match="on_after_batch_transfer"):
        fit(tmp_path, network, data)
    assert network.trained == 0


class Distances(Network):
    """Answers distances: the smallest is what it means."""

    def training_step(self, batch, batch_idx):
        loss = torch.nn.functional.cross_entropy(-self(batch).logits, batch.label)
        return {"loss": loss, "logits": self(batch).logits}


def test_answers_that_are_read_the_wrong_way_round_are_told(tmp_path, caplog):
    torch.manual_seed(0)
    network = Distances(4, 3, hidden_size=6, optimizer=partial(Adam, lr=0.05))
    fit(tmp_path, network, start=8, max_epochs=9)
    assert "far less than a guess" in caplog.text


def test_a_sitting_without_an_analysis_is_told_before_training(tmp_path, caplog):
    network = network_of()
    fit(tmp_path, network, start=7, max_epochs=2)
    first = next(r for r in caplog.records if "No epoch up to" in r.getMessage())
    assert "max_epochs=2" in first.getMessage()


class Unknown(SeriesEdits):
    """A family that nobody has entered."""

    def draw(self, n, generator):
        return replace(super().draw(n, generator), name="conjured")


def test_edits_that_no_ledger_could_be_read_with_are_refused(tmp_path):
    network = network_of()
    with pytest.raises(ConfigurationError, match=r"conjured.*FAMILIES"):
        fit(tmp_path, network, edit=Unknown())
    assert network.trained == 0
