"""A multirun as one table."""

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console

from rnnrepair.errors import DataError
from rnnrepair.record import summary_of
from rnnrepair.report.sweep_figures import sweep_figures
from rnnrepair.report.sweep_table import print_sweep
from rnnrepair.runs.jobs import Job, Status, finished_before, jobs_of, outcome_lines
from rnnrepair.runs.sweep import METRICS, look_up, read_sweep
from scripts.summarize import log_to_wandb
from tests.records import answers_of, record_of, repair_of, target_record


def finished_job(folder, number, overrides, record):
    job = folder / str(number)
    Job(job, f"print{number}", Status.FINISHED, tuple(overrides), 0.5, "").write()
    if record is not None:
        record.save(job)


def write_job(folder, number, overrides, accuracy):
    """Write a finished job whose network was wrong about all of 100 digits before."""
    right = round(100 * accuracy)
    answers = answers_of([0] * 100, [1] * 100, [0] * right + [1] * (100 - right))
    finished_job(folder, number, overrides, record_of(repair_of(answers)))


@pytest.fixture
def sweep(tmp_path):
    for number, (k, seed, accuracy) in enumerate([(7, 0, 0.9), (7, 1, 0.92), (16, 0, 0.95)]):
        overrides = ["+experiment=x", f"abstraction.n_components={k}", f"seed={seed}"]
        write_job(tmp_path, number, overrides, accuracy)
    failed = ("abstraction.n_components=0",)
    Job(tmp_path / "10", "print10", Status.FAILED, failed, None, "ValueError: no").write()
    return tmp_path


def test_table_has_a_row_for_each_job_and_a_column_for_what_differs(sweep):
    table, varied = read_sweep(sweep)
    assert varied == ["abstraction.n_components", "seed"]
    assert table["job"].tolist() == ["0", "1", "2"]
    assert table["abstraction.n_components"].tolist() == [7, 7, 16]
    assert table["after/test_accuracy"].tolist() == [0.9, 0.92, 0.95]
    assert table["before/test_accuracy"].tolist() == [0, 0, 0]
    assert table["after/newly_broken"].tolist() == [0, 0, 0]
    assert table["time_s/total"].tolist() == [87.7] * 3
    # What nobody measured has no column: the published protocol on MNIST counts targets.
    assert "after/targets_right" not in table


def test_metrics_are_called_by_their_places_in_the_summary():
    others = [record_of(monitor=m) for m in ("balanced_accuracy", "macro_f1")]
    records = record_of(repair_of(targets=[100])), target_record(), *others
    known = [summary_of(record) for record in records]
    for name in METRICS:
        assert any(look_up(summary, name) is not None for summary in known), name


def test_a_multirun_of_the_published_protocol_on_mnist(tmp_path):
    """Its runs count targets: there is no network before and no time of an analysis."""
    for number, (strategy, right) in enumerate([("none", (4, 6)), ("published", (7, 9))]):
        overrides = ["+experiment=mnist_repair_published", f"repair.strategy={strategy}"]
        finished_job(tmp_path, number, overrides, target_record(strategy, right=right))
    table, varied = read_sweep(tmp_path)
    assert varied == ["repair.strategy"]
    metrics = [name for name in table if name in METRICS]
    assert metrics == ["after/test_accuracy", "after/targets_right"]
    assert table["after/targets_right"].tolist() == [5, 8]
    figures = sweep_figures(table, varied)
    assert set(figures) == {*metrics, "parallel_coordinates"}


def test_a_multirun_of_the_published_protocol_on_text(tmp_path):
    """Its targets are test sentences, and validation is the rest of the test set."""
    for number, strategy in enumerate(["none", "insertion"]):
        overrides = ["+experiment=sst_repair_published", f"repair.strategy={strategy}"]
        record = record_of(repair_of(targets=[100, 101]), strategy=strategy)
        finished_job(tmp_path, number, overrides, record)
    table, _ = read_sweep(tmp_path)
    assert table["after/targets_share"].tolist() == [0.5, 0.5]


