"""A finished run is found from anywhere: its files, and classes of the user's own."""

import sys

import pytest
from omegaconf import OmegaConf

from rnnrepair.callbacks.launch.finished import FinishedFolder
from rnnrepair.callbacks.launch.run_paths import find_paths, missing_file
from rnnrepair.errors import ConfigurationError, IncompatibleCheckpointError


@pytest.fixture
def run(tmp_path):
    """The folder of a run that was begun in ``began``, and its configuration."""
    folder, began = tmp_path / "run", tmp_path / "began"
    (folder / ".hydra").mkdir(parents=True)
    began.mkdir()
    told = {"hydra": {"runtime": {"cwd": str(began)}}}
    OmegaConf.save(OmegaConf.create(told), folder / ".hydra" / "hydra.yaml")
    (began / "mine.csv").write_text("text,label")
    paths = {"data_dir": "data", "cache_dir": "/cache", "output_dir": str(folder)}
    datamodule = {"_target_": "rnnrepair.datamodules.text.CSVTextDataModule", "path": "mine.csv"}
    cfg = OmegaConf.create(
        {"paths": paths, "datamodule": datamodule, "model": {"_target_": "own_net_of_test.Net"}}
    )
    return folder, began, cfg


def test_relative_paths_are_those_of_the_folder_that_the_run_began_in(run):
    folder, began, cfg = run
    (began / "data").mkdir()
    find_paths(cfg, folder, None)
    assert cfg.datamodule.path == str(began / "mine.csv")
    assert (cfg.paths.data_dir, cfg.paths.cache_dir) == (str(began / "data"), "/cache")
    assert missing_file(cfg) is None
    # Once more changes nothing.
    before = OmegaConf.to_container(cfg)
    find_paths(cfg, folder, None)
    assert OmegaConf.to_container(cfg) == before


def test_a_file_that_has_moved_is_read_in_the_folder_of_the_data(run, tmp_path):
    folder, began, cfg = run
    moved = tmp_path / "moved"
    moved.mkdir()
    (began / "mine.csv").rename(moved / "mine.csv")
    gone = cfg.copy()
    find_paths(gone, folder, None)
    assert missing_file(gone) == str(began / "mine.csv")
    with pytest.raises(IncompatibleCheckpointError, match=r"began/mine.csv.*data_dir="):
        FinishedFolder(folder, gone).data({})
    find_paths(cfg, folder, str(moved))
    assert (cfg.datamodule.path, cfg.paths.data_dir) == (str(moved / "mine.csv"), str(moved))


def test_a_project_that_has_moved_as_a_whole_is_read_where_it_is(run, tmp_path, monkeypatch):
    folder, began, cfg = run
    began.rename(tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setenv("HOME", str(tmp_path))
    cfg.paths.data_dir, cfg.paths.cache_dir = "~/project", None
    find_paths(cfg, folder, None)
    assert cfg.datamodule.path == "mine.csv"
    assert cfg.paths.data_dir == str(tmp_path / "project")
    assert cfg.paths.cache_dir is None


def test_a_run_that_does_not_tell_where_it_began_is_read_as_it_is(run):
    folder, _, cfg = run
    (folder / ".hydra" / "hydra.yaml").unlink()
    find_paths(cfg, folder, None)
    assert cfg.datamodule.path == "mine.csv"
    assert cfg.paths.data_dir == "data"


def test_a_class_of_ones_own_is_found_where_the_run_began_or_named(run, monkeypatch):
    folder, began, cfg = run
    monkeypatch.setattr(sys, "path", [*sys.path])
    finished = FinishedFolder(folder, cfg)
    message = r"model._target_ .* own_net_of_test.Net, which cannot be imported.*began"
    with pytest.raises(ConfigurationError, match=message):
        finished.network(None, {})
    (began / "own_net_of_test.py").write_text("class Other: pass")
    with pytest.raises(ConfigurationError, match="no attribute 'Net'"):
        finished.network(None, {})
