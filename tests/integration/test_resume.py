"""A run that was stopped and continued ends where an uninterrupted run ends."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest
import torch
from pytorch_lightning import Callback

from rnnrepair.repair import ledger_of, read_ledger
from tests.integration.conftest import QUICK, ROOT, dynamics_of, same_dynamics, train, weights


class Crash(Callback):
    def __init__(self, epoch, batch):
        self.epoch, self.batch = epoch, batch

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if trainer.current_epoch == self.epoch and batch_idx == self.batch:
            raise RuntimeError("power cut")


# In epoch 1 nothing is injected yet, in 3 one round is, in 5 both are. What pattern has found in
# the first round it knows in the second.
@pytest.mark.parametrize(("strategy", "epochs"), [("guided", (1, 3, 5)), ("pattern", (3,))])
def test_resumed_run_equals_uninterrupted(quick, strategy, epochs):
    options = ("model.dropout=0.2", "schedule.share_base=false", f"repair.strategy={strategy}")

    def folder_of(name):
        return Path(quick(folder=name).paths.output_dir)

    _, whole = train(quick(*options, folder="whole"))
    assert dynamics_of(whole)["n_epochs"] == 6
    ledger = read_ledger(folder_of("whole") / "ledger.csv")
    for epoch in epochs:
        with pytest.raises(RuntimeError, match="power cut"):
            train(quick(*options, folder=f"broken{epoch}"), Crash(epoch, 3))
        checkpoint = folder_of(f"broken{epoch}") / "checkpoints" / "last.ckpt"
        name = f"resumed{epoch}"
        summary, resumed = train(quick(*options, f"ckpt_path='{checkpoint}'", folder=name))
        assert torch.equal(weights(whole["model"]), weights(resumed["model"])), epoch
        assert same_dynamics(whole, resumed), epoch
        assert read_ledger(folder_of(name) / "ledger.csv") == ledger, epoch
        assert len(ledger) == summary["injected"] > 0


def test_going_on_with_a_run_that_has_ended_says_that_nothing_is_left(quick, caplog):
    cfg = quick("schedule.share_base=false", folder="ended")
    first, _ = train(cfg)
    assert "Nothing is left" not in caplog.text
    last = Path(cfg.paths.output_dir) / "checkpoints" / "last.ckpt"
    again, _ = train(quick("schedule.share_base=false", f"ckpt_path='{last}'", folder="again"))
    assert "Nothing is left" in caplog.text
    assert "max_epochs" in caplog.text
    assert again["after"] == first["after"]
    # What is advised does train longer.
    caplog.clear()
    longer = ("schedule.total_epochs=8", f"ckpt_path='{last}'")
    _, objects = train(quick("schedule.share_base=false", *longer, folder="longer"))
    assert "Nothing is left" not in caplog.text
    assert objects["trainer"].current_epoch == 8


def test_resume_with_other_data_is_refused(quick):
    from rnnrepair.errors import IncompatibleCheckpointError

    cfg = quick("repair.rounds=1", folder="first")
    train(cfg)
    checkpoint = Path(cfg.paths.output_dir) / "checkpoints" / "last.ckpt"
    with pytest.raises(IncompatibleCheckpointError, match="seed"):
        train(quick("repair.rounds=1", "seed=5", f"ckpt_path='{checkpoint}'", folder="second"))


@pytest.mark.slow
@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_kill_leaves_a_loadable_checkpoint_and_a_consistent_ledger(tmp_path, kind):
    run = tmp_path / "run"
    command = [
        sys.executable,
        str(ROOT / "train.py"),
        "+experiment=mnist_repair",
        *QUICK,
        f"hydra.run.dir={run}",
        f"paths.cache_dir={tmp_path / 'cache'}",
        "repair.rounds=40",
        "repair.max_share=10",
        "repair.patience=40",
    ]
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        env=os.environ | {"WANDB_MODE": "offline"},
        # A shell that runs the tests in the background has them ignore it, and all they start.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    try:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and not _has_rows(run / "ledger.csv"):
            assert process.poll() is None, "the run ended before it could be killed"
            time.sleep(0.05)
        time.sleep(1.0)
        process.send_signal(kind)
        assert (
            process.wait(timeout=60)
            == {
                signal.SIGINT: 1,
                signal.SIGTERM: 143,
                signal.SIGKILL: -signal.SIGKILL,
            }[kind]
        )
    finally:
        process.kill()
    checkpoint = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    in_checkpoint = ledger_of(checkpoint["callbacks"]["RepairInjection"]["ledger"])
    injected = [len(part["label"]) for part in checkpoint["MNISTRowsDataModule"]["rounds"]]
    assert len(in_checkpoint) == sum(injected)
    rows = read_ledger(run / "ledger.csv")
    # The file may be one round ahead of the checkpoint, never behind and never half-written.
    assert rows[: len(in_checkpoint)] == in_checkpoint


def _has_rows(ledger):
    return ledger.is_file() and len(ledger.read_text().splitlines()) > 1


@pytest.mark.parametrize("share", [0, 0.75])
def test_resumed_run_with_an_anchor_equals_uninterrupted(quick, share):
    options = ("model.dropout=0.2", "repair.anchor=0.5", f"augmentation.share={share}")
    whole_summary, whole = train(quick(*options, folder="whole"))
    with pytest.raises(RuntimeError, match="power cut"):
        train(quick(*options, folder="broken"), Crash(4, 3))
    last = Path(quick(folder="broken").paths.output_dir) / "checkpoints" / "last.ckpt"
    summary, resumed = train(quick(*options, f"ckpt_path='{last}'", folder="resumed"))
    assert torch.equal(weights(whole["model"]), weights(resumed["model"]))
    assert summary["after"] == whole_summary["after"]
    # Runs without an anchor share what comes before the repair, and go another way from there.
    without, free = train(quick(*options[::2], folder="without"))
    assert without["before"] == summary["before"]
    assert len(list(Path(quick().paths.cache_dir).glob("base/*.ckpt"))) == 1
    assert not torch.equal(weights(free["model"]), weights(whole["model"]))


def test_a_run_that_is_averaged_at_its_end(quick):
    options = ("model.dropout=0.2", "schedule.final_epochs=2", "repair.interpolate=true")
    plain_summary, plain = train(quick(*options, folder="plain"))
    averaged = (*options, "schedule.final_average=true")
    summary, whole = train(quick(*averaged, folder="whole"))
    # The same base and rounds, of one shared base; another final network.
    assert len(list(Path(quick().paths.cache_dir).glob("base/*.ckpt"))) == 1
    assert summary["before"] == plain_summary["before"]
    assert summary["injected"] == plain_summary["injected"]
    folders = {name: Path(quick(folder=name).paths.output_dir) for name in ("plain", "whole")}
    base = [
        torch.load(folder / "checkpoints" / "base.ckpt", weights_only=True)["state_dict"]
        for folder in folders.values()
    ]
    assert all(torch.equal(value, base[1][name]) for name, value in base[0].items())
    assert not torch.equal(weights(plain["model"]), weights(whole["model"]))
    last = torch.load(folders["whole"] / "checkpoints" / "last.ckpt", weights_only=True)
    model = whole["model"].state_dict()
    assert all(torch.equal(value, model[name]) for name, value in last["state_dict"].items())

    with pytest.raises(RuntimeError, match="power cut"):
        train(quick(*averaged, folder="broken"), Crash(6, 3))
    stopped = Path(quick(folder="broken").paths.output_dir) / "checkpoints" / "last.ckpt"
    again, resumed = train(quick(*averaged, f"ckpt_path='{stopped}'", folder="resumed"))
    assert torch.equal(weights(whole["model"]), weights(resumed["model"]))
    assert again["after"] == summary["after"]


def test_an_average_of_no_epochs_is_refused(quick):
    from rnnrepair.errors import ConfigurationError

    with pytest.raises(ConfigurationError, match=r"schedule\.final_average=true"):
        train(quick("schedule.final_average=true", "schedule.final_epochs=0"))
