"""What arms of a comparison have in common: data, steps in every stage, the unrepaired network."""

from pathlib import Path

import pytest
import torch
from pytorch_lightning import Callback

from rnnrepair.record import RunRecord
from rnnrepair.repair import Campaign
from tests.integration.conftest import dynamics_of, same_dynamics, train, weights

ARMS = (
    "none",
    "random",
    "class",
    "hard",
    "influence",
    "guided",
    "pattern",
    "failures",
    "mutated_failures",
    "fit_failures",
    "augment",
    "pattern_from_start",
    "pattern_augments",
)
ANEW = {"augment", "pattern_from_start", "pattern_augments"}
AUGMENTED = ("augmentation.share=0.5", "schedule.round_factor=0.5", "schedule.final_factor=0.1")


class Watch(Callback):
    """Remembers what every epoch trains on, and how."""

    def __init__(self):
        self.epochs = {}

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        epoch = self.epochs.setdefault(
            trainer.current_epoch, {"index": [], "edited": [], "rates": []}
        )
        epoch["index"].append(batch.index)
        parents = trainer.datamodule.fetch(batch.index)
        epoch["edited"].append((batch.inputs != parents.inputs).flatten(1).any(1))
        epoch["rates"].append(trainer.optimizers[0].param_groups[0]["lr"])
        if batch_idx == 0:
            epoch["weights"] = weights(pl_module).clone()
            epoch["memory"] = len(trainer.optimizers[0].state)


@pytest.fixture
def watched(quick):
    """Return a function that trains and returns summary, objects and what was seen."""

    def run(*overrides, folder="run"):
        watch = Watch()
        return *train(quick(*AUGMENTED, *overrides, folder=folder), watch), watch.epochs

    return run


def test_all_arms_make_the_same_steps_at_the_same_rates(watched):
    """Without repair a network made a quarter fewer steps: the repair was given the credit."""
    stages, before = {}, {}
    for arm in ARMS:
        summary, _, epochs = watched(f"repair.strategy={arm}", folder=arm)
        # What trains anew begins with epoch 3, all others come from the shared base or make it.
        first = 3 if arm in ANEW else 0
        own = [epochs[e] for e in sorted(epochs) if e >= first]
        stages[arm] = [(len(e["rates"]), *set(e["rates"])) for e in own][-3:]
        before[arm] = summary["before"]
        assert summary["arm"] == summary["strategy"] == arm
        assert (summary["injected"] == 0) == (arm in {"none", *ANEW})
        steps = summary["steps"]
        assert steps == stages_steps(stages["none"]) + 3 * 16, arm
    assert all(stages[arm] == stages["none"] for arm in ARMS), stages
    # Two rounds of their own, then the end: longer every time, at the rate of its stage.
    assert [rate for _, rate in stages["none"]] == pytest.approx([0.005, 0.005, 0.001])
    assert all(before[arm] == before["none"] for arm in ARMS)


def stages_steps(stages):
    return sum(steps for steps, _ in stages)


@pytest.mark.parametrize("arm", ["none", "guided"])
def test_augmentation_alone_mirrors_rounds_of_several_epochs(watched, arm):
    plan = ("schedule.round_epochs=2", "schedule.final_epochs=2")
    stages = {}
    for name, first in ((arm, 0), ("augment", 3)):
        _, _, epochs = watched(f"repair.strategy={name}", *plan, folder=name)
        own = [epochs[e] for e in sorted(epochs) if e >= first]
        stages[name] = [(len(e["rates"]), e["rates"][0]) for e in own]
    assert len(stages[arm]) == 3 + 2 * 2 + 2
    assert stages["augment"] == stages[arm]


def test_augmentation_alone_is_a_new_network_on_all_the_data(watched):
    summary, objects, epochs = watched("repair.strategy=augment", "edits.image.rotation=7")
    data = objects["datamodule"]
    assert summary["stop_reason"] == "trained_anew"
    assert sorted(epochs) == list(range(9))
    assert torch.equal(epochs[0]["weights"], epochs[3]["weights"])
    assert (epochs[0]["memory"], epochs[3]["memory"]) == (0, 0)
    # Dynamics speak of the new network alone.
    assert dynamics_of(objects)["n_epochs"] == 6
    fit, repair = (set(data.indices(split).tolist()) for split in ("fit", "repair"))
    seen = {e: set(torch.cat(epochs[e]["index"]).tolist()) for e in epochs}
    assert seen[0] <= fit
    assert set.union(*(seen[e] for e in range(3, 9))) == fit | repair
    edited = torch.cat([e for epoch in range(3, 9) for e in epochs[epoch]["edited"]])
    assert float(edited.double().mean()) == pytest.approx(0.5, abs=0.03)
    # Rates of base, rounds and end once more.
    rates = [epochs[e]["rates"][0] for e in range(3, 9)]
    assert rates == pytest.approx([0.01, 0.01, 0.01, 0.005, 0.005, 0.001])