def test_a_figure_for_each_metric_and_one_for_all(sweep):
    table, varied = read_sweep(sweep)
    figures = sweep_figures(table, varied)
    assert set(figures) == {*(name for name in table if name in METRICS), "parallel_coordinates"}
    line = figures["after/test_accuracy"].axes[0].lines[0]
    assert line.get_xdata().tolist() == [7, 16]
    assert line.get_ydata().tolist() == pytest.approx([0.91, 0.95])


def test_settings_that_are_words_are_drawn_too(tmp_path):
    for number, name in enumerate(["none", "guided"]):
        write_job(tmp_path, number, [f"repair.strategy={name}"], 0.9 + number / 100)
    table, varied = read_sweep(tmp_path)
    axes = sweep_figures(table, varied)["after/test_accuracy"].axes[0]
    assert [text.get_text() for text in axes.get_xticklabels()] == ["guided", "none"]


def test_jobs_that_leave_a_setting_alone_are_drawn_too(tmp_path):
    write_job(tmp_path, 0, ["seed=0"], 0.9)
    write_job(tmp_path, 1, ["seed=0", "repair.strategy=none"], 0.5)
    table, varied = read_sweep(tmp_path)
    assert varied == ["repair.strategy"]
    assert table["repair.strategy"].tolist() == ["default", "none"]
    (line,) = sweep_figures(table, varied)["after/test_accuracy"].axes[0].lines[:1]
    assert line.get_ydata().tolist() == [0.9, 0.5]


def test_every_combination_of_settings_has_a_line_of_its_own(tmp_path):
    accuracy = {(7, "none"): 0.5, (7, "guided"): 0.9, (16, "none"): 0.6, (16, "guided"): 0.8}
    for number, ((k, strategy), value) in enumerate(accuracy.items()):
        overrides = [f"abstraction.n_components={k}", f"repair.strategy={strategy}"]
        write_job(tmp_path, number, overrides, value)
    table, varied = read_sweep(tmp_path)
    figure = sweep_figures(table, varied)["after/test_accuracy"]
    drawn = [bars.lines[0].get_ydata().tolist() for bars in figure.axes[0].containers]
    assert drawn == [[0.9, 0.8], [0.5, 0.6]]
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["strategy guided", "strategy none"]


def test_jobs_without_a_record_are_named(sweep, caplog):
    finished_job(sweep, 3, ["seed=7"], None)
    assert read_sweep(sweep)[0]["job"].tolist() == ["0", "1", "2"]
    assert "no record: 3" in caplog.text


def test_wandb_gets_a_run_for_each_job(sweep, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    table, varied = read_sweep(sweep)
    figures = sweep_figures(table, varied)
    log_to_wandb(sweep, table, varied, figures)
    assert len(list((sweep / "wandb").glob("offline-run-*"))) == len(table) + 1
    pictures = sweep.glob("wandb/offline-run-*/files/media/images/sweep/**/*.png")
    assert len(list(pictures)) == len(figures)


def test_failed_jobs_are_left_out_even_if_they_left_a_record(sweep):
    job = Job.read(sweep / "2")
    replace(job, status=Status.FAILED, error="later").write()
    assert read_sweep(sweep)[0]["job"].tolist() == ["0", "1"]


def test_deleted_settings_are_settings(tmp_path):
    write_job(tmp_path, 0, ["seed=0"], 0.9)
    write_job(tmp_path, 1, ["seed=1", "~model.scheduler"], 0.9)
    assert read_sweep(tmp_path)[1] == ["seed", "~model.scheduler"]


def test_folders_without_a_sweep_are_named(tmp_path):
    with pytest.raises(DataError, match="holds no finished job with a record"):
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


@pytest.mark.parametrize("width", [66, 80, 120, 300])
def test_names_and_values_are_whole_at_every_width(sweep, width):
    table, varied = read_sweep(sweep)
    console = Console(width=width, record=True, file=io.StringIO())
    print_sweep(table, varied, "sweep", console)
    text = console.export_text()
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    words = set(re.findall(r"[\w./%]+", text))
    assert {part for name in table for part in name.replace("/", "/ ").split()} <= words
    assert {f"{value:.4g}" for value in table["after/test_accuracy"]} <= words
    # Every piece says which jobs and settings it is about.
    pieces = text.count("abstraction.n_components")
    assert pieces == text.count("seed") == text.count("job")
    assert (pieces == 1) == (width == 300)
