"""Text repair by phrases and counterfactuals, on trees that the test makes up."""

from collections import Counter

import pytest
import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException
from omegaconf import OmegaConf

from rnnrepair.repair import read_ledger, rebuild
from tests.integration.conftest import composed, train, weights
from tests.integration.test_resume import Crash
from tests.integration.test_text_run import QUICK, Watch, reviews
from tests.trees import treebank

FEW = (
    *QUICK,
    "datamodule.max_tokens=400",
    "datamodule.verify_checksum=false",
    "datamodule.source=folder",
    "datamodule.repair_share=0.3",
    "schedule.settle_epochs=1",
)


@pytest.fixture
def quick(tmp_path):
    treebank(tmp_path, (500, 60, 60))

    def make(*overrides, folder="run"):
        cfg = composed("+experiment=sst_repair", f"paths.data_dir={tmp_path}", *FEW, *overrides)
        OmegaConf.update(cfg, "paths.output_dir", str(tmp_path / folder))
        OmegaConf.update(cfg, "paths.cache_dir", str(tmp_path / "cache"))
        return cfg

    return make


@pytest.mark.parametrize("arm", ["phrase", "random_phrase", "counterfactual"])
def test_what_is_injected_is_rebuilt_and_of_training_sentences(quick, tmp_path, arm):
    summary, objects = train(quick(f"repair.strategy={arm}", "repair.budget=1"))
    data, rows = objects["datamodule"], read_ledger(tmp_path / "run" / "ledger.csv")
    assert summary["arm"] == arm
    assert len(rows) == summary["injected"] == 2 * summary["before"]["repair_failures"] > 0
    trained = set(torch.cat([data.indices("fit"), data.indices("repair")]).tolist())
    for row in rows:
        batch = data.fetch(torch.tensor([row.new_id]))
        assert torch.equal(rebuild(row, data), batch.sequences()[0])
        assert int(batch.label) == row.label
        assert row.parent_id in trained
    kinds = {"counterfactual": {"word", "copy"}}.get(arm, {"part"})
    assert {row.edit for row in rows} == kinds
    # Labels are their own: some are not those of the sentences they are made of.
    own = data.fetch(torch.tensor([row.parent_id for row in rows])).label
    assert (own != torch.tensor([row.label for row in rows])).any()


def test_phrases_from_the_start_train_a_new_network_in_as_many_steps(quick, tmp_path):
    watches = {arm: Watch() for arm in ("none", "all", "phrases_from_start")}
    steps, told, data = {}, {}, {}
    for arm, watch in watches.items():
        told[arm], objects = train(quick(f"repair.strategy={arm}", folder=arm), watch)
        steps[arm], data[arm] = told[arm]["steps"], objects["datamodule"]
    assert steps["phrases_from_start"] == steps["all"]
    arm = "phrases_from_start"
    planned = 2 * 2 * told["none"]["before"]["repair_failures"]
    n_fit = len(data[arm].indices("fit"))
    assert told[arm]["injected"] == data[arm].n_injected == min(planned, n_fit // 2) > 0
    assert told[arm]["before"] == told["none"]["before"]
    # From the weights that any network of this seed begins with, and from its first epoch on.
    first = min(watches[arm].weights)
    begun = watches["all"].weights[min(watches["all"].weights)]
    assert all(torch.equal(begun[name], w) for name, w in watches[arm].weights[first].items())
    rows = read_ledger(tmp_path / arm / "ledger.csv")
    assert len({(r.parent_id, r.parameters) for r in rows}) == len(rows)
    parents = torch.tensor([r.parent_id for r in rows])
    for split in ("fit", "repair"):
        assert torch.isin(parents, data[arm].indices(split)).any()


@pytest.mark.parametrize("arm", ["phrase", "phrases_from_start", "counterfactual"])
def test_resumed_run_equals_an_uninterrupted_one(quick, tmp_path, arm):
    options = (f"repair.strategy={arm}", "schedule.share_base=false")
    _, whole = train(quick(*options, folder="whole"))
    with pytest.raises(RuntimeError, match="power cut"):
        train(quick(*options, folder="cut"), Crash(4, 1))
    last = tmp_path / "cut" / "checkpoints" / "last.ckpt"
    summary, resumed = train(quick(*options, f"ckpt_path={last}", folder="resumed"))
    assert summary["injected"] > 0
    assert torch.equal(weights(whole["model"]), weights(resumed["model"]))
    ledgers = [read_ledger(tmp_path / folder / "ledger.csv") for folder in ("whole", "resumed")]
    assert ledgers[0] == ledgers[1]


def test_every_failure_has_as_many_samples_as_any(quick, tmp_path):
    train(quick("repair.strategy=phrase", "repair.rounds=1", "repair.budget=3"))
    rows = read_ledger(tmp_path / "run" / "ledger.csv")
    assert set(Counter(row.failure_id for row in rows).values()) == {3}


@pytest.mark.parametrize("arm", ["phrase", "random_phrase", "phrases_from_start", "clean+phrase"])
def test_data_without_trees_are_refused_before_training(quick, tmp_path, arm):
    path = reviews(tmp_path / "reviews.csv")
    cfg = composed(
        "+experiment=csv_repair", f"datamodule.path={path}", *QUICK, f"repair.strategy={arm}"
    )
    OmegaConf.update(cfg, "paths.output_dir", str(tmp_path / "run"))
    OmegaConf.update(cfg, "paths.cache_dir", str(tmp_path / "cache"))
    with pytest.raises(MisconfigurationException, match="KnowsPhrases"):
        train(cfg)
    other_words = quick(f"repair.strategy={arm}", "datamodule.tokenizer=basic_english")
    with pytest.raises(MisconfigurationException, match="tokenizer=split"):
        train(other_words)
    assert not list(tmp_path.glob("**/*.ckpt"))
