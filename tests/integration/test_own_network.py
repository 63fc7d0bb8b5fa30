"""A LightningModule of somebody's own, trained by the command line."""

import pytest
import pytorch_lightning as pl
import torch
from torch import nn

from rnnrepair.callbacks.launch import build
from rnnrepair.errors import ConfigurationError
from tests.integration.conftest import QUICK, composed, train

OWN = ("model=own", f"model._target_={__name__}.Net", "+model.units=12")
OF_OURS = ("model.hidden_size", "model.optimizer")


class Net(pl.LightningModule):
    """Knows nothing of rnnrepair."""

    def __init__(self, units: int, num_classes: int = 3) -> None:
        super().__init__()
        self.rnn = nn.GRU(28, units, batch_first=True)
        self.head = nn.Linear(units, num_classes)

    def forward(self, x):
        return self.head(self.rnn(x)[0][:, -1])

    def training_step(self, batch, batch_idx):
        return nn.functional.cross_entropy(self(batch.inputs), batch.label)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), 0.01)


def own(tmp_path, *overrides):
    quick = [o for o in QUICK if not o.startswith(OF_OURS)]
    paths = f"paths.output_dir={tmp_path / 'run'}", f"paths.cache_dir={tmp_path / 'cache'}"
    return composed("+experiment=mnist_repair", *quick, *OWN, *paths, *overrides)


def test_a_network_of_ones_own_is_trained_and_repaired(tmp_path):
    summary, objects = train(own(tmp_path))
    assert isinstance(objects["model"], Net)
    assert objects["model"].rnn.hidden_size == 12
    assert summary["injected"] > 0
    assert summary["after"]["test_accuracy"] > 0.6


def test_keys_of_our_networks_are_refused_beside_ones_own(tmp_path):
    with pytest.raises(ConfigurationError, match=r"model\.cell"):
        build(own(tmp_path, "+model.cell=lstm"))
