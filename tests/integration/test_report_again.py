"""The record of a run is enough to render its page again, at any time and studies included."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
import torch
from omegaconf import OmegaConf

from rnnrepair.errors import IncompatibleCheckpointError
from rnnrepair.record import RunRecord
from rnnrepair.runs import read_sweep
from rnnrepair.runs.comparison import read_folder
from rnnrepair.runs.jobs import Job, Status
from scripts.report import report
from scripts.study import study
from tests.integration.conftest import QUICK, composed, train
from tests.integration.test_resume import Crash
from tests.integration.test_text_run import QUICK as QUICK_TEXT
from tests.integration.test_text_run import reviews
from tests.records import same
from tests.report_page import Page
from tests.test_published import author_files

FEW = [o for o in QUICK if not o.startswith(("repair.rounds", "schedule.", "abstraction.n_comp"))]
FEW += ["repair.rounds=1", "schedule.base_epochs=2", "schedule.round_epochs=1"]
FEW += ["schedule.final_epochs=1", "abstraction.n_components=6"]
STUDY = ("study=automaton", "study.automaton.n_components=6")


def in_folder(cfg, folder):
    """Let a run write into a folder, and leave there what Hydra writes."""
    cfg.paths.output_dir, cfg.paths.cache_dir = str(folder), str(folder.parent / "cache")
    (folder / ".hydra").mkdir(parents=True, exist_ok=True)
    OmegaConf.save(cfg, folder / ".hydra" / "config.yaml")
    return cfg


def digits(folder, *overrides):
    return in_folder(composed("+experiment=mnist_repair", *FEW, *overrides), folder)


def asked(config, folder, *overrides):
    return composed(f"run='{folder}'", *overrides, name=config)


def page_again(folder):
    """Return the page before and after it is rendered again from the files of the run."""
    before = (folder / "report.html").read_bytes()
    (folder / "report.html").unlink()
    report(asked("report", folder))
    return before, (folder / "report.html").read_bytes()


@pytest.fixture(scope="module")
def digit_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("digits") / "run"
    train(digits(folder))
    return folder


@pytest.fixture
def run(digit_run, tmp_path):
    """A copy that a test may change."""
    shutil.copytree(digit_run, tmp_path / "run")
    return tmp_path / "run"


def test_the_page_is_rendered_again_byte_for_byte(run):
    before, again = page_again(run)
    assert again == before
    page = Page(again.decode())
    record = RunRecord.load(run)
    samples = sum(len(f.neighbours) + len(f.injected) + 1 for f in record.repair.failures)
    samples += sum(len(s.neighbours) + 1 for s in record.repair.suspects)
    assert len(page.pictures) == samples > 24
    assert any(f.injected for f in record.repair.failures)


def test_a_study_of_a_finished_run_is_shown_beside_all_else(run):
    before = (run / "report.html").read_text(encoding="utf-8")
    study(asked("finished", run, "progress=false", *STUDY))
    text = (run / "report.html").read_text(encoding="utf-8")
    assert 'id="study-automaton"' in text
    parts = text.partition('<section class="study"')
    assert parts[0].strip() == before.partition("</main>")[0].strip()
    assert len(Page(text).pictures) == len(Page(before).pictures)
    one, again = page_again(run)
    assert one == again


def test_a_resume_ends_with_the_record_of_an_uninterrupted_run(tmp_path):
    """Studies that stood in the folder are still shown."""
    options = ("schedule.share_base=false", *STUDY)
    train(digits(tmp_path / "whole", *options))
    with pytest.raises(RuntimeError, match="power cut"):
        train(digits(tmp_path / "broken", "schedule.share_base=false"), Crash(3, 3))
    broken = tmp_path / "broken"
    assert not RunRecord.is_in(broken)
    shutil.copytree(tmp_path / "whole" / "study", broken / "study")
    last = broken / "checkpoints" / "last.ckpt"
    train(digits(broken, "schedule.share_base=false", f"ckpt_path='{last}'"))
    whole, resumed = (RunRecord.load(folder).repair for folder in (tmp_path / "whole", broken))
    for part in ("history", "answers", "targets", "failures", "effort", "epochs"):
        assert same(getattr(whole, part), getattr(resumed, part)), part
    # No time stands in the base, so its weights are compared, not its bytes.
    bases = [
        torch.load(folder / "checkpoints" / "base.ckpt", weights_only=True)["state_dict"]
        for folder in (tmp_path / "whole", broken)
    ]
    assert all(torch.equal(bases[0][name], bases[1][name]) for name in bases[0])
    text = (broken / "report.html").read_text(encoding="utf-8")
    assert 'id="study-automaton"' in text
    assert "What changed" in text
    before, again = page_again(broken)
    assert before == again


def test_texts_are_rendered_again_with_the_words_that_were_injected(tmp_path):
    path = reviews(tmp_path / "reviews.csv")
    cfg = composed("+experiment=csv_repair", f"datamodule.path={path}", *QUICK_TEXT)
    train(in_folder(cfg, tmp_path / "run"))
    before, again = page_again(tmp_path / "run")
    assert before == again
    assert "Samples of its label" in again.decode()
    assert "the film" in Page(again.decode()).text


def test_what_cannot_be_rendered_is_told(run, tmp_path):
    with pytest.raises(IncompatibleCheckpointError, match=r"config\.yaml and .*last\.ckpt"):
        report(asked("report", tmp_path / "nothing"))
    config = run / ".hydra" / "config.yaml"
    cfg = OmegaConf.load(config)
    OmegaConf.save(OmegaConf.merge(cfg, {"datamodule": {"repair_share": 0.3}}), config)
    with pytest.raises(IncompatibleCheckpointError, match="other data or another split"):
        report(asked("report", run))
    OmegaConf.save(cfg, config)
    told = run / "record" / "record.json"
    told.write_text(json.dumps(json.loads(told.read_text()) | {"version": 0}))
    with pytest.raises(IncompatibleCheckpointError, match="version 0"):
        report(asked("report", run))
    shutil.rmtree(run / "record")
    with pytest.raises(IncompatibleCheckpointError, match="has not ended"):
        report(asked("report", run))


def test_the_published_protocol_on_digits_leaves_the_same_record(tmp_path):
    author_files(tmp_path / "data")
    for number, strategy in enumerate(("none", "published")):
        folder = tmp_path / "sweep" / str(number)
        overrides = ["+experiment=mnist_repair_published", f"repair.strategy={strategy}"]
        options = [
            *(f"paths.data_dir={tmp_path / 'data'}", "datamodule.source=folder"),
            *("datamodule.verify_checksum=false", "schedule.total_epochs=7"),
            *("schedule.base_epochs=7", "model.hidden_size=8", "logger=csv", "threads=1"),
            *("trainer.enable_progress_bar=false", "trainer.accelerator=cpu"),
        ]
        train(in_folder(composed(*overrides, *options), folder))
        Job(folder, f"print{number}", Status.FINISHED, tuple(overrides)).write()
        record = RunRecord.load(folder)
        assert [look.epoch for look in record.looks] == [6, 7]
        summary = json.loads((folder / "summary.json").read_text())
        assert summary["n_targets"] == 2
        assert summary["targets_right"] == [look.targets_right for look in record.looks]
        before, again = page_again(folder)
        assert before == again
        assert "LEAKS" in again.decode()
        curve = pd.read_csv(folder / "metrics.csv")["repair/targets_right"].dropna()
        assert curve.tolist() == summary["targets_right"]
    table, varied = read_sweep(tmp_path / "sweep")
    assert varied == ["repair.strategy"]
    assert {"after/targets_right", "after/test_accuracy"} <= set(table)
    runs = read_folder(Path(tmp_path / "sweep"))
    assert runs.arms == ("none", "published")
