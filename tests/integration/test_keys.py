"""Keys of the configuration are named by the launcher alone."""

import ast
import re

import pytest
from omegaconf import DictConfig, OmegaConf

from rnnrepair.callbacks.launch.keys import faults_in, key_of
from tests.integration.conftest import ROOT, composed

EXPERIMENTS = ("mnist_repair", "mnist_cnn_repair", "sst_repair", "mnist_repair_published")
STUDIES = sorted(path.stem for path in (ROOT / "configs" / "study").glob("*.yaml"))
GROUPS = {path.name for path in (ROOT / "configs").iterdir() if path.is_dir()} - {"__pycache__"}


def paths_of(node: DictConfig, path: str = "") -> set[str]:
    """All keys that have a dot in them."""
    found = {path} if "." in path else set()
    for name in node if isinstance(node, DictConfig) else ():
        child = OmegaConf.to_container(node, resolve=False)[name]
        below = f"{path}.{name}".lstrip(".")
        found |= paths_of(OmegaConf.create(child), below) if isinstance(child, dict) else {below}
    return found


@pytest.fixture(scope="module")
def keys():
    found = set()
    for experiment in EXPERIMENTS:
        found |= paths_of(composed(f"+experiment={experiment}", f"study=[{','.join(STUDIES)}]"))
    return {key for key in found if "." in key}


def literals(file):
    """The texts of a file, those of f-strings with what they are made of left out."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def named(text: str, keys: set[str]) -> set[str]:
    dotted = set(re.findall(r"(?<![\w.])[a-z]\w*(?:\.\w+)+", text)) & keys
    choices = {f"{g}={o}" for g, o in re.findall(r"(?<![\w.])([a-z]+)=([a-z_]+)", text)}
    options = {
        choice
        for choice in choices
        if choice.split("=")[0] in GROUPS
        and (ROOT / "configs" / choice.split("=")[0] / f"{choice.split('=')[1]}.yaml").is_file()
    }
    return dotted | options


def test_the_search_finds_what_it_looks_for(keys):
    assert len(keys) > 200
    text = "set abstraction.n_components, or influence=segment, or trainer.devices=1."
    found = {"abstraction.n_components", "influence=segment", "trainer.devices"}
    assert named(text, keys) == found
    assert not named("AbstractionSettings.n_components, rnnrepair.repair, influence=None", keys)


@pytest.mark.parametrize("room", ["rnnrepair", "callbacks", "datamodules"])
def test_only_the_launcher_names_keys(room, keys):
    """Messages name arguments: programs of one's own have no configuration."""
    for file in (ROOT / room).rglob("*.py"):
        if "launch" in file.parts:
            continue
        for line, text in literals(file):
            assert not named(text, keys), f"{file}:{line} {text!r}"


def test_a_key_is_followed_to_where_a_user_sets_it():
    cfg = composed("+experiment=mnist_repair")
    chain = "callbacks.repair_injection"
    assert key_of(cfg, f"{chain}.budget") == "repair.budget"
    assert key_of(cfg, f"{chain}.strategy.sources") == "repair.strategies.guided.sources"
    assert key_of(cfg, f"{chain}.edits.scale") == "edits.image.scale"
    assert key_of(cfg, "callbacks.state_abstraction.settings.tol") == "abstraction.tol"
    assert key_of(cfg, "callbacks.state_abstraction.settings.seed") == "seed"
    assert key_of(cfg, "datamodule.augmentation.share") == "augmentation.share"
    assert key_of(cfg, "model.no_such_thing.x") == "model.no_such_thing.x"


def test_what_cannot_be_resolved_yet_is_no_fault():
    cfg = composed("+experiment=mnist_repair")
    cfg.datamodule.data_dir = "${oc.env:NO_SUCH_VARIABLE}"
    cfg.datamodule.seed = "five"
    (told,) = faults_in(cfg, "datamodule")
    assert told == "datamodule.seed: expected an integer, got 'five'"
