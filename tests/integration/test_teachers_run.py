"""Teachers in a run: they are those of a training apart from it, and leave no trace in it."""

from pathlib import Path

import pandas as pd
import pytest
import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException

from rnnrepair.callbacks import LabelOrTask, repair_chain
from rnnrepair.callbacks.launch.build import build
from rnnrepair.callbacks.launch.retraining import TrainAgain
from rnnrepair.errors import SettingsError
from rnnrepair.repair import read_ledger
from rnnrepair.seeding import derive_seed
from rnnrepair.studies import Retraining
from tests.integration.conftest import train, weights
from tests.integration.test_resume import Crash

ON = ("repair.teachers=2", "model.dropout=0.2", "augmentation.share=0.5")


def folder_of(quick, name):
    return Path(quick(folder=name).paths.output_dir)


def caller(objects):
    (found,) = (c for c in objects["callbacks"] if isinstance(c, LabelOrTask))
    return found


def test_failures_that_all_fail_at_get_no_samples(quick):
    summary, objects = train(quick(*ON, folder="run"))
    table = pd.read_csv(folder_of(quick, "run") / "label_or_task.csv")
    assert summary["teachers"] == 2
    assert 0 < summary["label_or_task"] == len(table) < summary["before"]["repair_failures"]
    failures = {row.failure_id for row in read_ledger(folder_of(quick, "run") / "ledger.csv")}
    assert failures
    assert not failures & set(table["index"])
    page = (folder_of(quick, "run") / "report.html").read_text()
    assert "label_or_task.csv" in page
    # They are what a training says that nothing goes before.
    cfg = quick(*ON, folder="apart")
    apart = build(cfg)
    again = TrainAgain(cfg, apart.datamodule)
    seeds = [derive_seed(cfg.seed, "teacher", number) for number in range(2)]
    networks = again([Retraining(seed=seed) for seed in seeds])
    for network, predicted in zip(networks, caller(objects)._teachers.predicted, strict=True):
        said = network.predict(apart.datamodule.loader("repair"))
        assert torch.equal(said.predicted, predicted)


def test_asking_changes_nothing_of_the_training(quick):
    options = (*ON[1:], "repair.strategy=none")
    plain, without = train(quick(*options, folder="without"))
    summary, asked = train(quick(*options, ON[0], folder="asked"))
    assert torch.equal(weights(without["model"]), weights(asked["model"]))
    assert summary["after"] == plain["after"]
    assert "teachers" not in plain


def test_arms_share_their_teachers_and_a_resumed_run_has_them(quick):
    _, first = train(quick(*ON, folder="whole"))
    kept = list(Path(quick().paths.cache_dir).glob("base/*-2-teachers.pt"))
    assert len(kept) == 1
    before = kept[0].stat().st_mtime_ns
    with pytest.raises(RuntimeError, match="power cut"):
        train(quick(*ON, folder="broken"), Crash(4, 3))
    assert kept[0].stat().st_mtime_ns == before
    last = folder_of(quick, "broken") / "checkpoints" / "last.ckpt"
    _, resumed = train(quick(*ON, f"ckpt_path='{last}'", folder="resumed"))
    assert torch.equal(weights(first["model"]), weights(resumed["model"]))
    assert torch.equal(caller(first)._teachers.predicted, caller(resumed)._teachers.predicted)
    assert caller(first).n_found == caller(resumed).n_found


def test_what_cannot_be_asked_is_refused(quick, tmp_path):
    with pytest.raises(MisconfigurationException, match="teachers and the strategy clean"):
        train(quick("repair.teachers=2", "repair.strategy=clean"))
    with pytest.raises(SettingsError, match="teachers"):
        LabelOrTask(-1)
    chain = repair_chain(start_epoch=1, output_dir=str(tmp_path))
    assert not any(isinstance(callback, LabelOrTask) for callback in chain)
