"""A user's program with his own data sets: equal to the plain one, resumed, a few lines changed."""

import json
import re
from dataclasses import replace

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import nn

from rnnrepair.abstraction import AbstractionSettings
from rnnrepair.callbacks import RepairInjection, StateAbstraction, repair_chain
from rnnrepair.datamodules import DatasetDataModule, LoadedData, Sequences
from rnnrepair.edits import SeriesEdits
from tests.conftest import TensorData
from tests.integration.conftest import ROOT
from tests.integration.programs import run_program
from tests.quiet_trainer import quiet_trainer

N, N_TRAIN, T, F, C, D = 200, 160, 7, 3, 3, 2
EXAMPLE = ROOT / "examples" / "own_dataset.py"


def sequences():
    g = torch.Generator().manual_seed(4)
    label = torch.arange(N) % C
    inputs = torch.rand(N, T, F, generator=g) + 0.15 * label[:, None, None]
    lengths = torch.randint(2, T + 1, (N,), generator=g)
    return inputs, lengths, label, torch.rand(N, D, generator=g)


INPUTS, LENGTHS, LABEL, STATIC = sequences()


class Net(pl.LightningModule):
    """Reads sequences with their lengths, and a static vector where there is one."""

    def __init__(self, n_static=0):
        super().__init__()
        self.rnn, self.head = nn.GRU(F, 6, batch_first=True), nn.Linear(6 + n_static, C)

    def forward(self, x, lengths, static=None):
        state = self.rnn(x)[0][torch.arange(len(x)), lengths - 1]
        return self.head(state if static is None else torch.cat([state, static], 1))

    def training_step(self, batch, batch_idx):
        return nn.functional.cross_entropy(self(batch.inputs, batch.lengths), batch.label)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=0.02)


class OnTuples(Net):
    def training_step(self, batch, batch_idx):
        *inputs, label = batch
        return nn.functional.cross_entropy(self(*inputs), label)


def collate(items):
    """Pad as the plain data do: to the longest of the batch, with 0."""
    x, n, *others = zip(*items, strict=True)
    padded = nn.utils.rnn.pad_sequence(x, batch_first=True)
    *static, label = others
    return padded, torch.tensor(n), *map(torch.stack, static), torch.tensor(label)


def plain_data():
    loaded = LoadedData(Sequences.from_padded(INPUTS, LENGTHS), LABEL, N_TRAIN, "rows", "series")
    return TensorData(loaded, C, batch_size=20, bucket_batches=1)


def own_data(*, static=False, **options):
    items = [
        (INPUTS[i, :n], int(n), *([STATIC[i]] if static else []), int(LABEL[i]))
        for i, n in enumerate(LENGTHS)
    ]
    return DatasetDataModule(
        items[:N_TRAIN],
        items[N_TRAIN:],
        batch_size=20,
        collate_fn=collate,
        progress=False,
        **options,
    )


def fitted(folder, net, data, max_epochs=6, ckpt_path=None):
    """Train with repair; return the network, the data and the callbacks."""
    settings = AbstractionSettings(n_components=6, reduction_dims=3)
    chain = repair_chain(
        start_epoch=2,
        rounds=3,
        budget=2,
        patience=3,
        edit=SeriesEdits(),
        settings=settings,
        output_dir=str(folder),
    )
    saved = ModelCheckpoint(folder / "kept", save_last=True, save_on_train_epoch_end=True)
    trainer = quiet_trainer(
        max_epochs=max_epochs,
        callbacks=[*chain, saved],
        enable_checkpointing=True,
    )
    trainer.fit(net, datamodule=data, ckpt_path=ckpt_path, weights_only=True)
    return net, data, {type(c): c for c in chain}


def network(kind, **options):
    pl.seed_everything(3, verbose=False)
    return kind(**options)


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    return fitted(tmp_path_factory.mktemp("own"), network(OnTuples), own_data())


def assert_same_weights(one, other):
    for left, right in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(left, right)


@pytest.mark.slow
def test_analysis_samples_and_weights_are_those_of_plain_sequences(own, tmp_path):
    plain = fitted(tmp_path, network(Net), plain_data())
    one, other = (each[2][StateAbstraction].abstraction.traces for each in (own, plain))
    for split in ("fit", "repair", "val"):
        for column in ("state", "prediction", "index", "offsets"):
            assert torch.equal(getattr(one[split], column), getattr(other[split], column))
    ledgers = [each[2][RepairInjection].ledger for each in (own, plain)]
    assert {row.parent_name.split()[0] for row in ledgers[0]} == {"train"}  # a data set's own names
    unnamed = [[replace(r, parent_name="", failure_name="") for r in rows] for rows in ledgers]
    assert unnamed[0] == unnamed[1]
    assert len(ledgers[0]) > 10
    index = torch.arange(N + len(ledgers[0]))
    batches = [each[1].fetch(index) for each in (own, plain)]
    for name in ("inputs", "lengths", "label"):
        assert torch.equal(*(getattr(batch, name) for batch in batches))
    assert_same_weights(own[0], plain[0])


