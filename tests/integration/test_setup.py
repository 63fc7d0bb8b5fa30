"""What is put together wrongly is refused before anything is computed."""

import pickle
import subprocess
import sys
from functools import partial

import pytest
import pytorch_lightning as pl
import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException
from torch import nn
from torch.optim import Adam

from rnnrepair import explain
from rnnrepair.abstraction import AbstractionSettings
from rnnrepair.callbacks import (
    BaseCheckpoint,
    Calendar,
    EpochSeed,
    EpochTimer,
    InfluenceAnalysis,
    RepairInjection,
    RepairReport,
    StateAbstraction,
    TargetCurve,
    TraceCollector,
    repair_chain,
)
from rnnrepair.callbacks.study_runner import StudyRunner
from rnnrepair.callbacks.trace_collector import repairable_data
from rnnrepair.datamodules import ArrayDataModule, LoadedData, SequenceDataModule, Sequences
from rnnrepair.edits import ImageEdits, SeriesEdits, TokenEdits
from rnnrepair.errors import ConfigurationError, DataError, NonFiniteError
from rnnrepair.models import SequenceClassifier
from rnnrepair.repair import GuidedRepair, NoRepair, TrainOnAll
from tests.quiet_trainer import quiet_trainer


class Steps(SequenceDataModule):
    """Two kinds of random walks."""

    def load(self):
        generator = torch.Generator().manual_seed(0)
        label = torch.randint(2, (300,), generator=generator)
        inputs = torch.randn(300, 6, 3, generator=generator) + label[:, None, None] * 0.8
        sequences = Sequences.from_padded(inputs, torch.full((300,), 6))
        return LoadedData(sequences, label, 240, "steps", "series")


class Reader(pl.LightningModule):
    """A network that is given inputs alone."""

    def __init__(self):
        super().__init__()
        self.rnn, self.head = nn.GRU(3, 8, batch_first=True), nn.Linear(8, 2)

    def forward(self, x):
        return self.head(self.rnn(x)[0][:, -1])

    def training_step(self, batch, batch_idx):
        return nn.functional.cross_entropy(self(batch[0]), batch[1])

    def configure_optimizers(self):
        return Adam(self.parameters(), lr=0.05)


class NaNSteps(Steps):
    def load(self):
        data = super().load()
        data.sequences.values[7 * 6 + 2, 1] = float("nan")
        return data


def chain(**options):
    settings = AbstractionSettings(n_components=4, fit_states=500)
    return [
        TraceCollector(progress=False),
        StateAbstraction(settings, save=False),
        InfluenceAnalysis(),
        RepairInjection(GuidedRepair(3, 4), SeriesEdits(), budget=2, rounds=1, **options),
        RepairReport(),
    ]


def fit(tmp_path, callbacks, data=None, module=None, **trainer):
    options = {"max_epochs": 2, "default_root_dir": tmp_path}
    trainer = quiet_trainer(callbacks=callbacks, **(options | trainer))
    module = module or SequenceClassifier(3, 2, hidden_size=8, optimizer=partial(Adam, lr=0.05))
    trainer.fit(module, datamodule=data or Steps(2, batch_size=50))
    return trainer


def test_chain_runs_in_a_plain_trainer(tmp_path):
    callbacks = chain()
    fit(tmp_path, callbacks)
    assert callbacks[-1].summary["injected"] > 0


class FirstWeights(pl.Callback):
    """Remembers the weights that every epoch begins with."""

    def __init__(self):
        self.of = []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if batch_idx == 0:
            weights = [p.detach().flatten().clone() for p in pl_module.parameters()]
            self.of.append(torch.cat(weights))


def test_a_new_network_is_new_in_a_program_of_ones_own(tmp_path, caplog):
    options = {"start_epoch": 2, "rounds": 1, "strategy": TrainOnAll(augments=False)}
    callbacks, first = repair_chain(**options, output_dir=str(tmp_path)), FirstWeights()
    fit(tmp_path, [*callbacks, first], max_epochs=4)
    assert torch.equal(first.of[0], first.of[2])
    assert not torch.equal(first.of[0], first.of[1])
    assert "raise max_epochs" not in caplog.text
    assert callbacks[-1].summary["stop_reason"] == "trained_anew"
    shorter = repair_chain(**options, output_dir=str(tmp_path / "shorter"))
    fit(tmp_path, shorter, max_epochs=3)
    assert "trained for 1 epochs, the unrepaired one for 2: raise max_epochs to 4" in caplog.text
    fresh = repair_chain(**options, output_dir=str(tmp_path / "without"))
    without = [c for c in fresh if type(c).__name__ != "FromScratch"]
    with pytest.raises(MisconfigurationException, match=r"give the trainer FromScratch\(\)"):
        fit(tmp_path, without, max_epochs=4)


