"""``scripts/explain.py``: on a run of train.py, and on a network that was trained elsewhere."""

import logging
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch

from rnnrepair import explain
from rnnrepair.callbacks.launch.finished import FinishedFolder
from rnnrepair.callbacks.launch.trained import trained_network
from rnnrepair.errors import ConfigurationError, IncompatibleCheckpointError
from rnnrepair.influence import TrainingDynamics
from scripts.explain import explained
from tests.integration.conftest import QUICK, composed, train
from tests.integration.programs import run_program
from tests.integration.test_studies import as_command_line

STRANGER = """
import torch
from torch import nn

from rnnrepair.datamodules import LoadedData, SequenceDataModule, Sequences


class Net(nn.Module):
    def __init__(self, width=6, classes=2):
        super().__init__()
        self.gru, self.classify = nn.GRU(1, width, batch_first=True), nn.Linear(width, classes)

    def forward(self, inputs):
        return self.classify(self.gru(inputs)[0][:, -1])


class Noise(SequenceDataModule):
    def load(self):
        g = torch.Generator().manual_seed(0)
        inputs, label = torch.rand(200, 5, 1, generator=g), torch.randint(2, (200,), generator=g)
        sequences = Sequences.from_padded(inputs, torch.full((200,), 5))
        return LoadedData(sequences, label, 150, "noise", "series")


def data():
    return Noise(num_classes=2)


def data_set_up():
    noise = data()
    noise.setup()
    return noise


class Odd:
    pass
"""


def configured(*overrides):
    return composed("progress=false", "threads=1", *overrides, name="explain")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("explained") / "run"
    cfg = composed("+experiment=mnist_repair", *QUICK)
    cfg.paths.output_dir, cfg.paths.cache_dir = str(folder), str(folder.parent / "cache")
    as_command_line(cfg, folder)
    return folder, train(cfg)[0]


def test_a_run_is_explained_from_its_folder(run, capsys):
    folder, summary = run
    found = explained(configured(f"run={folder}", "at_most=5"))
    assert found.accuracy == summary["after"]["test_accuracy"]
    assert len(found) == 5
    first = found.failures[0].index
    assert f"sample {first} (digit {found.to_dataframe()['name'][0]}):" in capsys.readouterr().out
    (table,) = [*folder.glob("explain/test.csv"), *folder.glob("explain/test.parquet")]
    frame = pd.read_csv(table) if table.suffix == ".csv" else pd.read_parquet(table)
    assert frame["index"].tolist() == [f.index for f in found.failures]
    assert "Failures on test" in (folder / "explain" / "test.html").read_text()


def test_the_unrepaired_network_is_explained_by_what_it_was_trained_on(run):
    folder, summary = run
    found = explained(configured(f"run={folder}", "checkpoint=base", "split=repair", "at_most=3"))
    assert found.n_failures == summary["before"]["repair_failures"]


def test_other_networks_and_settings_leave_table_and_page_alone(run):
    folder, _ = run
    apart = ("patterns=false", "output=" + str(folder / "apart"))
    explained(configured(f"run={folder}", "at_most=4", *apart))
    first = (folder / "apart" / "test.html").read_bytes()
    epochs = FinishedFolder.open(folder).checkpoint()["epoch"] + 1
    told = f"Of the network checkpoints/last.ckpt, the final network, after {epochs} epochs."
    assert told in first.decode()
    for change in ("checkpoint=best", "at_most=2", "at_most=4"):
        at_most = () if change.startswith("at_most") else ("at_most=4",)
        explained(configured(f"run={folder}", change, *at_most, *apart))
    pages = {path.name for path in (folder / "apart").glob("*.html")}
    assert pages == {"test.html", "test_best.html", "test-2.html"}
    assert (folder / "apart" / "test.html").read_bytes() == first
    assert (
        "checkpoints/best.ckpt, the best network on val"
        in (folder / "apart" / "test_best.html").read_text()
    )


def test_labels_of_a_run_are_judged_by_what_its_training_has_shown(run, monkeypatch):
    folder, _ = run
    given = {}

    def kept(*arguments, **options):
        given.update(options)
        return explain(*arguments, **options)

    monkeypatch.setattr("scripts.explain.explain", kept)
    explained(configured(f"run={folder}", "at_most=3", "patterns=false"))
    shown = given["dynamics"]
    saved = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=False)["callbacks"]
    recorded = TrainingDynamics.of_state(saved["TrainingDynamicsRecorder"])
    seen = ~recorded.margin.isnan()
    assert torch.equal(shown.margin[seen], recorded.margin[seen])
    assert bool(seen.any())