def test_arms_make_the_same_steps_where_the_base_leaves_no_failures(watched, monkeypatch):
    open_round = Campaign.open_round
    monkeypatch.setattr(Campaign, "open_round", lambda self, _, val: open_round(self, 0, val))
    steps = {arm: watched(f"repair.strategy={arm}", folder=arm)[0] for arm in ("none", "augment")}
    assert steps["none"]["steps"] == steps["augment"]["steps"]
    assert [s["stop_reason"] for s in steps.values()] == ["no_failures", "trained_anew"]


@pytest.mark.parametrize("arm", ["none", "guided"])
def test_the_repair_split_is_trained_on_at_the_end_and_not_before(watched, arm):
    _, objects, epochs = watched(f"repair.strategy={arm}")
    data = objects["datamodule"]
    repair = data.indices("repair")
    shares = [
        float(torch.isin(repair, torch.cat(epochs[e]["index"])).double().mean())
        for e in sorted(epochs)
    ]
    assert shares[:-1] == [0.0] * 5
    assert shares[-1] > 0.75
    for split in ("val", "test"):
        seen = torch.cat([i for e in epochs.values() for i in e["index"]])
        assert not torch.isin(data.indices(split), seen).any()


def test_none_sees_originals_again_where_others_see_repair_samples(watched):
    _, objects, epochs = watched("repair.strategy=none")
    fit = objects["datamodule"].indices("fit")
    for e, more in zip(range(5), (0, 0, 0, 1, 2), strict=True):
        index = torch.cat(epochs[e]["index"])
        assert set(index.tolist()) == set(fit.tolist())
        assert (len(index) - len(fit) > 0) == (more > 0)


@pytest.mark.parametrize("first", ["augment", "guided"])
def test_the_base_is_the_same_whichever_arm_made_it(watched, quick, tmp_path, first):
    """Arms follow the base at rates of their own, and a checkpoint holds that of the next epoch."""
    watched(f"repair.strategy={first}", folder="first")
    _, shared, epochs = watched("repair.strategy=random", folder="second")
    assert min(epochs) == 3  # the base was taken over
    _, alone, _ = watched("repair.strategy=random", "schedule.share_base=false", folder="alone")
    assert torch.equal(weights(shared["model"]), weights(alone["model"]))


@pytest.mark.parametrize("epoch", [4, 7])
def test_training_anew_goes_on_where_it_was_stopped(quick, epoch):
    from tests.integration.test_resume import Crash

    options = (*AUGMENTED, "repair.strategy=augment", "schedule.share_base=false")
    _, whole = train(quick(*options, folder="whole"))
    with pytest.raises(RuntimeError, match="power cut"):
        train(quick(*options, folder="broken"), Crash(epoch, 2))
    checkpoint = Path(quick(folder="broken").paths.output_dir) / "checkpoints" / "last.ckpt"
    _, resumed = train(quick(*options, f"ckpt_path='{checkpoint}'", folder="resumed"))
    assert torch.equal(weights(whole["model"]), weights(resumed["model"]))
    assert same_dynamics(whole, resumed)


def test_a_rare_pattern_is_reported_on_digits_of_its_own(quick):
    cfg = quick(
        "datamodule.rare={_target_:rnnrepair.datamodules.RareEdit,edits:${edits.planted}}",
        "repair.rounds=1",
    )
    summary, objects = train(cfg)
    assert summary["data"]["test_rare"] == summary["data"]["test"] == 300
    rare = RunRecord.load(Path(cfg.paths.output_dir)).repair.answers["test_rare"]
    for moment in ("before", "after"):
        right = (getattr(rare, moment) == rare.label).double().mean()
        assert summary[moment]["test_rare_accuracy"] == pytest.approx(float(right))
    assert summary["after"]["test_rare_accuracy"] < summary["after"]["test_accuracy"]
    data = objects["datamodule"]
    trained = set(data.training_index().tolist())
    assert trained.isdisjoint(data.indices("test_rare").tolist())
