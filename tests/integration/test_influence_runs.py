"""Runs whose influence looks back at the training: what they keep, and what they refuse."""

import pytest
import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException

from rnnrepair.callbacks import InfluenceAnalysis, TrajectoryRecorder
from rnnrepair.errors import ConfigurationError
from rnnrepair.influence import Trajectory
from rnnrepair.models import SequenceClassifier
from tests.integration.conftest import train
from tests.quiet_trainer import quiet_trainer

SGD = ("influence=sgd", "optimization@model=sgd", "model.optimizer.lr=0.1", "augmentation.share=0")


def analysis_of(objects):
    (found,) = [c for c in objects["callbacks"] if isinstance(c, InfluenceAnalysis)]
    return found


def test_tracin_sums_over_checkpoints_that_a_run_keeps(quick, tmp_path, caplog):
    caplog.set_level("INFO")
    _, objects = train(quick("influence=tracin", "influence.every=2"))
    kept = sorted((tmp_path / "run" / "checkpoints" / "kept").iterdir())
    assert [path.name for path in kept] == [f"epoch=00{e}.ckpt" for e in (1, 3, 5)]
    assert "TracIn sums over 2 moments" in caplog.text
    assert not (tmp_path / "cache" / "base").exists()
    assert len(analysis_of(objects).evidence)


def test_sgd_influence_reads_the_steps_that_a_run_records(quick, tmp_path):
    _, objects = train(
        quick(*SGD, "callbacks.influence_analysis.max_failures=2", "repair.rounds=1")
    )
    trajectory = Trajectory.load(tmp_path / "run" / "trajectory.safetensors")
    assert len(trajectory) == objects["trainer"].global_step
    parameters = dict(objects["model"].named_parameters())
    assert len(trajectory.final) == sum(p.numel() for p in parameters.values())
    assert {step.rate for step in trajectory.steps} >= {0.1}
    assert len(analysis_of(objects).evidence)


@pytest.mark.parametrize("strategy", ["clean", "pattern"])
def test_steps_are_not_recorded_where_samples_change(quick, strategy):
    with pytest.raises(MisconfigurationException, match="leave out TrajectoryRecorder"):
        train(quick(*SGD, f"repair.strategy={strategy}"))


class Recorded(SequenceClassifier):
    """Trained by what the test says."""

    make = None

    def configure_optimizers(self):
        return self.make(self.parameters())


def fit(data, optimizer, network=None, **options):
    torch.manual_seed(0)
    network = network or Recorded(4, 3, hidden_size=5)
    network.make = optimizer
    recorder = TrajectoryRecorder(**options.pop("recorder", {}))
    trainer = quiet_trainer(
        max_epochs=2,
        callbacks=[recorder],
        **options,
        reload_dataloaders_every_n_epochs=0,
    )
    trainer.fit(network, data)
    return recorder, network


def plain(parameters):
    return torch.optim.SGD(parameters, lr=0.2)


def test_every_step_is_the_formula_between_two_recorded_weights(make_data):
    data = make_data()
    recorder, network = fit(data, plain)
    trajectory = recorder.trajectory
    ends = [*(step.weights for step in trajectory.steps[1:]), trajectory.final]
    for step, after in zip(trajectory.steps, ends, strict=True):
        network.zero_grad()
        flat = step.weights.split([p.numel() for p in network.parameters()])
        with torch.no_grad():
            for parameter, values in zip(network.parameters(), flat, strict=True):
                parameter.copy_(values.view_as(parameter))
        network.loss(data.fetch(step.index)).backward()
        gradient = torch.cat([p.grad.flatten() for p in network.parameters()])
        torch.testing.assert_close(after, step.weights - step.rate * gradient)


@pytest.mark.parametrize(
    ("optimizer", "options", "told"),
    [
        (torch.optim.Adam, {}, "Adam"),
        (lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9), {}, "momentum"),
        (lambda p: torch.optim.SGD(p, lr=0.1, weight_decay=0.1), {}, "weight_decay"),
        (plain, {"gradient_clip_val": 1.0}, "clipped"),
        (plain, {"accumulate_grad_batches": 2}, "accumulate"),
        (plain, {"recorder": {"max_bytes": 1000}}, "max_bytes"),
        (plain, {"network": Recorded(4, 3, hidden_size=5, dropout=0.5)}, "dropout"),
    ],
)
def test_trainings_by_other_steps_are_refused(make_data, optimizer, options, told):
    with pytest.raises(MisconfigurationException, match=told):
        fit(make_data(), optimizer, **options)


def test_sgd_influence_without_a_recorder_is_refused_before_training(quick):
    cfg = quick(*SGD, "~callbacks.trajectory_recorder")
    with pytest.raises(ConfigurationError, match="TrajectoryRecorder"):
        train(cfg)
