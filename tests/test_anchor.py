"""Trainings with an anchor equal loops that are written out, and leave all else alone."""

import copy
from functools import partial

import pytest
import pytorch_lightning as pl
import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.plugins.precision import MixedPrecision
from torch import nn
from torch.nn.functional import cross_entropy, nll_loss
from torch.optim import LBFGS, SGD

from rnnrepair.callbacks import Anchor, BaseCheckpoint, FromScratch, RepairInjection
from rnnrepair.datamodules import Augmentation, DatasetDataModule
from rnnrepair.edits import SeriesEdits
from rnnrepair.errors import SettingsError
from rnnrepair.models import SequenceClassifier
from rnnrepair.repair import CleanLabels, CleanThen, FailureRepair, TrainOnAll, anchor_term
from rnnrepair.sequences import Changes
from tests.conftest import needs_bf16
from tests.test_training_dynamics import Foreign, Leaves, Pairs, Silent, Trains, fit

RATE, WEIGHT, BASE = 0.3, 0.7, 1


class WritesDown(SequenceClassifier):
    """Writes down the batches of every epoch, and its weights as the epoch begins."""

    def __init__(self, **options):
        given = {"hidden_size": 6, "optimizer": partial(SGD, lr=RATE)} | options
        super().__init__(4, 3, **given)
        self.batches, self.begins = {}, {}

    def on_train_epoch_start(self):
        self.begins[self.current_epoch] = copy.deepcopy(self.state_dict())

    def training_step(self, batch, batch_idx):
        self.batches.setdefault(self.current_epoch, []).append(copy.deepcopy(batch))
        return cross_entropy(self.logits(batch), batch.label)


def anchored(tmp_path, *more, weight=WEIGHT):
    return [BaseCheckpoint(tmp_path / "base.ckpt", BASE), Anchor(weight), *more]


def seeded(**options):
    torch.manual_seed(4)
    return WritesDown(**options)


def network_with(weights, like):
    module = WritesDown(hidden_size=like.hparams.get("hidden_size", 6))
    module.load_state_dict(weights)
    return module.eval()


def divergence(now, base):
    """The sum over classes, written out."""
    p, q = base.softmax(-1), now.softmax(-1)
    return (p * (p.log() - q.log())).sum(-1)


def by_loop(module, is_anchored, *, accumulate=1, clip=None, weight=WEIGHT, epochs=(1, 2)):
    """Train as the trainer did after the base, by the batches that it was given; return weights."""
    unrepaired = network_with(module.begins[BASE], module)
    ours = network_with(module.begins[BASE], module).train()
    optimizer = SGD(ours.parameters(), lr=RATE)
    for epoch in epochs:
        batches = module.batches[epoch]
        for number, batch in enumerate(batches, 1):
            logits = ours.logits(batch)
            with torch.no_grad():
                base = unrepaired.logits(batch)
            far = divergence(logits, base)
            loss = cross_entropy(logits, batch.label)
            for row, index in enumerate(batch.index.tolist()):
                if is_anchored(index):
                    loss = loss + weight * far[row] / len(batch.index)
            (loss / accumulate).backward()
            if number % accumulate == 0 or number == len(batches):
                if clip is not None:
                    nn.utils.clip_grad_norm_(ours.parameters(), clip)
                optimizer.step()
                optimizer.zero_grad()
    return ours.state_dict()


def assert_near(module, expected, tolerance=2e-6):
    for name, value in module.state_dict().items():
        torch.testing.assert_close(value, expected[name], rtol=tolerance, atol=tolerance)


def test_the_term_is_the_divergence_written_out():
    torch.manual_seed(0)
    now, base = torch.randn(5, 3, dtype=torch.float64), torch.randn(5, 3)
    expected = divergence(now, base.double()).sum() / 8
    torch.testing.assert_close(anchor_term(now, base, 8).double(), expected, rtol=1e-5, atol=1e-6)
    assert float(anchor_term(base, base + 3, 8)) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("options", "oracle"),
    [
        ({}, {}),
        ({"accumulate_grad_batches": 3}, {"accumulate": 3}),
        ({"gradient_clip_val": 0.05}, {"clip": 0.05}),
    ],
    ids=["plain", "accumulated", "clipped"],
)
def test_training_is_that_of_a_loop(make_data, tmp_path, options, oracle):
    data, module = make_data(), seeded()
    fit(module, data, anchored(tmp_path), tmp_path, **options)
    fit_index = set(data.indices("fit").tolist())
    assert_near(module, by_loop(module, fit_index.__contains__, **oracle))
    # The tolerance tells it from training without an anchor, and with a weaker one.
    for other in (0, 0.9 * WEIGHT):
        with pytest.raises(AssertionError):
            assert_near(module, by_loop(module, fit_index.__contains__, weight=other, **oracle))
    assert not any(part._forward_hooks for part in module.modules())


