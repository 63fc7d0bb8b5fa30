"""Series repair from files by the command line alone, through the same callbacks as everything."""

import json

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from rnnrepair.errors import DataError
from rnnrepair.repair import read_ledger, rebuild
from tests.integration.conftest import composed, train
from tests.integration.programs import run_program
from tests.series_files import long_frame, write_ts

QUICK = (
    "model.hidden_size=12",
    "model.optimizer.lr=0.01",
    "schedule.base_epochs=4",
    "schedule.round_epochs=1",
    "schedule.final_epochs=1",
    "repair.strategy=guided",
    "repair.rounds=2",
    "repair.budget=2",
    "repair.patience=2",
    "repair.strategies.guided.parents=5",
    "repair.strategies.guided.mutations=4",
    "abstraction.n_components=8",
    "logger=none",
    "trainer.enable_progress_bar=false",
    "trainer.accelerator=cpu",
    "threads=1",
)


def movements(n, seed=0):
    """Three kinds of movements of two channels in noise, of unequal length."""
    g = np.random.default_rng(seed)
    label, made = g.integers(0, 3, n), []
    for kind in label:
        time = np.arange(g.integers(12, 25)) * g.uniform(0.3, 0.7)
        wave = [np.sin(time), np.cos(time), np.sign(np.sin(time))][kind]
        one = np.stack([wave, np.roll(wave, 2)], 1) + 0.9 * g.standard_normal((len(time), 2))
        made.append(one.astype(np.float32))
    return made, np.array(["walk", "run", "sit"])[label]


def test_ts_files_are_repaired_by_the_command_line_alone(tmp_path):
    folder = tmp_path / "Moves"
    folder.mkdir()
    for part, n, seed in (("TRAIN", 240, 0), ("TEST", 60, 1)):
        write_ts(folder / f"Moves_{part}.ts", *movements(n, seed))
    options = [f"datamodule.path={folder}", "datamodule.units=[g,V]"]
    options += [f"paths.cache_dir={tmp_path / 'cache'}", f"hydra.run.dir={tmp_path / 'run'}"]
    done = run_program(tmp_path, "train.py", "+experiment=series_repair", *QUICK, *options)
    assert done.returncode == 0, done.stderr[-3000:]
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert summary["strategy"] == "guided"
    assert summary["injected"] > 0
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "line lane" in page
    assert "0 (g)" in page
    assert "Labelled walk" in page or "Labelled run" in page or "Labelled sit" in page


@pytest.fixture
def quick(tmp_path):
    made, label = movements(300)
    person = np.arange(300) % 10
    path = tmp_path / "moves.csv"
    long_frame(made, label, person=person).to_csv(path, index=False)

    def make(*overrides):
        options = (f"datamodule.path={path}", "datamodule.group=person", *QUICK, *overrides)
        cfg = composed("+experiment=series_repair", *options)
        OmegaConf.update(cfg, "paths.output_dir", str(tmp_path / "run"))
        OmegaConf.update(cfg, "paths.cache_dir", str(tmp_path / "cache"))
        return cfg

    return make


def test_every_injected_series_is_rebuilt_from_its_row(quick, tmp_path):
    spared = "edits.series.spared={noise:[1],shift:[0]}"
    summary, objects = train(quick("datamodule.test_groups=[3]", "datamodule.window=10", spared))
    data = objects["datamodule"]
    assert data.augments
    rows = read_ledger(tmp_path / "run" / "ledger.csv")
    assert len(rows) == summary["injected"] > 0
    for row in rows:
        (child,) = data.fetch(torch.tensor([row.new_id])).sequences()
        assert child.equal(rebuild(row, data))


@pytest.mark.parametrize(
    "strategy",
    [
        *("none", "random", "class", "hard", "influence", "pattern"),
        *("failures", "mutated_failures", "augment", "pattern_augments"),
    ],
)
def test_every_strategy_runs_on_series(quick, strategy):
    summary, _ = train(quick(f"repair.strategy={strategy}"))
    assert summary["strategy"] == strategy


def test_bad_files_are_told_before_training(quick, tmp_path):
    (tmp_path / "moves.csv").write_text("id,time,c0,label,person\nr,0,1,walk,1\nr,0,2,walk,1\n")
    with pytest.raises(DataError, match="steps twice"):
        train(quick())
