"""What a study is given of a finished run is what the run itself had found: bit for bit."""

import json

import pytest
import torch
from omegaconf import OmegaConf

from rnnrepair.abstraction import AbstractModel
from rnnrepair.callbacks.launch.finished import FinishedFolder
from rnnrepair.traces import Traces
from scripts.study import finished_run
from tests.integration.conftest import QUICK, composed, train
from tests.integration.test_studies import as_command_line, compose_finished


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run that ends with its first analysis: the network that was analysed is the last one."""
    folder = tmp_path_factory.mktemp("first") / "run"
    options = ("schedule.share_base=false", "repair.strategy=none")
    cfg = composed("+experiment=mnist_repair", *QUICK, *options)
    OmegaConf.update(cfg, "paths.output_dir", str(folder))
    OmegaConf.update(cfg, "paths.cache_dir", str(folder.parent / "cache"))
    OmegaConf.update(cfg, "trainer.max_epochs", cfg.schedule.base_epochs)
    as_command_line(cfg, folder)
    train(cfg)
    return folder


def tensors(model):
    parts = {"reduction": model.reduction, "mixture": model.mixture}
    named = {f"{p}.{n}": v for p, part in parts.items() for n, v in vars(part).items()}
    return named | {"counts": model.counts}


def test_a_finished_run_has_the_abstraction_and_the_traces_of_its_first_analysis(folder):
    (analysis,) = (folder / "analysis").iterdir()
    then = AbstractModel.load(analysis / "abstraction.safetensors")
    cfg = compose_finished(folder, "study=automaton")
    run = finished_run(FinishedFolder.open(folder), cfg)
    now, traces = run.abstraction(then.n_states)
    left, right = tensors(then), tensors(now)
    assert left.keys() == right.keys()
    for name, value in left.items():
        same = torch.equal(value, right[name]) if torch.is_tensor(value) else value == right[name]
        assert same, name
    for split in ("fit", "val"):
        kept = Traces.load(analysis / "traces" / split)
        for name in ("state", "prediction", "offsets", "index", "label"):
            assert torch.equal(getattr(kept, name), getattr(traces[split], name)), (split, name)
    summary = json.loads((folder / "summary.json").read_text())
    for split in ("val", "test"):
        assert traces[split].accuracy == summary["before"][f"{split}_accuracy"]
    assert run.settings.sizes == [then.n_states]
    fit = run.data.indices("fit")
    assert (run.dynamics.epochs[fit] == run.dynamics.n_epochs).all()
    right = run.network.predict(run.data.loader("fit")).correct
    assert run.dynamics.margin[fit][right].mean() > run.dynamics.margin[fit][~right].mean()
