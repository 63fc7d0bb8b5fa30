"""What the scripts do on the folder that a program of one's own leaves, and in its place."""

import json
import sys

import pytest
import pytorch_lightning as pl
import torch

from rnnrepair.callbacks import repair_chain, study_network
from rnnrepair.callbacks.launch.own_folder import own_data_with_changes
from rnnrepair.edits import SeriesEdits
from rnnrepair.errors import ConfigurationError, IncompatibleCheckpointError
from rnnrepair.record import RunRecord
from rnnrepair.repair import ledger_of
from rnnrepair.report.studies import read_studies
from rnnrepair.runs.comparison import read_folder
from rnnrepair.studies import AutomatonStudy
from scripts.explain import explained
from scripts.interpolate import interpolate
from scripts.report import report
from scripts.rollback import rollback
from scripts.study import study
from tests.integration.conftest import ROOT, composed
from tests.quiet_trainer import quiet_trainer

DATA = """
import sys
sys.path.insert(0, {examples!r})
from own_model import Waves


def data():
    return Waves(num_classes=4, batch_size=100)


def others():
    return Waves(num_classes=4, batch_size=100, seed=9)
"""
MODULE = "data_of_own_folder"


def asked(config, folder, *overrides):
    return composed(f"run='{folder}'", *overrides, name=config)


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """The folder that examples/own_model.py leaves, with fewer epochs, and its checkpoint."""
    folder = tmp_path_factory.mktemp("own")
    (folder / f"{MODULE}.py").write_text(DATA.format(examples=str(ROOT / "examples")))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        patch.delitem(sys.modules, MODULE, raising=False)
        data = __import__(MODULE).data()
        from own_model import WaveNet  # the folder above is on the path now

        pl.seed_everything(0, verbose=False)
        net = WaveNet()
        chain = repair_chain(
            start_epoch=2,
            rounds=2,
            budget=2,
            patience=2,
            edit=SeriesEdits(),
            output_dir=str(folder / "run"),
        )
        trainer = quiet_trainer(
            max_epochs=5,
            callbacks=chain,
        )
        trainer.fit(net, datamodule=data)
        trainer.save_checkpoint(folder / "net.ckpt")
        yield folder / "run", f"checkpoint='{folder / 'net.ckpt'}'", net


def test_the_page_is_made_of_the_record_alone_and_whole_with_data_and_checkpoint(own, caplog):
    folder, checkpoint, _ = own
    whole = (folder / "report.html").read_bytes()
    report(asked("report", folder))
    alone = (folder / "report.html").read_text()
    assert "made without the data of the run" in alone
    assert "data=package:function checkpoint=FILE" in caplog.text
    outcome = json.loads((folder / "summary.json").read_text())["after"]
    assert f"{outcome['test_accuracy']:.1%}".replace("%", "") in alone
    report(asked("report", folder, f"data={MODULE}:data", checkpoint))
    assert (folder / "report.html").read_bytes() == whole


def test_rounds_are_taken_back_without_the_network(own):
    folder, checkpoint, _ = own
    path = rollback(asked("rollback", folder, "round=2", f"data={MODULE}:data", checkpoint))
    injected = RunRecord.load(folder).repair.history
    data = own_data_with_changes(f"{MODULE}:data", str(path))
    assert int(injected[0].injected) > 0
    assert len(data.fetch(data.indices("fit"))) > 0
    left = torch.load(path, weights_only=False)["callbacks"]["RepairInjection"]["ledger"]
    assert {row.round for row in ledger_of(left) if row.holds} == {1}


def test_data_and_checkpoint_are_named_together_and_belong_to_the_run(own):
    folder, checkpoint, _ = own
    with pytest.raises(ConfigurationError, match=r"expected both data=.* and checkpoint=FILE"):
        rollback(asked("rollback", folder, "round=2"))
    with pytest.raises(ConfigurationError, match="expected both"):
        report(asked("report", folder, f"data={MODULE}:data"))
    with pytest.raises(IncompatibleCheckpointError, match=r"with other data .*data_of_own_folder"):
        report(asked("report", folder, f"data={MODULE}:others", checkpoint))


def test_what_needs_the_network_says_what_there_is_instead(own):
    folder, _, _ = own
    with pytest.raises(IncompatibleCheckpointError, match=r"study_network\(net, data"):
        study(asked("finished", folder, "study=automaton"))
    with pytest.raises(IncompatibleCheckpointError, match=r"repair_chain\(interpolate=True"):
        interpolate(asked("interpolate", folder))
    with pytest.raises(IncompatibleCheckpointError, match=r"module=package\.Class checkpoint=FILE"):
        explained(asked("explain", folder))


def test_a_network_is_studied_in_its_own_program(own, tmp_path, capsys):
    folder, _, net = own
    data = sys.modules[MODULE].data()
    for output in (tmp_path, folder):
        before = (folder / "report.html").read_bytes()
        study_network(net, data, [AutomatonStudy(4)], output_dir=output, told="after 5 epochs")
        (written,) = read_studies(output)
        assert written.table("automaton_states")["visits"].sum() == 40 * len(data.indices("fit"))
    assert "automaton: " in (said := capsys.readouterr().out)
    assert f"Tables, figures and the page: {tmp_path}" in said
    assert "Of the network after 5 epochs." in (tmp_path / "report.html").read_text()
    # The page of a run has samples that these data do not hold.
    assert (folder / "report.html").read_bytes() == before
    report(asked("report", folder))
    assert 'id="study-automaton"' in (folder / "report.html").read_text()
    with pytest.raises(ConfigurationError, match="data: expected a data module"):
        study_network(net, torch.zeros(3), [AutomatonStudy(4)], output_dir=tmp_path)


def test_runs_of_programs_of_ones_own_are_compared(own):
    folder, _, _ = own
    runs = read_folder(folder.parent)
    assert runs.arms == ("guided",)
    assert list(runs.by_key) == [("guided", 0)]
