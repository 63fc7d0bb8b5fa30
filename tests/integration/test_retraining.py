"""Training within a study: as the run was trained, one after another or stacked."""

import copy
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from hydra.utils import instantiate

from rnnrepair.callbacks.launch.plan import plan_epochs
from rnnrepair.callbacks.launch.retraining import ChangedBatches, TrainAgain
from rnnrepair.errors import ConfigurationError
from rnnrepair.models import stacked
from rnnrepair.safe_loading import read_checkpoint
from rnnrepair.sequences import Changes
from rnnrepair.studies import Retraining
from tests.integration.conftest import train, weights

ARMS = [
    Retraining(),
    Retraining(Changes(removed=torch.arange(0, 5000, 3))),
    Retraining(Changes(relabelled=torch.arange(40), new_label=torch.zeros(40).long())),
    Retraining(seed=5),
    Retraining(Changes(removed=torch.arange(100))),
    Retraining(Changes(removed=torch.arange(100)), seed=5),
]


@pytest.fixture
def again(quick):
    cfg = quick()
    data = instantiate(cfg.datamodule, _convert_="all")
    data.setup()
    plan_epochs(cfg, data.steps_per_epoch)
    return TrainAgain(cfg, data), data


def of(networks):
    return torch.stack([weights(network.module) for network in networks])


def test_a_training_without_changes_is_the_base_training_of_the_run(quick, again):
    cfg = quick("repair.rounds=1")
    train(cfg)
    base = read_checkpoint(Path(cfg.paths.output_dir) / "checkpoints" / "base.ckpt")["state_dict"]
    (found,) = again[0]([Retraining()])
    for name, weight in found.module.state_dict().items():
        assert torch.equal(weight, base[name]), name


def test_stacked_networks_are_those_trained_one_after_another(again, monkeypatch):
    trainer, _ = again
    monkeypatch.setattr(stacked, "FEW", 2)
    together = of(trainer(ARMS, epochs=2))
    monkeypatch.setattr(stacked, "FEW", 1000)
    alone = of(trainer(ARMS, epochs=2))
    torch.testing.assert_close(together, alone, rtol=1e-3, atol=1e-4)
    apart = torch.cdist(alone, alone) + 100 * torch.eye(len(ARMS))
    assert apart.min() > 0.01


def test_a_start_is_gone_on_from_and_stays_as_it_is(again):
    trainer, _ = again
    (first,) = trainer([Retraining()], epochs=1)
    start = first.module.state_dict()
    before = copy.deepcopy(start)
    same, other = of(trainer([Retraining(), Retraining(seed=3)], epochs=1, start=start))
    assert all(torch.equal(start[name], before[name]) for name in start)
    (anew,) = of(trainer([Retraining()], epochs=1))
    assert not torch.allclose(same, anew)
    assert not torch.allclose(same, other)


def test_what_a_repair_has_changed_is_left_out_and_put_back(again):
    trainer, data = again
    (expected,) = of(trainer([Retraining()], epochs=1))
    batch = data.fetch(data.indices("fit")[:50])
    data.apply(Changes(batch.inputs, batch.lengths, batch.label, removed=torch.arange(30)))
    seed, n_injected = data.seed, data.n_injected
    (found,) = of(trainer([Retraining(seed=0)], epochs=1))
    assert torch.equal(found, expected)
    assert (data.seed, data.n_injected) == (seed, n_injected)


def test_a_run_in_a_later_epoch_is_told_the_same(again):
    trainer, data = again
    (expected,) = of(trainer([Retraining()], epochs=2))
    data.trainer = SimpleNamespace(current_epoch=7)
    (found,) = of(trainer([Retraining()], epochs=2))
    assert torch.equal(found, expected)


def test_random_numbers_of_others_stay(again):
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    again[0]([Retraining()], epochs=1)
    assert torch.equal(torch.rand(4), expected)


def test_changes_that_cannot_be_trained_are_refused(again):
    trainer, data = again
    weighed = Changes(reweighted=torch.tensor([1]), weight=torch.tensor([0.5]).double())
    batch = data.fetch(data.indices("fit")[:2])
    more = Changes(batch.inputs, batch.lengths, batch.label)
    beside = Changes(batch.inputs, batch.lengths, batch.label, origin=batch.index)
    for changes, told in ((weighed, "reweights"), (more, "the place"), (beside, "the place")):
        with pytest.raises(ConfigurationError, match=told):
            trainer([Retraining(changes)], epochs=1)


def test_a_sequence_takes_the_place_of_the_one_it_was_made_from(again):
    _, data = again
    whole = list(data.train_dataloader())
    there = whole[1].index[[2, 5]]
    new = torch.rand(2, 4, 28)
    changes = Changes(
        new, torch.tensor([4, 3]), torch.tensor([7, 8]), origin=there.flip(0), removed=there
    )
    changed = list(ChangedBatches(data.train_dataloader(), changes))
    assert [len(batch) for batch in changed] == [len(batch) for batch in whole]
    assert changed[1].label[[5, 2]].tolist() == [7, 8]
    assert changed[1].lengths[[5, 2]].tolist() == [4, 3]
    assert torch.equal(changed[1].inputs[5, :4], new[0])
    assert torch.equal(changed[1].inputs[2, :3], new[1, :3])
    assert not changed[1].inputs[5, 4:].any()
    others = [i for i in range(len(whole[1])) if i not in (2, 5)]
    assert torch.equal(changed[1].inputs[others], whole[1].inputs[others])


def test_what_is_removed_leaves_its_batch_and_nothing_else(again):
    _, data = again
    loader = data.train_dataloader()
    whole = list(loader)
    removed = torch.cat([whole[0].index, whole[1].index[::3]])
    relabelled = whole[2].index[:5]
    changes = Changes(removed=removed, relabelled=relabelled, new_label=torch.full((5,), 9))
    changed = list(ChangedBatches(loader, changes))
    assert len(changed) == len(whole) - 1  # nothing is left of the first
    rest = torch.arange(len(whole[1])) % 3 != 0
    assert torch.equal(changed[0].index, whole[1].index[rest])
    assert torch.equal(changed[0].inputs, whole[1].inputs[rest])  # augmented as before
    assert changed[1].label[:5].tolist() == [9] * 5
    assert torch.equal(changed[1].label[5:], whole[2].label[5:])
    for one, other in zip(changed[2:], whole[3:], strict=True):
        assert torch.equal(one.inputs, other.inputs)
        assert torch.equal(one.label, other.label)


def test_batches_of_another_form_are_refused(again):
    loader = again[1].train_dataloader()
    loader.collate_fn = vars
    with pytest.raises(ConfigurationError, match="given as dict"):
        next(iter(ChangedBatches(loader, Changes())))