def test_edited_samples_are_asked_about_as_they_are_trained_on(make_data, tmp_path):
    edits = SeriesEdits(magnitude=(0.5, 1.5), noise=0.3)
    data, module = make_data(augmentation=Augmentation(0.7, edits)), seeded()
    fit(module, data, anchored(tmp_path), tmp_path)
    index = torch.cat([b.index for b in module.batches[1]])
    inputs = torch.cat([b.inputs.flatten(1).sum(1) for b in module.batches[1]])
    assert not torch.allclose(inputs, data.fetch(index).inputs.flatten(1).sum(1))
    assert_near(module, by_loop(module, set(data.indices("fit").tolist()).__contains__))


def test_what_is_new_to_the_unrepaired_network_is_not_anchored(make_data, tmp_path):
    data = make_data()
    parent = data.indices("fit")[:20]

    def inject(data):
        batch = data.fetch(parent)
        data.apply(Changes(batch.inputs + 1, batch.lengths, batch.label, origin=parent))
        data.train_on(("fit", "repair"), 60)

    module = seeded()
    fit(module, data, anchored(tmp_path, Trains(0, inject)), tmp_path)
    trained_on = {i for batch in module.batches[1] for i in batch.index.tolist()}
    originals = set(data.indices("fit").tolist())
    assert trained_on & set(data.indices("repair").tolist())
    assert max(trained_on) >= 120
    assert_near(module, by_loop(module, originals.__contains__))
    with pytest.raises(AssertionError):
        assert_near(module, by_loop(module, lambda index: True))


def test_the_loss_is_scaled_as_lightning_scales_it(make_data, tmp_path):
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, growth_interval=1000)
    plugin = MixedPrecision("bf16-mixed", "cpu")
    # As for float16, whose autocast a CPU does not have for all layers.
    plugin.precision, plugin.scaler = "16-mixed", scaler
    plugin.autocast_context_manager = lambda: torch.autocast("cpu", enabled=False)
    data, module = make_data(), seeded()
    fit(module, data, anchored(tmp_path), tmp_path, plugins=[plugin])
    assert scaler.get_scale() == 1024
    assert_near(module, by_loop(module, set(data.indices("fit").tolist()).__contains__))


@needs_bf16
def test_training_in_mixed_precision_is_near_that_in_full(make_data, tmp_path):
    found = []
    for precision in ("32-true", "bf16-mixed"):
        module = seeded()
        folder = tmp_path / precision
        fit(module, make_data(), anchored(folder), folder, precision=precision)
        found.append(torch.cat([p.detach().flatten() for p in module.parameters()]))
    assert (found[0] - found[1]).norm() < 0.03 * found[0].norm()
    assert not torch.equal(*found)


@pytest.mark.parametrize("augmentation", [None, Augmentation(0.7, SeriesEdits(noise=0.3))])
def test_no_anchor_and_one_of_no_weight_are_the_same_bit_for_bit(make_data, tmp_path, augmentation):
    found = []
    for name, callbacks in {
        "none": lambda folder: anchored(folder)[:1],
        "zero": lambda folder: anchored(folder, weight=0.0),
        # What it asks of the unrepaired network draws no random numbers.
        "tiny": lambda folder: anchored(folder, weight=1e-30),
    }.items():
        pl.seed_everything(3, verbose=False)
        module = seeded(dropout=0.4)
        data = make_data(augmentation=augmentation)
        fit(module, data, callbacks(tmp_path / name), tmp_path / name)
        found.append(module.state_dict())
    for other in found[1:]:
        assert all(torch.equal(value, other[name]) for name, value in found[0].items())


def test_a_network_is_held_nearer_the_stronger_the_anchor(make_data, tmp_path):
    far = []
    for weight in (0.0, 1.0, 10.0):
        module = seeded(optimizer=partial(SGD, lr=0.1))
        data, folder = make_data(), tmp_path / str(weight)
        fit(module, data, anchored(folder, weight=weight), folder, max_epochs=6)
        batch = data.fetch(data.indices("fit"))
        base = network_with(module.begins[BASE], module)
        with torch.no_grad():
            far.append(float(divergence(module.eval().logits(batch), base.logits(batch)).mean()))
    assert far[0] > 1.3 * far[1] > 2 * far[2] > 0


class Plain(Foreign):
    """Batches and outputs are of the user's own form; keeps its weights as an epoch begins."""

    def __init__(self):
        super().__init__()
        self.begins = {}

    def on_train_epoch_start(self):
        self.begins[self.current_epoch] = copy.deepcopy(self.state_dict())

    def configure_optimizers(self):
        return SGD(self.parameters(), lr=RATE)


