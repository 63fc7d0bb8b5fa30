"""What is said of a run in its log, its table and its page, whoever reads which."""

import json
import logging
import re
from functools import partial

import pytest
import torch
from torch.optim import Adam

from rnnrepair.abstraction import AbstractionSettings
from rnnrepair.callbacks import repair_chain
from rnnrepair.datamodules import LoadedData, PlantedLabels, PlantedSpike, Sequences
from rnnrepair.models import SequenceClassifier
from rnnrepair.repair import NoRepair, StopReason
from tests.conftest import TensorData
from tests.quiet_trainer import quiet_trainer


class Told(SequenceClassifier):
    """A network whose accuracy on val is what it is told."""

    curve = ()

    def validation_step(self, batch, batch_idx):
        self.log("val/accuracy", self.curve[self.current_epoch])


def data_of(signal=0.0, **options):
    g = torch.Generator().manual_seed(0)
    inputs = torch.rand(200, 5, 4, generator=g)
    inputs[torch.arange(200), :, torch.arange(200) % 3] += signal
    loaded = LoadedData(
        Sequences.from_padded(inputs, torch.full((200,), 5)),
        *(torch.arange(200) % 3, 150, "walks", "series"),
    )
    return TensorData(loaded, 3, batch_size=50, repair_share=0.2, val_share=0.3, **options)


def fit(tmp_path, curve, caplog, data=None, lr=1e-3):
    caplog.set_level(logging.WARNING)
    torch.manual_seed(0)
    network = Told(4, 3, hidden_size=6, optimizer=partial(Adam, lr=lr))
    network.curve = (*curve, 0.99)  # after the repair: no matter
    chain = repair_chain(
        start_epoch=len(curve),
        rounds=1,
        strategy=NoRepair(),
        settings=AbstractionSettings(n_components=4),
        output_dir=str(tmp_path),
    )
    trainer = quiet_trainer(
        max_epochs=len(curve) + 1,
        callbacks=chain,
    )
    trainer.fit(network, datamodule=data or data_of())
    return json.loads((tmp_path / "summary.json").read_text())["notes"]


def others(notes):
    """Notes but that on chance: these networks have learnt nothing."""
    return [note for note in notes if "at chance" not in note]


@pytest.mark.parametrize(("last", "rising"), [(0.9, True), (0.51, False)])
def test_a_repair_that_begins_while_val_still_rises_says_so_everywhere(
    tmp_path, caplog, capsys, last, rising
):
    notes = fit(tmp_path, (0.4, 0.5, last), caplog)
    places = (*notes, caplog.text), capsys.readouterr().out, (tmp_path / "report.html").read_text()
    assert [any("still rising" in text for text in (places[0]))] == [rising]
    assert [("still rising" in text) for text in places[1:]] == [rising, rising]
    assert len(others(notes)) == rising


def test_planted_labels_are_told_with_their_number(tmp_path, caplog, capsys):
    data = data_of(planted=PlantedLabels(0.2, splits=["fit"]))
    (note,) = others(fit(tmp_path, (0.5, 0.5, 0.5), caplog, data))
    n = len(data.indices("fit"))
    assert f"{round(0.2 * n)} of {n} in fit" in note
    assert "on purpose" in capsys.readouterr().out
    assert note in (tmp_path / "report.html").read_text()


def test_a_backdoor_is_told_with_what_it_is(tmp_path, caplog, capsys):
    data = data_of(trigger=PlantedSpike(n=6, label=1, channel=2))
    (note,) = others(fit(tmp_path, (0.5, 0.5, 0.5), caplog, data))
    assert "6 training samples" in note
    assert "channel 2" in note
    assert "on purpose" in capsys.readouterr().out
    assert note in (tmp_path / "report.html").read_text()


def test_a_base_at_chance_is_told_everywhere_and_one_that_has_learnt_is_not(
    tmp_path, caplog, capsys
):
    (note,) = fit(tmp_path, (0.5, 0.5, 0.5), caplog)
    assert "at chance" in note
    assert "start_epoch" in note
    assert note in caplog.text
    assert "at chance" in capsys.readouterr().out
    assert "at chance" in (tmp_path / "report.html").read_text()
    assert fit(tmp_path / "learnt", (0.5,) * 8, caplog, data_of(signal=2.0), lr=0.05) == []


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        ({"max_share": 0.1}, r"1 of 3 rounds were made: .*largest share.*raise max_share"),
        # A network that does not learn: more rounds would change nothing.
        ({"patience": 1}, r"1 of 3 rounds were made: accuracy on val stayed at 0\.\d{4} over"),
        ({}, None),
    ],
)
def test_a_repair_that_ends_early_says_which_limit_it_has_met(
    tmp_path, caplog, capsys, limits, told
):
    caplog.set_level(logging.INFO)
    chain = repair_chain(
        start_epoch=1,
        rounds=3,
        strategy=NoRepair(),
        settings=AbstractionSettings(n_components=4),
        output_dir=str(tmp_path),
        **({"max_share": 99.0, "patience": 3} | limits),
    )
    torch.manual_seed(0)
    trainer = quiet_trainer(
        max_epochs=5,
        callbacks=chain,
    )
    network = SequenceClassifier(4, 3, hidden_size=6, optimizer=partial(Adam, lr=0.0))
    trainer.fit(network, datamodule=data_of())
    lines = [line for line in caplog.messages if "rounds were made" in line]
    if told is None:
        assert lines == []
        return
    (line,) = lines
    assert re.search(told, line)
    # In the table, too, in words; lines are broken there.
    reason = StopReason.NO_GAIN_ON_VAL if "patience" in limits else StopReason.SHARE_REACHED
    assert reason.message in " ".join(capsys.readouterr().out.split())
