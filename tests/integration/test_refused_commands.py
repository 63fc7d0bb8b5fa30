"""Mistakes on the command line are told in one line, with the key that is meant."""

import os

import pytest
from hydra.errors import HydraException, InstantiationException
from hydra.utils import instantiate
from omegaconf import OmegaConf
from omegaconf.errors import InterpolationKeyError, MissingMandatoryValue

from rnnrepair.callbacks.launch.check import check_config, unplanted
from rnnrepair.callbacks.launch.refused_overrides import FULL_ERROR, telling_refusals, told_of
from rnnrepair.callbacks.launch.threads import use_threads
from rnnrepair.callbacks.launch.unknown_keys import made_of
from rnnrepair.callbacks.launch.user_errors import told
from rnnrepair.errors import ConfigurationError
from rnnrepair.influence import Doubting
from tests.integration.conftest import composed
from tests.integration.programs import run_program

RUN = "+experiment=mnist_repair"


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("repair.stratagy=pattern", "repair.stratagy is no key: write repair.strategy=pattern."),
        ("strategy=pattern", "strategy is no key: write repair.strategy=pattern."),
        ("model.hidden=3", "model.hidden is no key: write model.hidden_size=3"),
        ("trainer.max_steps=9", "trainer.max_steps has no value yet: write +trainer.max_steps=9."),
        ("repair.qqq=1", "repair.qqq is no key: repair has anchor, budget, clean, edit,"),
        ("datamodule=foo", "datamodule=foo does not exist: choose csv, imdb, mnist_published,"),
        ("study=foo", "study=foo does not exist: choose automaton, backdoor,"),
        ("+experiment=mnist", "experiment=mnist does not exist: choose csv_repair,"),
        ("experiment=mnist_repair", "write +experiment=mnist_repair."),
        ("study=null", "study=null: name automaton, backdoor,"),
        ("mnist_repair", "mnist_repair is no KEY=VALUE: write +experiment=mnist_repair."),
        ("nonsense", "nonsense is no KEY=VALUE, such as seed=1"),
        ("repair.budget=[1,2", "repair.budget=[1,2 cannot be read (no viable alternative"),
        ("+repair.strategy=hard", "repair.strategy is a key already: write it without a +."),
        ("seed=0,1", "seed=0,1 asks for several runs: write -m before it, or seed=[0,1]"),
        ("optimization=sgd", "write optimization@model=sgd."),
    ],
)
def test_what_hydra_refuses_is_told_with_what_to_write(written, told):
    # Hydra composes what others have written first: +experiment is not in the defaults.
    others = [] if "experiment" in written else [RUN]
    with pytest.raises((HydraException, ValueError)) as refused:
        composed(*others, written)
    found = told_of(refused.value, "train", [*others, written])
    assert told in found
    assert "\n" not in found


def test_several_mistakes_hide_no_suggestion():
    """The configuration is composed without what is wrong with it, to look for what is meant."""
    arguments = [RUN, "repair.stratagy=pattern", "modell.cell=gru"]
    with pytest.raises(HydraException) as refused:
        composed(*arguments)
    assert "repair.strategy=pattern" in told_of(refused.value, "train", arguments)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("+datamodule.colums=[0,1]", "nothing reads datamodule.colums: leave it out"),
        ("+datamodule.digit=[0,1]", "nothing reads datamodule.digit: write datamodule.digits="),
        ("+model.hidden=3", "nothing reads model.hidden: write model.hidden_size=3"),
        ("+trainer.max_epoch=3", "nothing reads trainer.max_epoch: write trainer.max_epochs=3"),
        ("+abstraction.n_component=3", "abstraction.n_component: write abstraction.n_components=3"),
        (
            "+edits.image.rotatoin=3",
            "nothing reads edits.image.rotatoin: write edits.image.rotation",
        ),
        (
            "model._target_=rnnrepair.models.Nothing",
            "model._target_=rnnrepair.models.Nothing cannot",
        ),
        (
            "threads=0",
            "threads: expected an integer of at least 1, or null for all cores, got 0",
        ),
        ("threads=abc", "or null for all cores, got 'abc'"),
        ("trainer.devices=4", "one device, got 4: write trainer.devices=1"),
        ("model.optimizer.lr=-1", "model.optimizer: Invalid learning rate: -1"),
        ("model.optimizer.lr=fast", "model.optimizer: "),
        (
            "+model.optimizer.weightdecay=.1",
            "model.optimizer.weightdecay: write +model.optimizer.we",
        ),
        ("model.optimizer=sgd", "another one is chosen by optimization@model=sgd"),
    ],
)
def test_what_no_class_takes_is_told_before_anything_is_loaded(written, told):
    with pytest.raises(ConfigurationError) as refused:
        check_config(composed(RUN, written))
    assert told in str(refused.value)


def test_what_a_class_of_a_library_refuses_is_told_with_its_key():
    cfg = OmegaConf.create(
        {
            "trainer": {"_target_": "pytorch_lightning.Trainer", "accelerator": "gpuu"},
            "ours": {"_target_": "rnnrepair.repair.GuidedRepair", "parent": 3},
        }
    )
    with pytest.raises(InstantiationException) as refused:
        instantiate(cfg.trainer)
    line = told(refused.value)
    assert line.startswith("ConfigurationError: trainer (pytorch_lightning.")
    assert "gpuu" in line
    # One of ours would be a fault of the program, and keeps its traceback.
    with pytest.raises(InstantiationException) as refused:
        instantiate(cfg.ours)
    assert told(refused.value) is None


