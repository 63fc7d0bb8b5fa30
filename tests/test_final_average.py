"""The final network is the mean of the last weights, and nothing before it changes."""

import copy
from functools import partial

import pytest
import pytorch_lightning as pl
import torch
from torch.optim import SGD

from rnnrepair.callbacks import FinalAverage
from rnnrepair.errors import SettingsError
from rnnrepair.models import SequenceClassifier, staged_rates
from tests.test_training_dynamics import fit

START, LAST = 2, 4


class Watch(pl.Callback):
    """Keeps the weights after every step, and val accuracy after every epoch."""

    def __init__(self):
        self.after, self.accuracy, self.rate = {}, [], []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        state = copy.deepcopy(pl_module.state_dict())
        self.after.setdefault(trainer.current_epoch, []).append(state)

    def on_train_epoch_end(self, trainer, pl_module):
        self.accuracy.append(float(trainer.callback_metrics["val/loss"]))
        self.rate.append(trainer.optimizers[0].param_groups[0]["lr"])


def network():
    torch.manual_seed(6)
    rates = partial(
        staged_rates, base_epochs=1, total_epochs=LAST, final_epochs=2, final_factor=0.5
    )
    return SequenceClassifier(
        4, 3, hidden_size=6, dropout=0.2, optimizer=partial(SGD, lr=0.5), scheduler=rates
    )


def checkpoints(folder):
    return pl.callbacks.ModelCheckpoint(
        folder, filename="{epoch}", save_top_k=-1, save_on_train_epoch_end=True
    )


def trained(make_data, folder, *callbacks, **options):
    pl.seed_everything(1, verbose=False)
    module, watch = network(), Watch()
    given = {"max_epochs": LAST, "enable_checkpointing": True} | options
    fit(module, make_data(), [watch, *callbacks, checkpoints(folder)], folder, **given)
    return module, watch


def state_of(folder, epoch):
    return torch.load(folder / f"epoch={epoch}.ckpt", weights_only=True)["state_dict"]


def equal(one, other):
    return all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.mark.parametrize("accumulate", [1, 2])
def test_the_final_network_is_the_mean_over_the_steps_of_the_last_epochs(
    make_data, tmp_path, accumulate
):
    options = {"accumulate_grad_batches": accumulate}
    module, watch = trained(make_data, tmp_path, FinalAverage(START), **options)
    steps = []
    for epoch in range(START, LAST):
        states = watch.after[epoch]
        for number, state in enumerate(states, 1):
            if number % accumulate == 0 or number == len(states):
                steps.append(state)
    for name, value in module.state_dict().items():
        mean = torch.stack([state[name] for state in steps]).mean(0)
        torch.testing.assert_close(value, mean)
        assert not torch.allclose(value, watch.after[LAST - 1][-1][name])
    # So says the last checkpoint.
    assert equal(module.state_dict(), state_of(tmp_path, LAST - 1))


def test_nothing_before_it_and_no_step_changes(make_data, tmp_path):
    _, without = trained(make_data, tmp_path / "without")
    _, averaged = trained(make_data, tmp_path / "averaged", FinalAverage(START))
    assert averaged.rate == without.rate
    assert averaged.accuracy[:START] == without.accuracy[:START]
    # Of the last epochs val sees the average.
    assert averaged.accuracy[START:] != without.accuracy[START:]
    for epoch in range(LAST):
        for one, other in zip(averaged.after[epoch], without.after[epoch], strict=True):
            assert equal(one, other)
    for epoch in range(START):
        assert equal(state_of(tmp_path / "averaged", epoch), state_of(tmp_path / "without", epoch))


def test_no_start_is_no_callback(make_data, tmp_path):
    without, _ = trained(make_data, tmp_path / "without")
    idle, _ = trained(make_data, tmp_path / "idle", FinalAverage(None))
    assert equal(without.state_dict(), idle.state_dict())
    one, other = (
        torch.load(tmp_path / name / f"epoch={LAST - 1}.ckpt", weights_only=True)
        for name in ("without", "idle")
    )
    assert one.keys() == other.keys()
    assert one["callbacks"].keys() == other["callbacks"].keys()


# Before it begins, as it begins, and within it.
@pytest.mark.parametrize("epoch", [START - 2, START - 1, START])
@pytest.mark.parametrize("knew", [True, False])
def test_resumed_is_uninterrupted(make_data, tmp_path, epoch, knew):
    def seeds():
        class Seeds(pl.Callback):
            def on_train_epoch_start(self, trainer, pl_module):
                torch.manual_seed(trainer.current_epoch)

        return Seeds()

    options = {"accumulate_grad_batches": 2}
    whole, _ = trained(make_data, tmp_path / "whole", FinalAverage(START), seeds(), **options)
    source = tmp_path / "whole"
    if not knew:
        # A checkpoint from a training that averaged nothing, such as a shared base.
        if epoch >= START:
            pytest.skip("it would lack what was averaged")
        source = tmp_path / "other"
        trained(make_data, source, seeds(), **options)
    path = source / f"epoch={epoch}.ckpt"
    options |= {"ckpt_path": path}
    resumed, _ = trained(make_data, tmp_path / "resumed", FinalAverage(START), seeds(), **options)
    assert equal(whole.state_dict(), resumed.state_dict())


def test_a_start_that_is_none_is_refused():
    with pytest.raises(SettingsError, match="start_epoch"):
        FinalAverage(-1)
