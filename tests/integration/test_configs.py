"""Every configuration composes and instantiates, every key is explained."""

from pathlib import Path

import pytest
import yaml
from hydra.utils import instantiate
from omegaconf import OmegaConf

from rnnrepair.callbacks.launch.check import check_config
from rnnrepair.callbacks.launch.plan import plan_epochs
from rnnrepair.errors import ConfigurationError
from tests.integration.conftest import ROOT, composed

CONFIGS = ROOT / "configs"


def options(group):
    return sorted(path.stem for path in (CONFIGS / group).glob("*.yaml"))


# An option that only makes sense together with another one.
TOGETHER = {
    "datamodule=mnist_published": ("+experiment=mnist_repair_published",),
    "datamodule=csv": ("datamodule.path=reviews.csv",),
    "model=text_classifier": ("datamodule=sst",),
    "csv_repair": ("datamodule.path=reviews.csv",),
}


def resolvable(tmp_path, *overrides):
    cfg = composed(*overrides)
    OmegaConf.update(cfg, "paths.output_dir", str(tmp_path))
    check_config(cfg)
    plan_epochs(cfg, steps_per_epoch=100)
    return cfg


@pytest.mark.parametrize("experiment", options("experiment"))
def test_every_experiment_composes_and_instantiates(experiment, tmp_path):
    more = TOGETHER.get(experiment, ())
    cfg = resolvable(tmp_path, f"+experiment={experiment}", "logger=csv", *more)
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


def test_unknown_names_are_all_refused_in_one_message(tmp_path):
    cfg = composed("repair.strategy=magic", "repair.edit=genes", "ckpt_path=nowhere.ckpt")
    with pytest.raises(ConfigurationError) as error:
        check_config(cfg)
    for part in ("repair.strategy", "magic", "guided", "genes", "image", "nowhere.ckpt"):
        assert part in str(error.value)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.cell=transformer", "model.cell must be one of"),
        ("model.hidden_size=0", "model.hidden_size"),
        ("model.dropout=1.5", "model.dropout"),
        ("influence.method.distance=euclid", "distance must be one of"),
        ("influence.top=0", "top must be at least 1"),
        ("abstraction.n_components=0", "abstraction.n_components"),
        ("abstraction.n_components=[7,x]", "abstraction.n_components"),
        ("abstraction.n_components=50000", "abstraction.fit_states"),
        ("abstraction.selection=luck", "abstraction.selection must be one of"),
        ("abstraction.reduction_dims=0", "abstraction.reduction_dims"),
        ("datamodule.source=floppy", "datamodule.source must be one of"),
        ("datamodule.batch_size=0", "datamodule.batch_size"),
        ("edits.image.rotation=181", "edits.image.rotation"),
        ("edits.image.scale=[1.1,0.9]", "edits.image.scale"),
        ("augmentation.share=2", "augmentation.share"),
        ("repair.budget=0", "repair.budget"),
        ("repair.budget=1000", "raise repair.strategies.guided.mutations"),
        ("repair.max_share=0", "repair.max_share"),
        ("repair.strategies.guided.parents=0", "repair.strategies.guided.parents"),
        ("callbacks.trace_collector.calendar.every=0", "every >= 1"),
    ],
)
def test_a_wrong_value_names_its_key(override, message, tmp_path):
    with pytest.raises(Exception, match=message.replace(".", r"\.")):  # noqa: PT012
        cfg = resolvable(tmp_path, override)
        instantiate(cfg.datamodule, _convert_="all")
        instantiate(cfg.model, _convert_="all")
        for callback in cfg.callbacks.values():
            instantiate(callback, _convert_="all")


@pytest.mark.parametrize(
    "override", ["schedule.base_steps=0", "schedule.final_steps=-1", "repair.rounds=0"]
)
def test_a_wrong_schedule_names_its_key(override, tmp_path):
    with pytest.raises(ConfigurationError, match=override.split("=")[0].replace(".", r"\.")):
        resolvable(tmp_path, override)


@pytest.mark.parametrize("path", sorted(CONFIGS.rglob("*.yaml")), ids=lambda p: str(p.stem))
def test_every_key_has_a_comment(path: Path):
    lines = path.read_text().splitlines()
    yaml.safe_load(path.read_text())
    uncommented = []
    for number, line in enumerate(lines):
        stripped = line.strip()
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
