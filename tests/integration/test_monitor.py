"""One key decides on val: patience, the best checkpoint and what sweepers get."""

import csv
import sys
from pathlib import Path

import pytest
from sklearn.metrics import f1_score

from rnnrepair.callbacks import RepairInjection
from rnnrepair.callbacks.launch import build
from rnnrepair.callbacks.launch.main import objective
from rnnrepair.errors import ConfigurationError
from rnnrepair.record import RunRecord
from tests.integration.conftest import train


def test_macro_f1_decides_everywhere(quick):
    cfg = quick("monitor=macro_f1", "logger=csv")
    summary, run = train(cfg)
    answers = RunRecord.load(Path(cfg.paths.output_dir)).repair.answers["val"]
    before, after = (
        f1_score(answers.label, predicted, average="macro")
        for predicted in (answers.before, answers.after)
    )
    assert summary["before"]["val_macro_f1"] == pytest.approx(before)
    assert summary["after"]["val_macro_f1"] == pytest.approx(after)
    (injection,) = (c for c in run["callbacks"] if isinstance(c, RepairInjection))
    assert injection.campaign.val[0].value == pytest.approx(before)
    best = run["trainer"].checkpoint_callback
    assert best.monitor == "val/macro_f1"
    with (Path(cfg.paths.output_dir) / "metrics.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["val/macro_f1"]]
    logged = [float(row["val/macro_f1"]) for row in rows]
    assert logged[-1] == pytest.approx(after, abs=1e-6)
    assert float(best.best_model_score) == pytest.approx(max(logged), abs=1e-6)


def test_sweepers_get_the_score_that_decides(quick, monkeypatch):
    told = {"after": {"val_accuracy": 0.9, "val_balanced_accuracy": 0.7}}
    run = type("Run", (), {"train": lambda self: told})()
    monkeypatch.setattr(sys.modules[objective.__module__], "build", lambda cfg, *callbacks: run)
    assert objective(quick("monitor=balanced_accuracy")) == 0.7
    assert objective(quick()) == 0.9


@pytest.mark.parametrize("more", [(), ("callbacks=default",)])
def test_an_unknown_score_is_refused_before_anything_is_loaded(quick, more):
    with pytest.raises(ConfigurationError, match="monitor must be one of") as refused:
        build(quick("monitor=f1", "datamodule.source=folder", *more))
    assert str(refused.value).count("monitor") == 1