@pytest.mark.parametrize("wanted", [False, True])
def test_bars_go_with_those_of_the_trainer(tmp_path, capsys, wanted):
    callbacks = chain()
    callbacks[0] = TraceCollector(Calendar(start=1, end=1))
    steps = Steps(2)
    steps.setup()
    batch = steps.fetch(torch.arange(300))
    data = ArrayDataModule(
        batch.inputs[:240], batch.label[:240], batch.inputs[240:], batch.label[240:]
    )
    fit(tmp_path, callbacks, data, Reader(), enable_progress_bar=wanted)
    shown = capsys.readouterr().err
    bars = ("Reading the data", "Collecting", "Judging candidates")
    assert [bar in shown for bar in bars] == [wanted] * 3


@pytest.mark.parametrize("missing", range(4))
def test_missing_callback_is_named(tmp_path, missing):
    callbacks = chain()
    name = type(callbacks.pop(missing)).__name__
    with pytest.raises(MisconfigurationException, match=rf"reads {name}.*has 0"):
        fit(tmp_path, callbacks)


def test_wrong_order_is_named(tmp_path):
    callbacks = chain()
    callbacks[1], callbacks[2] = callbacks[2], callbacks[1]
    with pytest.raises(MisconfigurationException, match="StateAbstraction, which stands after"):
        fit(tmp_path, callbacks)


class Twice(TraceCollector):
    """Analyses when its user says so."""

    def should_analyse(self, epoch):
        return epoch in {1, 4}


@pytest.mark.parametrize(
    ("collector", "epochs"),
    [
        (TraceCollector(Calendar(start=2, every=2), progress=False), [2, 4]),
        (TraceCollector(Calendar(start=3, end=3), progress=False), [3]),
        (TraceCollector(Calendar(start=9), progress=False), []),
        (Twice(progress=False), [1, 4]),
    ],
)
def test_the_whole_chain_follows_the_calendar_of_the_collector(tmp_path, collector, epochs):
    callbacks = chain()
    callbacks[0] = collector
    seen = {}
    for callback in callbacks:
        analyse, own = callback.analyse, seen.setdefault(type(callback).__name__, [])

        def watched(trainer, module, epoch, analyse=analyse, own=own):
            own.append(epoch)
            analyse(trainer, module, epoch)

        callback.analyse = watched
    fit(tmp_path, callbacks, max_epochs=5)
    assert list(seen.values()) == [epochs] * 5


def test_the_chain_comes_in_order_and_repairs(tmp_path):
    callbacks = repair_chain(
        start_epoch=1,
        rounds=1,
        strategy=GuidedRepair(3, 4),
        edit=SeriesEdits(),
        budget=2,
        settings=AbstractionSettings(n_components=4, fit_states=500),
        experiment="steps",
        output_dir=str(tmp_path / "out"),
    )
    fit(tmp_path, callbacks)
    summary = callbacks[-1].summary
    assert (summary["experiment"], summary["rounds"]) == ("steps", 1)
    assert summary["injected"] > 0
    assert (tmp_path / "out" / "report.html").is_file()
    assert (tmp_path / "out" / "ledger.csv").is_file()


def test_loaders_that_are_never_reloaded_are_refused(tmp_path):
    with pytest.raises(MisconfigurationException, match="reload_dataloaders_every_n_epochs=1"):
        fit(tmp_path, chain(), reload_dataloaders_every_n_epochs=0)


def test_loaders_that_are_never_reloaded_are_refused_for_controls_too(tmp_path):
    """Without repair the epochs grow all the same: comparisons are at equal steps."""
    callbacks = chain()
    callbacks[3] = RepairInjection(NoRepair(), SeriesEdits(), rounds=1)
    with pytest.raises(MisconfigurationException, match="reload_dataloaders_every_n_epochs=1"):
        fit(tmp_path, callbacks, reload_dataloaders_every_n_epochs=0)


