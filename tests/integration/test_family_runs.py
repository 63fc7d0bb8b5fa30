"""Families whose tap is named, through the whole chain of a repair."""

import json

import pytest
import pytorch_lightning as pl
import torch
from torch import nn

from rnnrepair.abstraction import AbstractionSettings
from rnnrepair.callbacks import StateAbstraction, repair_chain
from rnnrepair.edits import SeriesEdits
from rnnrepair.errors import ConfigurationError
from tests.conftest import TensorData
from tests.families.liquid import CfC
from tests.families.minimal import MinGRU
from tests.families.state_space import Mamba
from tests.families.xlstm import MLSTM, SLSTM
from tests.network_families import Bare, Classifier, MeanPooled
from tests.quiet_trainer import quiet_trainer

C = 3
NETWORKS = {
    "minGRU": (lambda: Classifier(MinGRU, MinGRU), "net.norm"),
    "Mamba": (lambda: MeanPooled(Mamba, Mamba), "net.norm"),
    "CfC": (lambda: Bare(CfC), "net.layer"),
    "xLSTM": (lambda: Classifier(MLSTM, SLSTM), "net.blocks.1"),
}


class Trained(pl.LightningModule):
    """Knows nothing of rnnrepair."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x, lengths):
        return self.net(x, lengths)

    def training_step(self, batch, batch_idx):
        return nn.functional.cross_entropy(self(batch.inputs, batch.lengths), batch.label)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=0.01)


def fit(make, loaded, path, tap):
    torch.manual_seed(0)
    net, data = Trained(make()), TensorData(loaded, C, batch_size=20, repair_share=0.4)
    chain = repair_chain(
        start_epoch=2,
        rounds=2,
        edit=SeriesEdits(noise=0.1),
        settings=AbstractionSettings(n_components=6, reduction_dims=3),
        tap=tap,
        output_dir=str(path),
    )
    trainer = quiet_trainer(
        max_epochs=4,
        callbacks=chain,
        default_root_dir=path,
    )
    trainer.fit(net, datamodule=data)
    return net.eval(), data, chain


@pytest.mark.parametrize("name", NETWORKS)
def test_a_family_is_analysed_and_repaired(name, loaded, tmp_path):
    make, tap = NETWORKS[name]
    net, data, chain = fit(make, loaded, tmp_path, tap)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["after"]["test_accuracy"] == pytest.approx(accuracy(net, data), abs=1e-6)
    assert len((tmp_path / "ledger.csv").read_text().splitlines()) > 1
    assert (tmp_path / "report.html").exists()
    (abstraction,) = (part for part in chain if isinstance(part, StateAbstraction))
    assert len(abstraction.abstraction.traces["fit"].state.unique()) > 1


def accuracy(net, data):
    """Of the test split, as the user would find it, sequence by sequence."""
    batch = data.fetch(data.indices("test"))
    with torch.no_grad():
        found = [
            net(batch.inputs[row : row + 1, :n], torch.tensor([n])).argmax()
            for row, n in enumerate(batch.lengths.tolist())
        ]
    return float((torch.stack(found) == batch.label).double().mean())


def test_without_a_tap_nothing_is_trained(loaded, tmp_path):
    make, tap = NETWORKS["Mamba"]
    with pytest.raises(ConfigurationError, match=f"tap='{tap}'"):
        fit(make, loaded, tmp_path, None)
    assert not (tmp_path / "summary.json").exists()
