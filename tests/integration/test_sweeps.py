"""Multiruns: what fails is named, what has finished is not run again, what is shared is shared."""

import pandas as pd
import pytest
from omegaconf import OmegaConf

from rnnrepair.callbacks.launch.check import check_config
from rnnrepair.callbacks.launch.sweep_job import sweep_job
from rnnrepair.runs.jobs import Job, Status, jobs_of
from tests.integration.conftest import QUICK, train
from tests.integration.programs import run_program

# Shorter still: what is repaired does not matter here.
FEW = [o for o in QUICK if not o.startswith(("repair.rounds", "schedule.", "abstraction.n_comp"))]
FEW += ["repair.rounds=1", "schedule.base_epochs=2", "schedule.round_epochs=1"]
FEW += ["schedule.final_epochs=0", "repair.strategy=random"]


def multirun(tmp_path, *arguments):
    return run_program(
        tmp_path,
        "train.py",
        *arguments,
        "+experiment=mnist_repair",
        *FEW,
        f"hydra.sweep.dir={tmp_path / 'sweep'}",
        f"paths.cache_dir={tmp_path / 'cache'}",
    )


@pytest.mark.slow
def test_a_failing_job_stops_no_other_and_finished_ones_are_skipped(tmp_path):
    first = multirun(tmp_path, "-m", "abstraction.n_components=5,99999,9")
    output = first.stdout + first.stderr
    assert first.returncode == 1
    assert "3 jobs were run, 2 of them finished" in output
    assert "Failed: 1-" in output
    assert "abstraction.n_components: 99999 are more than" in output
    assert "Traceback" not in output
    sweep = tmp_path / "sweep"
    assert [job.status.value for job in jobs_of(sweep)] == ["finished", "failed", "finished"]
    (kept,) = sweep.glob("0-*/summary.json")
    before = kept.stat().st_mtime_ns
    # Mended, and in another order: what has finished is known by what it was, not by its number.
    second = multirun(tmp_path, "-m", "abstraction.n_components=9,7,5")
    output = second.stdout + second.stderr
    assert second.returncode == 0, output
    assert output.count("not run again") == 2
    assert "1 jobs were run, 1 of them finished" in output
    assert kept.stat().st_mtime_ns == before
    assert OmegaConf.load(kept.parent / ".hydra" / "config.yaml").abstraction.n_components == 5
    summarized = run_program(tmp_path, "scripts/summarize.py", str(sweep))
    assert summarized.returncode == 0, summarized.stderr
    assert "or did not end: 1-" in summarized.stdout
    table = pd.read_csv(sweep / "summary" / "sweep.csv")
    assert sorted(table["abstraction.n_components"]) == [5, 7, 9]
    assert (sweep / "summary" / "parallel_coordinates.png").is_file()


@pytest.mark.slow
def test_a_sweep_over_the_number_of_states_trains_collects_and_reduces_once(tmp_path):
    swept = multirun(tmp_path, "sweep=gmm_components")
    output = swept.stdout + swept.stderr
    assert swept.returncode == 0, output
    assert [job.status for job in jobs_of(tmp_path / "sweep")] == [Status.FINISHED] * 5
    kept = [path.suffix for path in (tmp_path / "cache" / "base").iterdir()]
    assert sorted(kept) == [".ckpt", ".safetensors"]
    assert output.count("Base training taken from") == 4
    assert output.count("Reduced states taken from") == 4


@pytest.fixture
def job(quick, tmp_path):
    """Return a function that runs a job of a multirun whose training is only pretended."""
    seen = []

    def pretended(cfg):
        seen.append(cfg)
        if cfg.seed == 13:
            raise RuntimeError("out of luck")
        return 0.5

    def run(folder, *overrides):
        cfg = quick(*overrides, folder=folder)
        return sweep_job(cfg, overrides, check_config, pretended)

    return run, seen, tmp_path


def test_interrupted_job_goes_on_from_its_last_checkpoint(job):
    run, seen, folder = job
    run("0", "seed=1")
    known = Job.read(folder / "0")
    Job(known.folder, known.fingerprint, Status.RUNNING, known.overrides).write()
    last = folder / "0" / "checkpoints" / "last.ckpt"
    last.parent.mkdir()
    last.touch()
    assert run("0", "seed=1") == 0.5
    assert [cfg.ckpt_path for cfg in seen] == [None, str(last)]


def test_finished_job_is_found_under_another_number(job):
    run, seen, folder = job
    run("0", "seed=1")
    assert run("3", "seed=1") == 0.5
    assert len(seen) == 1
    assert not (folder / "3").exists()


def test_folder_of_another_job_is_not_written_over(job):
    run, seen, folder = job
    run("0", "seed=1")
    assert run("0", "seed=2") is None
    assert Job.read(folder / "0").overrides == ("seed=1",)
    refused = Job.read(folder / "0-refused")
    assert refused.status is Status.FAILED
    assert "holds another job (seed=1)" in refused.error
    assert len(seen) == 1


def test_configuration_that_cannot_run_is_kept_with_its_job(job):
    run, seen, folder = job
    assert run("0", "repair.strategy=guidd") is None
    failed = Job.read(folder / "0")
    assert failed.status is Status.FAILED
    assert "repair.strategy must be one of" in failed.error
    assert "got 'guidd' (did you mean guided?)" in failed.error
    assert not seen


def test_unexpected_error_is_kept_with_its_job(job):
    run, _, folder = job
    assert run("0", "seed=13") is None
    failed = Job.read(folder / "0")
    assert failed.status is Status.FAILED
    assert failed.error == "RuntimeError: out of luck"
    assert run("0", "seed=13") is None  # and tried again, not skipped


def test_reused_states_change_nothing(quick, caplog):
    first = train(quick("repair.strategy=random", folder="a"))[0]
    with caplog.at_level("INFO"):
        second = train(quick("repair.strategy=random", folder="b"))[0]
    assert "Reduced states taken from" in caplog.text
    for part in ("before", "after", "injected", "stability"):
        assert second[part] == first[part]


@pytest.mark.slow
def test_ray_runs_the_same_sweep(tmp_path):
    pytest.importorskip("ray", reason="needs the extra 'sweep'")
    values = "abstraction.n_components=5,9"
    launched = multirun(
        tmp_path,
        "-m",
        values,
        "hydra/launcher=ray",
        "+hydra.launcher.ray.init.num_cpus=1",
        "+hydra.launcher.ray.init.include_dashboard=false",
    )
    assert launched.returncode == 0, launched.stdout + launched.stderr
    assert [job.status for job in jobs_of(tmp_path / "sweep")] == [Status.FINISHED] * 2
