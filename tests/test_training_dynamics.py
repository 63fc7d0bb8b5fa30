"""Dynamics recorded in real trainings equal those of logits that are written down by hand."""

from functools import partial

import pytest
import pytorch_lightning as pl
import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import nn
from torch.nn import functional
from torch.optim import Adam
from torch.utils.data import Dataset

from rnnrepair.abstraction import AbstractionSettings
from rnnrepair.callbacks import (
    InfluenceAnalysis,
    StateAbstraction,
    TraceCollector,
    TrainingDynamicsRecorder,
)
from rnnrepair.datamodules import Augmentation, DatasetDataModule
from rnnrepair.edits import SeriesEdits
from rnnrepair.errors import ConfigurationError
from rnnrepair.influence import AverageMargin, TrainingDynamics
from rnnrepair.models import SequenceClassifier
from rnnrepair.sequences import Changes
from tests.conftest import needs_bf16
from tests.quiet_trainer import quiet_trainer
from tests.test_dynamics import assert_same

N_EPOCHS = 3


class WritesDown(SequenceClassifier):
    """Writes down what it is trained on: index, logits and label of every step, by epoch."""

    def __init__(self, **options):
        super().__init__(4, 3, hidden_size=6, optimizer=partial(Adam, lr=0.05), **options)
        self.written = {}

    def loss(self, batch):
        logits = self.logits(batch)
        entry = (batch.index.clone(), logits.detach().float().clone(), batch.label.clone())
        self.written.setdefault(self.current_epoch, []).append(entry)
        return functional.cross_entropy(logits, batch.label)


def fit(module, data, callbacks, tmp_path, *, ckpt_path=None, **options):
    given = {"max_epochs": N_EPOCHS, "default_root_dir": tmp_path}
    trainer = quiet_trainer(callbacks=callbacks, **(given | options))
    trainer.fit(module, datamodule=data, ckpt_path=ckpt_path, weights_only=True)
    return trainer


def counted(written, n_samples):
    """Dynamics of what was written down, batch by batch."""
    dynamics = TrainingDynamics(n_samples)
    for epoch in sorted(written):
        for batch in written[epoch]:
            dynamics.update(*batch)
        dynamics.end_epoch()
    return dynamics


class Trains(pl.Callback):
    """Changes the data when an epoch has ended."""

    def __init__(self, epoch, change):
        self.epoch, self.change = epoch, change

    def on_train_epoch_end(self, trainer, pl_module):
        if trainer.current_epoch == self.epoch:
            self.change(trainer.datamodule)


@pytest.mark.parametrize(
    ("options", "network"),
    [
        ({}, {}),
        ({"accumulate_grad_batches": 3}, {}),
        ({"gradient_clip_val": 0.1}, {}),
        pytest.param({"precision": "bf16-mixed"}, {}, marks=needs_bf16),
        ({"val_check_interval": 2}, {"dropout": 0.3}),
        ({"limit_train_batches": 2}, {}),
    ],
    ids=["plain", "accumulated", "clipped", "bf16", "validated within", "few batches"],
)
def test_what_is_recorded_is_what_training_computed(make_data, tmp_path, options, network):
    data, recorder = make_data(), TrainingDynamicsRecorder()
    module = WritesDown(**network)
    fit(module, data, [recorder], tmp_path, **options)
    expected = counted(module.written, 120)
    assert_same(recorder.dynamics, expected)
    shown = torch.zeros(120, dtype=torch.bool)
    shown[data.indices("fit")] = True
    if "limit_train_batches" not in options:
        assert torch.equal(recorder.dynamics.epochs > 0, shown)
        assert int(recorder.dynamics.epochs.max()) == N_EPOCHS
    assert not any(part._forward_hooks for part in module.modules())