@pytest.fixture
def stranger(tmp_path, monkeypatch):
    """A module beside the command, and the weights of its network."""
    monkeypatch.chdir(tmp_path)
    name = "stranger_to_explain"
    (tmp_path / f"{name}.py").write_text(STRANGER)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, name, raising=False)
    module = __import__(name)
    torch.manual_seed(0)
    torch.save(module.Net().state_dict(), "net.pt")
    return module


GIVEN = ("module=stranger_to_explain.Net", "data=stranger_to_explain:data")
FEW = ("abstraction.n_components=4", "at_most=3")


def test_a_folder_that_cannot_be_written_is_refused_by_its_key(stranger, tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(ConfigurationError, match=r"output=taken.* cannot be written"):
        explained(configured(*GIVEN, "checkpoint=net.pt", "output=taken"))


def test_a_network_of_ones_own_is_explained(stranger, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    found = explained(configured(*GIVEN, "checkpoint=net.pt", *FEW))
    assert len(found) == 3
    assert (tmp_path / "explain" / "test.html").is_file()
    again = explained(configured(*GIVEN, "checkpoint=net.pt", *FEW))
    assert "taken from" in caplog.text
    pd.testing.assert_frame_equal(again.to_dataframe(), found.to_dataframe())
    index = found.failures[1].index
    (page,) = tmp_path.glob("explain/test.html")
    every = page.read_text()
    for ask in ("index", "names"):
        one = explained(configured(*GIVEN, "checkpoint=net.pt", *FEW, f"{ask}=[{index}]"))
        assert [f.index for f in one.failures] == [index]
    assert page.read_text() == every
    assert (tmp_path / "explain" / f"test_{index}.html").is_file()


def test_names_of_two_words_are_asked_for_as_the_readme_says():
    assert configured('names=["x_test 36","x_test 3"]').names == ["x_test 36", "x_test 3"]
    assert configured("names=[49,r17]").names == [49, "r17"]


def test_samples_that_are_right_leave_no_empty_files(stranger, tmp_path, capsys):
    every = explained(configured(*GIVEN, "checkpoint=net.pt", *FEW))
    wrong, before = every.failing.tolist(), sorted(tmp_path.rglob("*"))
    right = next(i for i in stranger.data_set_up().indices("test").tolist() if i not in wrong)
    capsys.readouterr()
    found = explained(configured(*GIVEN, "checkpoint=net.pt", *FEW, f"index=[{right}]"))
    assert found.right.tolist() == [right]
    assert sorted(tmp_path.rglob("*")) == before
    assert f"such as {wrong[0]}" in capsys.readouterr().out


def test_a_lightning_checkpoint_says_how_its_network_is_made(stranger):
    network = stranger.Net(width=9)
    saved = {"state_dict": network.state_dict(), "hyper_parameters": {"width": 9}}
    torch.save(saved, "net.ckpt")
    assert len(explained(configured(*GIVEN, "checkpoint=net.ckpt", *FEW))) == 3
    torch.save(saved | {"hyper_parameters": {"width": 4}}, "other.ckpt")
    found = explained(configured(*GIVEN, "checkpoint=other.ckpt", "arguments.width=9", *FEW))
    assert len(found) == 3


@pytest.mark.parametrize(
    ("entry", "prefix"),
    [(None, "module."), ("model", ""), ("state_dict", "net."), ("ema", "model.module.")],
)
def test_weights_are_found_where_usual_programs_keep_them(stranger, entry, prefix, caplog):
    caplog.set_level(logging.INFO)
    network = stranger.Net()
    weights = {f"{prefix}{key}": value for key, value in network.state_dict().items()}
    optimizer = {"state": {}, "param_groups": [{"lr": 0.1}]}
    saved = weights if entry is None else {entry: weights, "optimizer": optimizer, "epoch": 3}
    torch.save(saved, "kept.pt")
    taken = trained_network("stranger_to_explain.Net", "kept.pt", {})
    torch.testing.assert_close(dict(taken.state_dict()), dict(network.state_dict()), rtol=0, atol=0)
    assert prefix in caplog.text
    assert (entry or "at the top") in caplog.text


def test_weights_that_fit_alike_are_not_chosen_from(stranger):
    torch.save({name: stranger.Net().state_dict() for name in ("model", "ema")}, "two.pt")
    with pytest.raises(IncompatibleCheckpointError, match=r"several.*'model'.*'ema'"):
        trained_network("stranger_to_explain.Net", "two.pt", {})


@pytest.mark.parametrize(
    ("saved", "message"),
    [
        ({"epoch": 3, "optimizer": {"state": {}}}, "its entries are epoch, optimizer"),
        ({"model": {"gru.other": torch.rand(1)}}, "under 'model'.*missing: gru"),
    ],
)
def test_a_checkpoint_without_the_weights_says_what_it_holds(stranger, saved, message):
    torch.save(saved, "odd.pt")
    with pytest.raises(IncompatibleCheckpointError, match=message):
        trained_network("stranger_to_explain.Net", "odd.pt", {})


def follow(refused):
    """Run the lines that a refusal advises, as they stand, in a program of their own."""
    lines = [line.strip() for line in str(refused.value).splitlines()[1:]]
    Path("save_again.py").write_text("\n".join(lines) + "\n")
    ran = run_program(Path.cwd(), Path("save_again.py").resolve())
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize(
    "saved",
    [
        lambda net, odd: net,
        lambda net, odd: {"state_dict": net.state_dict(), "hyper_parameters": {"more": odd}},
        lambda net, odd: {"model": net.state_dict(), "args": odd, "epoch": 3},
        lambda net, odd: {"net": net, "optimizer": torch.optim.Adam(net.parameters())},
    ],
    ids=["network", "lightning", "entry", "network_in_entry"],
)
def test_a_checkpoint_that_could_run_code_is_refused_and_can_be_saved_again(stranger, saved):
    network = stranger.Net()
    torch.save(saved(network, stranger.Odd()), "whole.pt")
    with pytest.raises(IncompatibleCheckpointError, match=r"not read") as refused:
        explained(configured(*GIVEN, "checkpoint=whole.pt", *FEW))
    follow(refused)
    taken = trained_network("stranger_to_explain.Net", "whole_weights.pt", {})
    torch.testing.assert_close(dict(taken.state_dict()), dict(network.state_dict()), rtol=0, atol=0)


def test_a_network_that_its_own_program_has_pickled_can_be_saved_again(stranger, tmp_path):
    """Pickle then knows its class by ``__main__``, which is another program where it is read."""
    code = (tmp_path / "stranger_to_explain.py").read_text()
    whole = '\n\nif __name__ == "__main__":\n    torch.save(Net(), "whole.pt")\n'
    (tmp_path / "stranger_to_explain.py").write_text(code + whole)
    assert run_program(tmp_path, tmp_path / "stranger_to_explain.py").returncode == 0
    with pytest.raises(IncompatibleCheckpointError, match=r"import Net") as refused:
        explained(configured(*GIVEN, "checkpoint=whole.pt", *FEW))
    follow(refused)
    assert len(explained(configured(*GIVEN, "checkpoint=whole_weights.pt", *FEW))) == 3


def keep(path, saved):
    torch.save(saved, path)


@pytest.mark.parametrize(
    ("prepare", "options", "error", "message"),
    [
        (lambda net: keep("net.pt", {"gru.other": torch.rand(1)}), (), None, "missing: gru"),
        (lambda net: keep("net.pt", {**net, "more": torch.rand(1)}), (), None, "unexpected: more"),
        (lambda net: None, ("arguments.classes=3",), None, r"classify.weight \(2, 6\)"),
        (lambda net: None, ("checkpoint=none.pt",), None, "none.pt cannot be read"),
        (lambda net: Path("net.pt").write_text("text"), (), None, "cannot be read"),
        (lambda net: None, ("arguments.units=3",), ConfigurationError, "arguments.*units"),
        (lambda net: None, ("module=stranger_to_explain.No",), ConfigurationError, "package.Class"),
        (lambda net: None, ("module=stranger_to_explain.Odd",), ConfigurationError, "no torch.nn"),
        (lambda net: None, ("data=nowhere:data",), ConfigurationError, "package:function"),
        (lambda net: None, ("module=null",), ConfigurationError, "module=package.Class is missing"),
        (lambda net: None, ("checkpoint=last",), ConfigurationError, "checkpoint=FILE is missing"),
    ],
)
def test_what_is_no_network_of_the_data_is_refused(stranger, prepare, options, error, message):
    prepare(stranger.Net().state_dict())
    with pytest.raises(error or IncompatibleCheckpointError, match=message):
        explained(configured(*GIVEN, "checkpoint=net.pt", *FEW, *options))


def test_the_command_says_what_it_needs():
    ran = run_program(Path.cwd(), "scripts/explain.py")
    assert ran.returncode == 2
    assert "run=<folder of a run>" in ran.stdout