def test_augmentation_as_an_alternative_needs_augmentation(tmp_path):
    callbacks = chain()
    callbacks[3] = RepairInjection(TrainOnAll(), SeriesEdits(), rounds=1)
    with pytest.raises(MisconfigurationException, match=r"Augmentation\(share"):
        fit(tmp_path, callbacks)


def test_checkpoint_before_injection_is_refused(tmp_path):
    from pytorch_lightning.callbacks import ModelCheckpoint

    early = ModelCheckpoint(tmp_path)
    with pytest.raises(MisconfigurationException, match="save_on_train_epoch_end=True"):
        fit(
            tmp_path,
            [*chain(), early],
            enable_checkpointing=True,
            check_val_every_n_epoch=2,
        )


def test_output_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(MisconfigurationException, match="set output_dir"):
        fit(tmp_path, chain(output_dir=str(tmp_path / "taken")))


def test_output_folder_of_studies_alone_is_refused_before_training(tmp_path):
    (tmp_path / "taken").write_text("a file")
    network = SequenceClassifier(3, 2, hidden_size=8)
    before = network.head.weight.clone()
    studies = StudyRunner([], output_dir=str(tmp_path / "taken"))
    with pytest.raises(MisconfigurationException, match="set output_dir"):
        fit(tmp_path, [studies], module=network)
    assert torch.equal(network.head.weight, before)


def test_a_trainer_of_the_package_lightning_is_told_what_to_import(tmp_path):
    trainer = type("Trainer", (), {"__module__": "lightning.pytorch.trainer.trainer"})
    with pytest.raises(MisconfigurationException, match="import pytorch_lightning as pl"):
        repairable_data(type("Own", (trainer,), {})())


class OneFeature(pl.LightningModule):
    """Reads (sequences, steps, 1)."""

    def __init__(self):
        super().__init__()
        self.gru, self.head = nn.GRU(1, 8, batch_first=True), nn.Linear(8, 2)

    def forward(self, x):
        return self.head(self.gru(x)[1][-1])

    def training_step(self, batch, _):
        return nn.functional.cross_entropy(self(batch[0]), batch[1])


def test_sequences_without_a_place_for_their_feature_are_told_to_get_one():
    x, y = torch.randn(90, 12), torch.arange(90) % 2
    with pytest.raises(ConfigurationError, match=r"reads one feature a step.*x\[\.\.\., None\]"):
        explain(OneFeature(), ArrayDataModule(x, y, progress=False))
    assert len(explain(OneFeature(), ArrayDataModule(x[..., None], y, progress=False)))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"strategy": "clean+guided"}, r"import CleanThen, GuidedRepair.*CleanThen\(GuidedRepair"),
        ({"strategy": "guided"}, r"strategy=GuidedRepair\(\)"),
        ({"strategy": GuidedRepair}, "got the class GuidedRepair"),
        ({"edit": SeriesEdits}, "got the class SeriesEdits"),
        ({"method": "similarity"}, "method: expected an object"),
    ],
)
def test_names_and_classes_are_no_objects(wrong, words):
    with pytest.raises(MisconfigurationException, match=words):
        repair_chain(start_epoch=2, **wrong)


@pytest.mark.parametrize("width", [2, 4])
def test_a_network_of_another_width_is_refused_before_training(tmp_path, width):
    with pytest.raises(ConfigurationError, match=f"{width} features a step.*set input_size=3"):
        fit(tmp_path, chain(), module=SequenceClassifier(width, 2, hidden_size=8))


def test_foreign_data_module_is_told_what_it_lacks(tmp_path):
    class Foreign(pl.LightningDataModule):
        def train_dataloader(self):
            return []

    with pytest.raises(MisconfigurationException, match=r"lacks.*apply"):
        fit(tmp_path, chain(), data=Foreign())


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"strategy": "none"}, r"import NoRepair.*strategy=NoRepair\(\)"),
        ({"strategy": "augment"}, "TrainOnAll"),
        ({"strategy": "magic"}, "GuidedRepair"),
        ({"edit": "series"}, r"SeriesEdits\(\)"),
    ],
)
def test_names_of_the_command_line_are_told_by_their_classes(options, told):
    with pytest.raises(MisconfigurationException, match=told):
        repair_chain(start_epoch=1, **options)


