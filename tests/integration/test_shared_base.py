"""Runs that differ in what comes after the base training share it, and no others do."""

from pathlib import Path

import pytest
import torch

from rnnrepair.callbacks.launch import plan_epochs
from rnnrepair.callbacks.launch.shared_base import base_fingerprint
from rnnrepair.errors import IncompatibleCheckpointError
from rnnrepair.models import SequenceClassifier
from rnnrepair.network import TracedNetwork
from rnnrepair.record import RunRecord
from tests.integration.conftest import dynamics_of, same_dynamics, train, weights


def base_name(cfg):
    plan_epochs(cfg, steps_per_epoch=16)
    return base_fingerprint(cfg, "data", SequenceClassifier())


class Own(SequenceClassifier):
    """A network of a user, whose rate may fall until the last epoch."""


def test_a_network_of_ones_own_shares_the_base_with_runs_of_as_many_epochs(quick):
    def name(model, *overrides):
        cfg = quick(*overrides)
        plan_epochs(cfg, steps_per_epoch=16)
        return base_fingerprint(cfg, "data", model)

    longer = ("repair.rounds=7",)
    assert name(SequenceClassifier()) == name(SequenceClassifier(), *longer)
    assert name(Own()) != name(Own(), *longer)
    assert name(Own()) == name(Own(), "repair.strategy=failures")


def test_arms_of_one_seed_share_the_base_training(quick, tmp_path):
    first, one = train(quick("repair.strategy=random", folder="random"))
    assert len(list((tmp_path / "cache" / "base").glob("*.ckpt"))) == 1
    second, other = train(quick("repair.strategy=failures", folder="failures"))
    assert len(list((tmp_path / "cache" / "base").glob("*.ckpt"))) == 1
    assert second["before"] == first["before"]
    assert len(other["callbacks"]) == len(one["callbacks"])
    # Equal budgets: every strategy that injects gets the same number of samples.
    assert second["injected"] == first["injected"] > 0


def test_run_from_the_shared_base_equals_the_run_that_made_it(quick):
    _, made = train(quick(folder="made"))
    _, reused = train(quick(folder="reused"))
    assert torch.equal(weights(made["model"]), weights(reused["model"]))
    assert same_dynamics(made, reused)
    n_epochs = dynamics_of(made)["n_epochs"]
    saved = torch.load(base_of(quick(folder="reused")), weights_only=True)
    assert saved["callbacks"]["TrainingDynamicsRecorder"]["n_epochs"] == 3 < n_epochs


def base_of(cfg):
    return Path(cfg.paths.output_dir) / "checkpoints" / "base.ckpt"


def test_every_run_keeps_its_unrepaired_network(quick, tmp_path):
    made, reused, alone = (quick(folder=name) for name in ("made", "reused", "alone"))
    alone.schedule.share_base = False
    for cfg in (made, reused, alone):
        _, objects = train(cfg)
        model, data = objects["model"], objects["datamodule"]
        saved = torch.load(base_of(cfg), weights_only=True)["state_dict"]
        assert not all(torch.equal(saved[n], w) for n, w in model.state_dict().items())
        model.load_state_dict(saved)
        network = TracedNetwork.of(model, data.spec)
        network.verify(data.fetch(data.indices("fit")[:50]))
        answers = RunRecord.load(Path(cfg.paths.output_dir)).repair.answers["test"]
        said = network.predict(data.loader("test"))
        assert torch.equal(said.predicted, answers.before)
    # A sweep holds its base once, under as many names as it has runs.
    (shared,) = (tmp_path / "cache" / "base").glob("*.ckpt")
    assert base_of(made).samefile(shared)
    assert base_of(reused).samefile(shared)
    assert not base_of(alone).samefile(shared)


def test_a_base_is_copied_where_it_cannot_be_linked(quick, monkeypatch):
    def refuse(*_):
        raise OSError("another file system")

    monkeypatch.setattr("os.link", refuse)
    made, reused = quick(folder="made"), quick(folder="reused")
    train(made)
    train(reused)
    assert base_of(made).read_bytes() == base_of(reused).read_bytes()
    assert not base_of(made).samefile(base_of(reused))


def test_a_run_that_goes_on_elsewhere_keeps_the_unrepaired_network(quick, caplog):
    first = quick("trainer.max_epochs=4", folder="first")
    train(first)
    last = base_of(first).with_name("last.ckpt")
    onward = quick(f"ckpt_path='{last}'", folder="second")
    train(onward)
    assert base_of(onward).samefile(base_of(first))
    base_of(first).unlink()
    train(quick(f"ckpt_path='{last}'", folder="third"))
    assert "There will be no" in caplog.text


@pytest.mark.parametrize(
    "override",
    [
        "model.optimizer.lr=0.02",
        "model.scheduler=null",
        "+model.scheduler.extra=1",
        "callbacks.epoch_seed.seed=9",
        "datamodule.batch_size=100",
        "datamodule.seed=9",
        "+datamodule.bucket_batches=1",
        "seed=9",
        "schedule.base_epochs=4",
        "trainer.gradient_clip_val=1.0",
        "augmentation.share=0.5",
        "edits.image.rotation=5",
        "augmentation.edit=image_wide",
        "+callbacks.own._target_=rnnrepair.callbacks.EpochTimer",
        "~callbacks.training_dynamics",
    ],
)
def test_what_changes_the_base_changes_its_name(quick, override):
    assert base_name(quick(override)) != base_name(quick())


@pytest.mark.parametrize(
    "override",
    [
        "repair.strategy=none",
        "repair.strategy=augment",
        "repair.edit=image_wide",
        "repair.rounds=5",
        "schedule.final_epochs=2",
        "schedule.final_factor=0.5",
        "schedule.round_factor=0.5",
        "abstraction.n_components=7",
        "influence.top=3",
        "name=other",
    ],
)
def test_what_follows_the_base_keeps_its_name(quick, override):
    assert base_name(quick(override)) == base_name(quick())


def test_edits_that_nobody_draws_do_not_change_the_base(quick):
    none = "augmentation.share=0"
    assert base_name(quick(none)) == base_name(quick(none, "edits.image.rotation=5"))


def test_another_learning_rate_gets_another_base(quick, tmp_path):
    train(quick(folder="one"))
    train(quick("model.optimizer.lr=0.02", folder="two"))
    assert len(list((tmp_path / "cache" / "base").glob("*.ckpt"))) == 2


def test_a_damaged_base_is_made_anew(quick, tmp_path, caplog):
    _, made = train(quick(folder="made"))
    (shared,) = (tmp_path / "cache" / "base").glob("*.ckpt")
    shared.unlink()  # the first run keeps its own
    shared.write_bytes(b"half a checkpoint")
    _, again = train(quick(folder="again"))
    assert "is damaged" in caplog.text
    assert torch.equal(weights(made["model"]), weights(again["model"]))
    assert torch.load(shared, weights_only=True)["state_dict"]


def test_a_checkpoint_of_another_network_is_refused_before_training(quick, tmp_path):
    train(quick("repair.strategy=none", folder="one"))
    last = tmp_path / "one" / "checkpoints" / "last.ckpt"
    other = quick(f"ckpt_path={last}", "model.hidden_size=7", folder="other")
    with pytest.raises(IncompatibleCheckpointError, match=r"model\.hidden_size=7 \(it had 24\)"):
        train(other)
    last.write_bytes(b"half a checkpoint")
    with pytest.raises(IncompatibleCheckpointError, match="missing or damaged"):
        train(quick(f"ckpt_path={last}", folder="more"))
