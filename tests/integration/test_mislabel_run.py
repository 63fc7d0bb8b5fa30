"""The mislabel study as users run it, and its seeds put together."""

import pandas as pd
import pytest

from rnnrepair.errors import ConfigurationError
from scripts.study import study
from tests.integration.conftest import QUICK, composed, train
from tests.integration.test_studies import as_command_line, compose_finished


def trained_in(folder, *options):
    """Train on two of the embedded digits, and return the folder of the study."""
    cfg = composed(
        "+experiment=mnist_mislabelled",
        *QUICK,
        f"paths.output_dir={folder}",
        f"paths.cache_dir={folder}/cache",
        "schedule.base_epochs=4",
        "schedule.final_epochs=0",
        "study.mislabel.n_components=12",
        *options,
    )
    as_command_line(cfg, folder)
    train(cfg)
    return f"{folder}/study/mislabel"


def test_a_run_ends_with_the_study(tmp_path):
    methods = list(composed("+experiment=mnist_mislabelled").study.mislabel.methods)
    options = [
        "model.optimizer.lr=0.1",
        "model.hidden_size=12",
        "study.mislabel.methods.koh_liang.samples=50",
        "study.mislabel.best=1",
        "study.mislabel.shares=[0.2]",
    ]
    folder = trained_in(tmp_path, *options)
    table = pd.read_csv(f"{folder}/mislabel.csv")
    assert table["method"].unique().tolist() == methods
    own = table[(table["flips"] == "all") & (table["by"] == "itself")].set_index("method")["auc"]
    assert own["suspicion"] > 0.9 > 0.6 > own["random"]
    # It reads the steps that were recorded.
    shown = table[(table["flips"] == "all") & (table["by"] == "targets")].set_index("method")["auc"]
    assert shown["sgd_influence"] > 0.6
    curve = pd.read_csv(f"{folder}/restored.csv").set_index("method")["restored"]
    assert curve["everything"] == table["n"].max()
    # A finished run answers the same.
    again = ["study=mislabel", "study.mislabel.n_components=12"]
    study(compose_finished(tmp_path, *again))
    told = pd.read_csv(f"{folder}/mislabel.csv")
    pd.testing.assert_frame_equal(told.drop(columns="seconds"), table.drop(columns="seconds"))


def test_methods_that_nothing_was_recorded_for_are_refused_before_training(tmp_path):
    with pytest.raises(ConfigurationError, match="TrainingDynamicsRecorder"):
        trained_in(tmp_path / "dynamics", "~callbacks.training_dynamics")
    with pytest.raises(ConfigurationError, match="TrajectoryRecorder"):
        trained_in(tmp_path / "steps", "~callbacks.trajectory_recorder")
    assert not list(tmp_path.rglob("*.ckpt"))