@pytest.mark.parametrize(("strategy", "epochs"), [(GuidedRepair(), 3), (NoRepair(), 2)])
def test_a_training_that_ends_where_repair_begins_is_refused(tmp_path, strategy, epochs):
    made = partial(repair_chain, start_epoch=2, rounds=1, edit=SeriesEdits(), strategy=strategy)
    if strategy.injects:
        with pytest.raises(MisconfigurationException, match=r"max_epochs to 3"):
            fit(tmp_path, made(output_dir=str(tmp_path)), max_epochs=2)
    fit(tmp_path, made(output_dir=str(tmp_path)), max_epochs=epochs)


def test_a_program_without_logging_is_told_how_its_network_is_read(tmp_path):
    program = (
        "import logging; from rnnrepair.callbacks.analysis import be_heard, log; "
        "be_heard(); be_heard(); log.info('Reads a network'); logging.basicConfig(); log.info('b')"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ran.stderr.splitlines() == ["Reads a network", "b"]


def test_module_without_recurrent_layer_is_refused(tmp_path):
    class Flat(pl.LightningModule):
        def __init__(self):
            super().__init__()
            self.head = nn.Linear(3, 2)

        def training_step(self, batch, batch_idx):
            raise AssertionError("must not train")

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), 0.1)

    with pytest.raises(ConfigurationError, match=r"Flat has no forward of its own.*call="):
        fit(tmp_path, chain(), module=Flat())


def test_a_second_fit_with_the_samples_of_the_first_is_refused(tmp_path):
    """A notebook's cell that is run twice once called a repaired network unrepaired."""
    data = Steps(2)
    fit(tmp_path, chain(), data=data)
    assert data.n_injected > 0
    with pytest.raises(MisconfigurationException, match="repair samples of an earlier fit"):
        fit(tmp_path, chain(), data=data)
    while data.n_injected:
        data.take_back()
    fit(tmp_path, chain(), data=data)


@pytest.mark.parametrize(
    ("edits", "error", "message"),
    [
        (None, MisconfigurationException, "no edits are given: repair_chain"),
        (
            ImageEdits(),
            ConfigurationError,
            "data are series: edits image is made for image",
        ),
        (TokenEdits(), ConfigurationError, "edits token is made for tokens"),
    ],
)
def test_no_edit_is_guessed_and_none_is_used_on_other_data(tmp_path, edits, error, message):
    callbacks = chain()
    callbacks[3] = RepairInjection(GuidedRepair(3, 4), edits, budget=2, rounds=1)
    with pytest.raises(error, match=message):
        fit(tmp_path, callbacks)


def test_nan_in_the_inputs_is_found_before_training(tmp_path):
    with pytest.raises(DataError, match="sample 7 holds NaN"):
        fit(tmp_path, chain(), data=NaNSteps(2))


def test_diverged_network_is_named_by_its_first_sequence(tmp_path):
    module = SequenceClassifier(3, 2, hidden_size=8)
    with torch.no_grad():
        module.rnn.weight_hh_l0[0, 0] = float("nan")
    with pytest.raises(NonFiniteError, match=r"hidden state of sequence \d+ .* step 0"):
        fit(tmp_path, chain(), module=module)


def test_several_devices_are_refused(tmp_path):
    # The child process wraps the error in one of its own.
    with pytest.raises(Exception, match=r"Trainer\(devices=1\)"):
        fit(tmp_path, chain(), devices=2, strategy="ddp_fork", use_distributed_sampler=False)


def test_a_trained_network_is_repaired_before_its_first_epoch(tmp_path):
    module = SequenceClassifier(3, 2, hidden_size=8, optimizer=partial(Adam, lr=0.05))
    fit(tmp_path, [], module=module)
    callbacks = chain()
    callbacks[0] = TraceCollector(Calendar(start=0, end=0), progress=False)
    trainer = fit(tmp_path, callbacks, module=module, max_epochs=1)
    injected = callbacks[-1].summary["injected"]
    assert injected > 0
    # 180 fit sequences and the injected ones, 50 a step: they were in the first epoch already.
    assert trainer.num_training_batches == -(-(180 + injected) // 50)


def test_every_callback_pickles_and_has_its_own_state_key(tmp_path):
    callbacks = [
        *chain(),
        EpochSeed(0),
        EpochTimer(),
        BaseCheckpoint(tmp_path / "x.ckpt", 1),
        TargetCurve("x", "none", 0),
    ]
    keys = [c.state_key for c in callbacks]
    assert len(set(keys)) == len(keys)
    for callback in callbacks:
        assert type(pickle.loads(pickle.dumps(callback))) is type(callback)
