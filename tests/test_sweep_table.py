"""A multirun as one table."""

import json

import pytest

from rnnrepair.errors import DataError
from rnnrepair.report.jobs import Job, Status, finished_before, jobs_of, outcome_lines
from rnnrepair.report.sweeps import METRICS, read_sweep, sweep_figures
from scripts.summarize import log_to_wandb


def write_job(folder, number, overrides, accuracy, status=Status.FINISHED):
    job = folder / str(number)
    job.mkdir(parents=True)
    error = "" if status is Status.FINISHED else "ValueError: no"
    Job(job, f"print{number}", status, tuple(overrides), accuracy, error).write()
    if status is Status.FINISHED:
        before = {"test_accuracy": 0.8}
        after = {"test_accuracy": accuracy, "val_accuracy": accuracy, "newly_broken": number}
        summary = {
            "before": before,
            "after": after | {"test_repaired_share": None},
            "stability": 0.5,
            "injected": 10,
            "time_s": {"total": 2.0},
        }
        (job / "summary.json").write_text(json.dumps(summary))


@pytest.fixture
def sweep(tmp_path):
    for number, (k, seed, accuracy) in enumerate([(7, 0, 0.9), (7, 1, 0.92), (16, 0, 0.95)]):
        overrides = ["+experiment=x", f"abstraction.n_components={k}", f"seed={seed}"]
        write_job(tmp_path, number, overrides, accuracy)
    write_job(tmp_path, 10, ["abstraction.n_components=0"], None, Status.FAILED)
    return tmp_path


def test_table_has_a_row_for_each_job_and_a_column_for_what_differs(sweep):
    table, varied = read_sweep(sweep)
    assert varied == ["abstraction.n_components", "seed"]
    assert table["job"].tolist() == ["0", "1", "2"]
    assert table["abstraction.n_components"].tolist() == [7, 7, 16]
    assert table["test_after"].tolist() == [0.9, 0.92, 0.95]
    assert table["test_repaired"].isna().all()


def test_a_figure_for_each_metric_and_one_for_all(sweep):
    table, varied = read_sweep(sweep)
    figures = sweep_figures(table, varied)
    assert set(figures) == {*METRICS, "parallel_coordinates"}
    line = figures["test_after"].axes[0].lines[0]
    assert line.get_xdata().tolist() == [7, 16]
    assert line.get_ydata().tolist() == pytest.approx([0.91, 0.95])


def test_settings_that_are_words_are_drawn_too(tmp_path):
    for number, name in enumerate(["none", "guided"]):
        write_job(tmp_path, number, [f"repair.strategy={name}"], 0.9 + number / 100)
    table, varied = read_sweep(tmp_path)
    axes = sweep_figures(table, varied)["test_after"].axes[0]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["guided", "none"]


def test_jobs_that_leave_a_setting_alone_are_drawn_too(tmp_path):
    write_job(tmp_path, 0, ["seed=0"], 0.9)
    write_job(tmp_path, 1, ["seed=0", "repair.strategy=none"], 0.5)
    table, varied = read_sweep(tmp_path)
    assert varied == ["repair.strategy"]
    assert table["repair.strategy"].tolist() == ["default", "none"]
    (line,) = sweep_figures(table, varied)["test_after"].axes[0].lines[:1]
    assert line.get_ydata().tolist() == [0.9, 0.5]


def test_every_combination_of_settings_has_a_line_of_its_own(tmp_path):
    accuracy = {(7, "none"): 0.5, (7, "guided"): 0.9, (16, "none"): 0.6, (16, "guided"): 0.8}
    for number, ((k, strategy), value) in enumerate(accuracy.items()):
        overrides = [f"abstraction.n_components={k}", f"repair.strategy={strategy}"]
        write_job(tmp_path, number, overrides, value)
    table, varied = read_sweep(tmp_path)
    figure = sweep_figures(table, varied)["test_after"]
    drawn = [bars.lines[0].get_ydata().tolist() for bars in figure.axes[0].containers]
    assert drawn == [[0.9, 0.8], [0.5, 0.6]]
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["strategy guided", "strategy none"]


def test_jobs_without_a_summary_are_named(sweep, caplog):
    (sweep / "2" / "summary.json").unlink()
    assert read_sweep(sweep)[0]["job"].tolist() == ["0", "1"]
    assert "no summary.json: 2" in caplog.text


def test_wandb_gets_a_run_for_each_job(sweep, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    table, varied = read_sweep(sweep)
    log_to_wandb(sweep, table, varied, sweep_figures(table, varied))
    assert len(list((sweep / "wandb").glob("offline-run-*"))) == len(table) + 1
    pictures = sweep.glob("wandb/offline-run-*/files/media/images/sweep/*.png")
    assert len(list(pictures)) == len(METRICS) + 1


def test_failed_jobs_are_left_out_even_if_they_left_a_summary(sweep):
    job = Job.read(sweep / "2")
    Job(job.folder, job.fingerprint, Status.FAILED, job.overrides, None, "later").write()
    assert read_sweep(sweep)[0]["job"].tolist() == ["0", "1"]


def test_deleted_settings_are_settings(tmp_path):
    write_job(tmp_path, 0, ["seed=0"], 0.9)
    write_job(tmp_path, 1, ["seed=1", "~model.scheduler"], 0.9)
    assert read_sweep(tmp_path)[1] == ["seed", "~model.scheduler"]


def test_folders_without_a_sweep_are_named(tmp_path):
    with pytest.raises(DataError, match="holds no finished job with a summary"):
        read_sweep(tmp_path)
    write_job(tmp_path, 0, ["seed=0"], 0.9)
    with pytest.raises(DataError, match="do not differ in any setting"):
        read_sweep(tmp_path)


def test_jobs_are_known_by_their_fingerprint(sweep):
    assert [job.folder.name for job in jobs_of(sweep)] == ["0", "1", "2", "10"]
    assert finished_before(sweep / "77", "print1").folder == sweep / "1"
    assert finished_before(sweep / "77", "print10") is None  # it failed
    (line,) = outcome_lines(jobs_of(sweep))
    assert line == "10 (abstraction.n_components=0): ValueError: no"