def test_recording_changes_nothing_of_the_training(make_data, tmp_path):
    found = []
    for callbacks in ([], [TrainingDynamicsRecorder()]):
        pl.seed_everything(3, verbose=False)
        module = WritesDown(dropout=0.4)
        fit(module, make_data(), callbacks, tmp_path)
        found.append([p.detach().clone() for p in module.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_originals_alone_are_counted_augmented_as_they_are_trained_on(make_data, tmp_path):
    edits = SeriesEdits(magnitude=(0.5, 1.5), noise=0.3)
    data = make_data(augmentation=Augmentation(0.7, edits))
    parent = data.indices("fit")[:5]

    def inject(data):
        batch = data.fetch(parent)
        data.apply(Changes(batch.inputs + 1, batch.lengths, batch.label, origin=parent))

    recorder, module = TrainingDynamicsRecorder(), WritesDown()
    fit(module, data, [Trains(0, inject), recorder], tmp_path)
    assert max(int(index.max()) for index, *_ in module.written[1]) >= 120
    assert len(recorder.dynamics) == 120
    assert_same(recorder.dynamics, counted(module.written, 120))


def test_a_label_that_a_repair_changes_begins_anew(make_data, tmp_path):
    data = make_data()
    one = data.indices("fit")[4:5]

    def relabel(data):
        data.apply(Changes(relabelled=one, new_label=(data.fetch(one).label + 1) % 3))

    recorder = TrainingDynamicsRecorder()
    fit(WritesDown(), data, [recorder, Trains(0, relabel)], tmp_path)
    dynamics, index = recorder.dynamics, data.indices("fit")
    assert dynamics.epochs[one].tolist() == [N_EPOCHS - 1]
    assert dynamics.epochs[index].sum() == N_EPOCHS * len(index) - 1
    assert torch.equal(dynamics.label[index].long(), data.fetch(index).label)


@pytest.mark.parametrize("at_end", [True, False], ids=["end of epoch", "validation before it"])
def test_a_resumed_training_has_the_dynamics_of_one_that_ran_through(make_data, tmp_path, at_end):
    def run(**options):
        pl.seed_everything(1, verbose=False)
        recorder = TrainingDynamicsRecorder()
        keeper = ModelCheckpoint(tmp_path, "{epoch}", save_top_k=-1, save_on_train_epoch_end=at_end)
        module = SequenceClassifier(4, 3, hidden_size=6, optimizer=partial(Adam, lr=0.05))
        callbacks = [recorder, keeper]
        fit(module, make_data(), callbacks, tmp_path, enable_checkpointing=True, **options)
        return recorder.dynamics

    whole = run()
    assert whole.n_epochs == N_EPOCHS
    for stop in range(N_EPOCHS - 1):
        path = tmp_path / f"epoch={stop}.ckpt"
        saved = torch.load(path, weights_only=True)["callbacks"]["TrainingDynamicsRecorder"]
        assert (saved["n_epochs"], "_seen" in saved) == (stop + at_end, not at_end)
        assert_same(run(ckpt_path=path), whole)


class PowerCut(pl.Callback):
    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if (trainer.current_epoch, batch_idx) == (1, 2):
            raise RuntimeError("power cut")


def test_a_second_fit_knows_nothing_of_one_that_was_broken_off(make_data, tmp_path):
    recorder = TrainingDynamicsRecorder()
    with pytest.raises(RuntimeError, match="power cut"):
        fit(WritesDown(), make_data(), [recorder, PowerCut()], tmp_path)
    module = WritesDown()
    fit(module, make_data(), [recorder], tmp_path)
    assert_same(recorder.dynamics, counted(module.written, 120))
    assert not any(part._forward_hooks for part in module.modules())


def test_a_checkpoint_without_dynamics_is_told(make_data, tmp_path, caplog):
    path = tmp_path / "old.ckpt"
    fit(WritesDown(), make_data(), [], tmp_path, max_epochs=1).save_checkpoint(path)
    recorder = TrainingDynamicsRecorder()
    fit(WritesDown(), make_data(), [recorder], tmp_path, ckpt_path=path)
    assert "begin after 1 epochs" in caplog.text
    assert recorder.dynamics.n_epochs == N_EPOCHS - 1


class Pairs(Dataset):
    """Items (sequence, number, label); a batch tells no index, the number stands for it."""

    def __init__(self, n):
        g = torch.Generator().manual_seed(2)
        self.x = torch.rand(n, 6, 4, generator=g)
        self.y = torch.arange(n) % 3
        self.x += 0.4 * functional.one_hot(self.y, 4)[:, None]

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        return self.x[i], int(self.y[i])


class Foreign(pl.LightningModule):
    """A network as a user writes it; writes down inputs and logits."""

    def __init__(self):
        super().__init__()
        self.encoder, self.out = nn.GRU(4, 6, batch_first=True), nn.Linear(6, 3)
        self.written = {}

    def forward(self, x):
        return {"scores": self.out(self.encoder(x)[1][-1]).log_softmax(-1)}

    def training_step(self, batch, batch_idx):
        x, y = batch
        scores = self(x)["scores"]
        self.written.setdefault(self.current_epoch, []).append((x, scores.detach().clone(), y))
        return functional.nll_loss(scores, y)

    def configure_optimizers(self):
        return Adam(self.parameters(), lr=0.05)


class Silent(Foreign):
    """Its answers come out of no call that a hook sees."""

    def training_step(self, batch, batch_idx):
        x, y = batch
        state = self.encoder(x)[1][-1]
        return functional.cross_entropy(state @ self.out.weight.T + self.out.bias, y)


@pytest.mark.parametrize("loading", [{}, {"num_workers": 2}], ids=["at once", "workers"])
@pytest.mark.parametrize("relabels", [False, True])
def test_batches_of_the_users_form_are_known_by_how_they_were_drawn(tmp_path, loading, relabels):
    items = Pairs(60)
    data = DatasetDataModule(
        items, Pairs(12), batch_size=8, loading=loading, repair_share=0.1, progress=False
    )
    data.setup()
    recorder, module = TrainingDynamicsRecorder(), Foreign()
    one = data.indices("fit")[3:4]

    def relabel(data):
        if relabels:
            data.apply(Changes(relabelled=one, new_label=(data.fetch(one).label + 1) % 3))

    fit(module, data, [recorder, Trains(0, relabel)], tmp_path)
    written = {}
    for epoch, batches in module.written.items():
        # Sequences are all different: they say which items they are.
        found = [(x.flatten(1)[:, None] == items.x.flatten(1)).all(2).int() for x, *_ in batches]
        assert all((match.sum(1) == 1).all() for match in found)
        written[epoch] = [
            (match.argmax(1), scores, y)
            for match, (_, scores, y) in zip(found, batches, strict=True)
        ]
    assert_same(recorder.dynamics, counted(written, 72))
    assert recorder.dynamics.epochs[one].tolist() == [N_EPOCHS - relabels]


def test_a_resumed_training_with_workers_knows_its_batches(tmp_path):
    def run(**options):
        pl.seed_everything(1, verbose=False)
        data = DatasetDataModule(
            Pairs(60), Pairs(12), batch_size=8, loading={"num_workers": 1}, progress=False
        )
        recorder = TrainingDynamicsRecorder()
        return recorder, fit(Foreign(), data, [recorder], tmp_path, **options)

    whole, _ = run()
    path = tmp_path / "stopped.ckpt"
    _, trainer = run(max_epochs=2)
    trainer.save_checkpoint(path)
    resumed, _ = run(ckpt_path=path)
    assert_same(resumed.dynamics, whole.dynamics)


def analysed(method):
    settings = AbstractionSettings(n_components=4, fit_states=100)
    return [
        TrainingDynamicsRecorder(),
        TraceCollector(progress=False),
        StateAbstraction(settings, save=False),
        InfluenceAnalysis(method),
    ]


def test_answers_that_cannot_be_seen_are_told_before_training(tmp_path, caplog):
    data = partial(DatasetDataModule, Pairs(60), Pairs(12), batch_size=8, progress=False)
    recorder = TrainingDynamicsRecorder()
    fit(Silent(), data(), [recorder], tmp_path)
    assert recorder.dynamics is None
    assert caplog.text.count("not recorded") == 1
    assert "training_step" in caplog.text
    with pytest.raises(ConfigurationError, match=r"average_margin.*training_step"):
        fit(Silent(), data(), analysed(AverageMargin()), tmp_path)


def test_batches_whose_samples_nobody_knows_are_told(tmp_path, caplog):
    data = DatasetDataModule(
        Pairs(60),
        Pairs(12),
        batch_size=8,
        loading={"in_order": False, "num_workers": 1},
        progress=False,
    )
    recorder = TrainingDynamicsRecorder()
    fit(Foreign(), data, [recorder], tmp_path, max_epochs=1)
    assert recorder.dynamics is None
    assert "do not tell which samples" in caplog.text


class Leaves(WritesDown):
    """Leaves out the first sequence of some batches."""

    def loss(self, batch):
        return super().loss(batch.rows(slice(len(batch) % 16 == 0, None)))


def test_steps_that_leave_samples_out_are_told_and_not_counted(make_data, tmp_path, caplog):
    data = make_data()
    recorder, module = TrainingDynamicsRecorder(), Leaves()
    fit(module, data, [recorder], tmp_path)
    whole = {
        epoch: [batch for batch in batches if len(batch[0]) != 15]
        for epoch, batches in module.written.items()
    }
    assert_same(recorder.dynamics, counted(whole, 120))
    assert caplog.text.count("leave") == 1


def test_methods_that_read_dynamics_want_a_recorder_before_them(make_data, tmp_path):
    chain = analysed(AverageMargin())
    with pytest.raises(MisconfigurationException, match="TrainingDynamicsRecorder"):
        fit(WritesDown(), make_data(), chain[1:], tmp_path)
    with pytest.raises(MisconfigurationException, match="recorder first"):
        fit(WritesDown(), make_data(), [chain[1], chain[0], *chain[2:]], tmp_path)


def test_the_influence_of_an_analysed_epoch_is_that_of_its_dynamics(make_data, tmp_path):
    data, chain = make_data(repair_share=0.4), analysed(AverageMargin())
    module = WritesDown()
    fit(module, data, chain, tmp_path)
    evidence = chain[-1].evidence
    margin = counted(module.written, 120).margin
    nearest = evidence.nearest.index
    concerned = torch.isin(
        data.fetch(data.indices("fit")).label, evidence.failures.label[:1]
    ) | torch.isin(data.fetch(data.indices("fit")).label, evidence.failures.final_prediction[:1])
    lowest = margin[data.indices("fit")[concerned]].min()
    assert margin[nearest[0, 0]] == lowest