def test_parts_that_do_not_belong_together_are_told():
    cfg = composed("+experiment=series_repair", "model=text_classifier")
    with pytest.raises(InterpolationKeyError) as refused:
        OmegaConf.to_container(cfg.model, resolve=True)
    line = told(refused.value)
    assert "model.input_size has the value of datamodule.embedding_size, which is not there" in line
    assert "\n" not in line


def test_a_value_that_must_be_named_is_named():
    cfg = OmegaConf.create({"run": "???", "round": "???"})
    for key, value in (("round", "<value>"), ("run", "outputs/mnist_repair/<time>")):
        with pytest.raises(MissingMandatoryValue) as refused:
            cfg[key]
        assert f"value: {key}. Name it, {key}={value};" in told(refused.value)


def test_nothing_is_told_twice():
    with pytest.raises(ConfigurationError) as refused:
        check_config(composed(RUN, "seed=abc"))
    assert str(refused.value).count("seed") == 1


@pytest.mark.parametrize("experiment", ["csv_repair", "series_rare", "mnist_repair_published"])
def test_configurations_that_run_are_taken(experiment):
    check_config(composed(f"+experiment={experiment}", "study=[faults,patterns,validity]"))


def test_arguments_of_a_study_are_checked_too():
    with pytest.raises(
        ConfigurationError, match=r"study\.patterns\.levl: write study\.patterns\.level"
    ):
        check_config(composed(RUN, "study=patterns", "+study.patterns.levl=.1"))


def test_a_pattern_that_is_planted_nowhere_is_refused():
    cfg = composed(RUN, "plant=inverted")
    (told,) = unplanted(cfg, {"plant"})
    for part in ("plant: nothing is planted here", "mnist_rare", "series_rare", "RareEdit"):
        assert part in told
    assert not unplanted(cfg, {"repair.strategy"})
    assert not unplanted(composed("+experiment=mnist_rare", "plant=inverted"), {"plant"})
    assert not unplanted(composed(RUN, "plant=inverted", "repair.edit=known"), {"plant"})
    added = told[told.index("'+") + 1 : -1]
    check_config(composed(RUN, "plant=inverted", added))
    assert not unplanted(composed(RUN, "plant=inverted", added), {"plant"})


@pytest.mark.parametrize("edit", ["known", "every"])
def test_edits_that_would_draw_the_rest_from_themselves_are_refused(edit):
    with pytest.raises(ConfigurationError, match=f"augmentation.edit={edit}.*one of"):
        check_config(composed("+experiment=mnist_cnn_repair", f"repair.edit={edit}"))
    for experiment in ("mnist_rare", "series_rare"):
        check_config(composed(f"+experiment={experiment}", f"repair.edit={edit}"))


def test_numbers_of_threads_are_checked_in_every_program():
    for wrong in (0, -1, 2.5, "two", True):
        with pytest.raises(ConfigurationError, match="threads: expected an integer of at least 1"):
            use_threads(wrong)
    use_threads(None)


@pytest.mark.parametrize("written", ["arguments={hidden: 40}", "arguments.hidden=40"])
def test_sections_for_arguments_of_others_are_open(written):
    assert composed(written, name="explain").arguments == {"hidden": 40}
    assert composed("abstraction.tol=.1", name="finished").abstraction == {"tol": 0.1}
    with pytest.raises(HydraException):
        composed("argument.hidden=40", name="explain")


def test_settings_of_a_section_that_its_class_does_not_take_are_told():
    made = made_of(Doubting, OmegaConf.create({"doubting": {"odds": 100}}), "doubting")
    assert made == Doubting(odds=100)
    with pytest.raises(ConfigurationError, match=r"nothing reads doubting\.od: it has odds"):
        made_of(Doubting, OmegaConf.create({"doubting": {"od": 100}}), "doubting")
    with pytest.raises(ConfigurationError, match=r"^doubting\.odds: expected"):
        made_of(Doubting, OmegaConf.create({"doubting": {"odds": "many"}}), "doubting")


def test_an_error_that_is_none_of_hydras_keeps_its_traceback(monkeypatch, capsys):
    monkeypatch.delenv(FULL_ERROR, raising=False)
    with pytest.raises(ValueError, match="of the program"), telling_refusals("train"):
        raise ValueError("of the program")
    assert FULL_ERROR not in os.environ
    monkeypatch.setenv(FULL_ERROR, "1")
    with pytest.raises(HydraException), telling_refusals("train"):
        raise HydraException("as it is")


def test_the_command_ends_with_one_line(tmp_path):
    ran = run_program(tmp_path, "train.py", RUN, "repair.stratagy=pattern")
    assert ran.returncode == 2
    told = "train: repair.stratagy is no key: write repair.strategy=pattern.\n"
    assert ran.stderr.endswith(told)
    assert "Traceback" not in ran.stderr