def test_batches_and_networks_of_the_users_own_are_anchored(tmp_path):
    torch.manual_seed(5)
    data, module = DatasetDataModule(Pairs(60), Pairs(12), batch_size=8, progress=False), Plain()
    fit(module, data, anchored(tmp_path), tmp_path)
    base, ours = Plain(), Plain()
    base.load_state_dict(module.begins[BASE])
    ours.load_state_dict(module.begins[BASE])
    optimizer = SGD(ours.parameters(), lr=RATE)
    for epoch in (1, 2):
        for x, _, y in module.written[epoch]:
            now = ours(x)["scores"]
            far = divergence(now, base(x)["scores"].detach())
            (nll_loss(now, y) + WEIGHT * far.mean()).backward()
            optimizer.step()
            optimizer.zero_grad()
    assert_near(module, ours.state_dict())


class Broken(pl.Callback):
    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if (trainer.current_epoch, batch_idx) == (2, 1):
            raise RuntimeError("power cut")


@pytest.mark.parametrize("augmentation", [None, Augmentation(0.7, SeriesEdits(noise=0.3))])
def test_resumed_is_uninterrupted(make_data, tmp_path, augmentation):
    def make():
        return make_data(augmentation=augmentation), seeded()

    def callbacks():
        last = pl.callbacks.ModelCheckpoint(
            tmp_path, filename="last", save_on_train_epoch_end=True, enable_version_counter=False
        )
        return anchored(tmp_path, last)

    data, whole = make()
    fit(whole, data, callbacks(), tmp_path, enable_checkpointing=True)
    data, module = make()
    with pytest.raises(RuntimeError, match="power cut"):
        fit(module, data, [*callbacks(), Broken()], tmp_path, enable_checkpointing=True)
    data, resumed = make()
    last = tmp_path / "last.ckpt"
    fit(resumed, data, callbacks(), tmp_path, ckpt_path=last, enable_checkpointing=True)
    assert list(resumed.batches) == [2]
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name])
    (tmp_path / "base.ckpt").unlink()
    with pytest.raises(MisconfigurationException, match=r"anchor needs .*base\.ckpt"):
        fit(
            *(seeded(), make()[0], callbacks(), tmp_path),
            ckpt_path=last,
            enable_checkpointing=True,
            max_epochs=4,
        )


class Manual(WritesDown):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False


@pytest.mark.parametrize(
    ("module", "more", "match"),
    [
        (Manual, (), "automatic_optimization"),
        (WritesDown, (FromScratch(every_round=True),), "from scratch"),
        (WritesDown, (RepairInjection(TrainOnAll(), None),), "from scratch"),
        (
            WritesDown,
            (RepairInjection(CleanThen(FailureRepair(), CleanLabels("relabel")), None),),
            "relabels",
        ),
        (partial(WritesDown, optimizer=partial(LBFGS, max_iter=3)), (), "LBFGS"),
    ],
    ids=["manual", "every round", "anew", "relabels", "several answers"],
)
def test_what_cannot_be_anchored_is_refused(make_data, tmp_path, module, more, match):
    if more:  # asked by itself: others refuse the trainer for reasons of their own
        trainer = pl.Trainer(callbacks=anchored(tmp_path, *more), logger=False)
        with pytest.raises(MisconfigurationException, match=match):
            trainer.callbacks[1].setup(trainer, module(), "fit")
        return
    with pytest.raises(MisconfigurationException, match=match):
        fit(module(), make_data(), anchored(tmp_path), tmp_path)


def test_a_base_that_nobody_keeps_is_refused(make_data, tmp_path):
    with pytest.raises(MisconfigurationException, match="BaseCheckpoint"):
        fit(seeded(), make_data(), [Anchor(1.0)], tmp_path)


def test_steps_that_show_no_answers_are_refused(make_data, tmp_path):
    data = DatasetDataModule(Pairs(60), Pairs(12), batch_size=8, progress=False)
    with pytest.raises(MisconfigurationException, match=r"anchor needs .*training_step"):
        fit(Silent(), data, anchored(tmp_path), tmp_path)
    # Some steps alone: told when one comes, not left out.
    with pytest.raises(MisconfigurationException, match="no answers to its samples"):
        fit(Leaves(), make_data(), anchored(tmp_path), tmp_path)


def test_edited_batches_of_the_users_own_form_are_refused(tmp_path):
    edits = Augmentation(0.5, SeriesEdits(noise=0.3))
    data = DatasetDataModule(Pairs(60), Pairs(12), batch_size=8, progress=False, augmentation=edits)
    with pytest.raises(MisconfigurationException, match="without augmentation"):
        fit(Plain(), data, anchored(tmp_path), tmp_path)


@pytest.mark.parametrize("weight", [-0.1, float("nan"), "strong"])
def test_a_weight_that_is_none_is_refused(weight):
    with pytest.raises(SettingsError, match="weight"):
        Anchor(weight)