@pytest.mark.slow
@pytest.mark.parametrize("keep_bytes", [0, 10**9], ids=["read when asked for", "kept"])
def test_resumed_is_uninterrupted(own, tmp_path, keep_bytes):
    fitted(tmp_path, network(OnTuples), own_data(keep_bytes=keep_bytes), max_epochs=4)
    last = tmp_path / "kept" / "last.ckpt"
    pl.seed_everything(99, verbose=False)
    net, data, callbacks = fitted(
        tmp_path, OnTuples(), own_data(keep_bytes=keep_bytes), ckpt_path=last
    )
    assert callbacks[RepairInjection].ledger == own[2][RepairInjection].ledger
    assert data.n_injected == own[1].n_injected
    assert_same_weights(net, own[0])


@pytest.mark.slow
def test_injected_samples_reach_training_with_what_belongs_to_their_parents(tmp_path):
    seen = []

    class Watches(OnTuples):
        def on_train_batch_start(self, batch, batch_idx):
            seen.append(batch)

    _, data, callbacks = fitted(
        tmp_path, network(Watches, n_static=D), own_data(static=True), max_epochs=3
    )
    # Samples of the last round are injected behind the last epoch.
    ledger = [row for row in callbacks[RepairInjection].ledger if row.epoch == 2]
    assert len({row.parent_id for row in ledger}) > 1
    # Each batch is the user's: the sequence, its length, the vector, the label.
    known = {tuple(STATIC[i].tolist()): i for i in range(N)}
    injected = {}
    for x, n, static, label in seen:
        for row in range(len(x)):
            parent = known[tuple(static[row].tolist())]
            assert int(label[row]) == int(LABEL[parent])
            assert int(n[row]) == int(LENGTHS[parent])
            if not torch.equal(x[row, : n[row]], INPUTS[parent, : n[row]]):
                injected[tuple(x[row, : n[row]].flatten().tolist())] = parent
    batch = data.fetch(torch.tensor([row.new_id for row in ledger]))
    for row, made, static in zip(ledger, batch.sequences(), batch.static["2"], strict=True):
        assert injected[tuple(made.flatten().tolist())] == row.parent_id
        assert torch.equal(static, STATIC[row.parent_id])


def changed_lines():
    """The lines that the diff of the README takes from, and adds to, a program without repair."""
    (block,) = re.findall(r"```diff\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    lines = block.splitlines()
    removed = [line[1:] for line in lines if line.startswith("-")]
    return lines, removed, [line[1:] for line in lines if line.startswith("+")]


def test_ten_lines_at_most_differ_from_a_program_without_repair():
    _, removed, added = changed_lines()
    assert added
    assert len(removed) + len(added) <= 10
    source = EXAMPLE.read_text().splitlines()
    assert [line for line in added if line not in source] == []
    assert [line for line in removed if line in source] == []
    assert not any(line.startswith("from rnnrepair") for line in without_repair())


def without_repair():
    """The example before the diff."""
    lines, _, _ = changed_lines()
    source = EXAMPLE.read_text().splitlines()
    place = 0
    for line in lines:
        sign, text = line[:1], line[1:]
        if sign == "-":
            source.insert(place, text)
            place += 1
        elif sign == "+":
            place = source.index(text)
            del source[place]
        else:
            place = source.index(text) + 1
    return source


def run(folder, program):
    path = folder / "program.py"
    path.write_text(program)
    ran = run_program(folder, path)
    assert ran.returncode == 0, ran.stderr
    return re.search(r"accuracy\s*│\s*([\d.]+)", ran.stdout)[1]


@pytest.mark.slow
def test_the_example_runs_with_repair_and_without(tmp_path):
    told = float(run(tmp_path, EXAMPLE.read_text()))
    summary = json.loads((tmp_path / "outputs" / "waves" / "summary.json").read_text())
    assert summary["injected"] > 0
    # What the user measures by himself is what the summary says.
    assert told == pytest.approx(summary["after"]["test_accuracy"], abs=1e-6)
    assert float(run(tmp_path, "\n".join(without_repair()))) > 1 / 3
