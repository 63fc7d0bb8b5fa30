"""A run that is interpolated: at its end, and later by the script."""

import json
from pathlib import Path

import pandas as pd
import pytest
import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException

from rnnrepair.callbacks import Anchor, BaseCheckpoint, TraceCollector, repair_chain
from rnnrepair.callbacks.launch.finished import FinishedFolder
from rnnrepair.errors import ConfigurationError
from rnnrepair.network import verified
from rnnrepair.record import RunRecord
from scripts.interpolate import interpolate
from tests.integration.conftest import train, weights
from tests.integration.test_report_again import asked, digits
from tests.integration.test_resume import Crash
from tests.records import same

ON = ("repair.interpolate=true", "model.dropout=0.2")
TABLE = Path("analysis") / "interpolation.csv"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a finished run that was interpolated at its end."""
    folder = tmp_path_factory.mktemp("interpolated") / "run"
    train(digits(folder, *ON))
    return folder


def predicted(folder, name, split):
    """What a network of a run says, by its checkpoint."""
    finished = FinishedFolder.open(folder)
    saved = finished.checkpoint(name)
    data = finished.data(saved)
    network = verified(finished.network(data, saved), data)
    return network.predict(data.loader(split)).predicted


def test_the_ends_are_the_unrepaired_and_the_final_network(run):
    repair = RunRecord.load(run).repair
    for split in ("val", "test"):
        points, outcome = repair.interpolation.points(split), repair.answers[split].outcome
        assert (points[0].factor, points[-1].factor) == (0, 1)
        assert points[0].accuracy == outcome.before
        assert (points[0].repaired, points[0].newly_broken) == (0, 0)
        assert points[-1].accuracy == outcome.after
        assert points[-1].repaired_share == outcome.repaired_share
        assert points[-1].newly_broken == outcome.newly_broken


def test_what_is_chosen_is_best_on_val_and_told_in_the_summary(run):
    table = pd.read_csv(run / TABLE)
    val, test = (table[table.split == split] for split in ("val", "test"))
    best = val[val.accuracy == val.accuracy.max()].factor.max()
    (chosen,) = test[test.factor == best].to_dict("records")
    after = json.loads((run / "summary.json").read_text())["after"]
    assert after["interpolation_factor"] == best
    assert after["interpolated_test_accuracy"] == chosen["accuracy"]
    assert after["interpolated_repaired_share"] == chosen["repaired_share"]
    assert after["interpolated_newly_broken"] == chosen["newly_broken"]
    assert list(table[table.chosen == 1].factor) == [best, best]


@pytest.mark.parametrize(("factor", "end"), [(0, "base"), (1, "last")])
def test_a_written_network_at_an_end_is_that_network(run, factor, end):
    interpolate(asked("interpolate", run, f"factor={factor}"))
    one, other = (
        torch.load(run / "checkpoints" / f"{name}.ckpt", weights_only=True)
        for name in ("interpolated", end)
    )
    assert one["state_dict"].keys() == other["state_dict"].keys()
    assert all(torch.equal(w, other["state_dict"][n]) for n, w in one["state_dict"].items())
    answers = RunRecord.load(run).repair.answers["test"]
    said = predicted(run, "interpolated", "test")
    assert torch.equal(said, answers.after if factor else answers.before)


def test_the_network_between_is_the_one_that_the_curve_tells_of(run):
    interpolate(asked("interpolate", run, "factor=.5"))
    saved = {
        name: torch.load(run / "checkpoints" / f"{name}.ckpt", weights_only=True)["state_dict"]
        for name in ("base", "interpolated", "last")
    }
    for name, value in saved["interpolated"].items():
        torch.testing.assert_close(value, (saved["base"][name] + saved["last"][name]) / 2)
    said, label = predicted(run, "interpolated", "test"), RunRecord.load(run).repair.answers["test"]
    (point,) = (
        p for p in RunRecord.load(run).repair.interpolation.points("test") if p.factor == 0.5
    )
    assert float((said == label.label).double().mean()) == point.accuracy


def test_the_script_gives_a_run_without_what_a_run_with_it_has(run, tmp_path):
    plain = tmp_path / "plain"
    _, objects = train(digits(plain, "model.dropout=0.2"))
    without = RunRecord.load(plain)
    assert without.repair.interpolation is None
    assert not (plain / TABLE).exists()
    assert "interpolation_factor" not in json.loads((plain / "summary.json").read_text())["after"]
    page = (plain / "report.html").read_text()
    interpolate(asked("interpolate", plain))
    assert same(
        RunRecord.load(plain).repair.interpolation, RunRecord.load(run).repair.interpolation
    )
    assert (plain / TABLE).read_bytes() == (run / TABLE).read_bytes()
    assert (plain / "report.html").read_text() != page
    assert not (plain / "checkpoints" / "interpolated.ckpt").exists()
    # Looking at other networks has left the final one alone.
    saved = torch.load(plain / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    assert all(torch.equal(w, saved[n]) for n, w in objects["model"].state_dict().items())
    ended = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    assert all(torch.equal(w, ended[n]) for n, w in saved.items())


@pytest.mark.parametrize("factor", ["1.5", "-.1", "best", "true"])
def test_the_script_refuses_a_factor_that_is_none(run, factor):
    with pytest.raises(ConfigurationError, match=r"factor=.*from 0 .* to 1"):
        interpolate(asked("interpolate", run, f"factor={factor}"))


def test_a_resumed_run_tells_what_an_uninterrupted_one_tells(quick):
    options = (*ON, "schedule.share_base=false")
    _, whole = train(quick(*options, folder="whole"))
    with pytest.raises(RuntimeError, match="power cut"):
        train(quick(*options, folder="broken"), Crash(4, 3))
    last = Path(quick(folder="broken").paths.output_dir) / "checkpoints" / "last.ckpt"
    _, resumed = train(quick(*options, f"ckpt_path='{last}'", folder="resumed"))
    assert torch.equal(weights(whole["model"]), weights(resumed["model"]))
    ways = [
        RunRecord.load(Path(quick(folder=name).paths.output_dir)).repair.interpolation
        for name in ("whole", "resumed")
    ]
    assert same(*ways)
    # Moved away from its unrepaired network it cannot be gone on from.
    alone = last.parents[2] / "alone.ckpt"
    last.rename(alone)
    with pytest.raises(MisconfigurationException, match=r"interpolate needs .*base\.ckpt"):
        train(quick(*options, f"ckpt_path='{alone}'", folder="refused"))


def test_a_chain_of_ones_own_keeps_the_unrepaired_network(tmp_path):
    with pytest.raises(ConfigurationError, match="output_dir"):
        repair_chain(start_epoch=2, interpolate=True)
    chain = repair_chain(start_epoch=2, interpolate=True, output_dir=str(tmp_path))
    kinds = [type(callback) for callback in chain]
    base = chain[kinds.index(BaseCheckpoint)]
    assert kinds.index(BaseCheckpoint) < kinds.index(TraceCollector)
    assert (base.path, base.base_epochs) == (tmp_path / "checkpoints" / "base.ckpt", 2)
    assert BaseCheckpoint not in map(type, repair_chain(start_epoch=2))
    held = [type(c) for c in repair_chain(start_epoch=2, anchor=0.5, output_dir=str(tmp_path))]
    assert held[1:3] == [BaseCheckpoint, Anchor]
