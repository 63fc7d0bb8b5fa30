"""Keys of the configuration are named by the launcher alone."""

import ast
import logging
import re

import pytest
from omegaconf import DictConfig, OmegaConf

from rnnrepair.callbacks.launch.check import check_config
from rnnrepair.callbacks.launch.keys import faults_in, key_of, keys_by_name
from rnnrepair.callbacks.launch.main import objective
from rnnrepair.callbacks.launch.messages import keys_in, naming_keys, with_keys
from rnnrepair.callbacks.launch.unknown_keys import READ_BY_NAME, check_keys
from rnnrepair.errors import ConfigurationError, DataError
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
    cfg = composed("+experiment=mnist_repair", "repair.strategy=guided")
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


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("+strip_labels=true", "datamodule.strip_labels=true"),
        ("+budget=3", "repair.budget=3"),
        ("+n_component=3", "abstraction.n_components=3"),
        ("+share=.5", "augmentation.share=0.5 or datamodule.planted.share=0.5"),
        ("+no_such_thing=1", "leave it out"),
    ],
)
def test_a_key_at_the_top_that_nothing_reads_is_refused_with_the_one_that_is_meant(written, meant):
    cfg = composed("+experiment=csv_repair", "datamodule.path=x.csv", written)
    with pytest.raises(ConfigurationError, match=re.escape(meant)):
        check_config(cfg)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("+repair.budgett=3", "nothing reads repair.budgett: write repair.budget=3"),
        ("+repair.clean.shares=.2", "nothing reads repair.clean.shares: write repair.clean.share"),
        ("+schedule.base_epoch=3", "nothing reads schedule.base_epoch: write schedule.base_epochs"),
        ("+paths.no_such_thing=x", "nothing reads paths.no_such_thing: leave it out"),
        ("+augmentation.edits=image", "nothing reads augmentation.edits: write"),
    ],
)
def test_a_key_of_a_group_that_nothing_reads_is_refused(written, told):
    with pytest.raises(ConfigurationError, match=re.escape(told)):
        check_config(composed("+experiment=mnist_repair", written))


def test_every_other_group_is_made_into_classes_that_refuse_for_themselves():
    """A group of plain values that is in no list would take any key without a word."""
    cfg = composed("+experiment=mnist_repair")
    for group in GROUPS & set(cfg) - set(READ_BY_NAME):
        node = OmegaConf.to_container(cfg[group], resolve=False)
        parts = [part for part in node.values() if part is not None]
        assert "_target_" in node or all(isinstance(part, dict) for part in parts), group


def test_keys_of_ones_own_that_others_refer_to_are_taken():
    check_config(composed("+experiment=mnist_repair", "+mine=3", "repair.budget=${mine}"))
    check_config(composed("+experiment=mnist_repair", "+paths.mine=x", "name=${paths.mine}"))
    strategy = "+repair.strategies.mine={_target_: rnnrepair.repair.NoRepair}"
    check_config(composed("+experiment=mnist_repair", strategy, "repair.strategy=mine"))


def test_scripts_refuse_unknown_keys_too():
    known = OmegaConf.create({"run": "somewhere", "data_dir": None})
    check_keys(known, "report")
    with pytest.raises(ConfigurationError, match=r"data_dirr.*data_dir=x"):
        check_keys(OmegaConf.merge(known, {"data_dirr": "x"}), "report")


def test_what_chooses_is_the_key_of_what_is_chosen():
    keys = keys_by_name(composed("+experiment=mnist_repair"))
    assert keys["strategy"] == keys["called"] == ["repair.strategy"]
    assert keys["max_epochs"] == ["schedule.total_epochs"]
    assert keys["parents"] == ["repair.strategies.guided.parents", "repair.strategies.hard.parents"]


KEYS = {name: f"group.{name}" for name in ("path", "min_count", "rounds")}


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("set path", "set group.path"),
        ("(path=x)", "(group.path=x)"),
        ("raise rounds, or min_count", "raise group.rounds, or group.min_count"),
        # Plain words, files and columns of a user, calls in Python, and what is a key already.
        *((same, same) for same in ("the path of all rounds", "a/path=x.csv", "'min_count'")),
        *((same, same) for same in ("chain(rounds=2, edit=Edits())", "group.path=x", "path.name=")),
    ],
)
def test_arguments_in_messages_become_keys_and_nothing_else_does(told, expected):
    assert with_keys(told, KEYS) == expected


def test_the_log_and_errors_of_a_run_name_keys(tmp_path, caplog):
    """Both are worded by the data module, which knows arguments alone."""
    path = tmp_path / "reviews.csv"
    rows = [f"word{i % 7} and more,{'Good' if i % 3 else 'good'}" for i in range(90)]
    path.write_text("\n".join(["text,label", *rows, "bad,bad", "worse,bad"]) + "\n")
    options = (f"datamodule.path={path}", "logger=none", f"paths.root_dir={tmp_path}")
    cfg = composed("+experiment=csv_repair", *options, "datamodule.vectors=no.txt")
    cfg.paths.output_dir = str(tmp_path / "run")
    with pytest.raises(DataError, match=r"datamodule\.vectors"):
        objective(cfg)
    assert "set datamodule.strip_labels=true" in caplog.text


def test_no_words_are_changed_once_a_run_has_ended(caplog):
    cfg = composed("+experiment=mnist_repair")
    with naming_keys(cfg):
        logging.getLogger("rnnrepair.x").warning("raise %s", "max_share")
        logging.getLogger("another").warning("raise %s", "max_share")
    logging.getLogger("rnnrepair.x").warning("raise %s", "max_share")
    said = [record.getMessage() for record in caplog.records]
    assert said == ["raise repair.max_share", "raise max_share", "raise max_share"]


@pytest.mark.parametrize(
    ("text", "root", "told"),
    [
        ("trigger: columns=[3] is wide", "datamodule", "trigger: datamodule.trigger.columns=[3]"),
        ("rare: (columns=... of the data module)", "datamodule", "(datamodule.columns=..."),
        ("planted: classes=[7]", "datamodule", "datamodule.planted.classes=[7]"),
        ("Give the data module min_count=2", "", "datamodule.min_count=2"),
        ("set share=0 of the augmentation", "", "set augmentation.share=0 of"),
        ("Raise max_epochs, or begin earlier (start_epoch)", "", "schedule.total_epochs, or begin"),
        ("Raise max_epochs, or begin earlier (start_epoch)", "", "(schedule.base_steps)"),
        ("share=0", "", "share=0"),
    ],
)
def test_of_several_keys_the_message_tells_which(text, root, told):
    experiment = "sst_repair" if "min_count" in text else "mnist_repair"
    known = keys_by_name(composed(f"+experiment={experiment}", "+datamodule.columns=[]"))
    known["classes"] = ["datamodule.classes", "datamodule.planted.classes"]
    assert told in with_keys(text, keys_in(text, known, root))


@pytest.mark.parametrize(
    ("experiment", "strategy", "told"),
    [
        (
            "snippets_repair",
            "pattern_augments",
            "for images and series; of texts: pattern_from_start",
        ),
        ("snippets_repair", "augment", "for images and series; of texts: all"),
        ("mnist_repair", "all", "for texts; of images and series: augment"),
        ("mnist_repair", "guidd", "did you mean guided"),
    ],
)
def test_strategies_of_other_data_are_told_with_what_does_the_same(experiment, strategy, told):
    with pytest.raises(ConfigurationError, match=told):
        check_config(composed(f"+experiment={experiment}", f"repair.strategy={strategy}"))
