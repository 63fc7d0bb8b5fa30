"""Networks of somebody's own, explained: what is kept of them, what they answer, what they read."""

import numpy as np
import pandas as pd
import pytest
import pytorch_lightning as pl
import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException
from torch import nn

from rnnrepair.abstraction import AbstractionSettings
from rnnrepair.callbacks import TraceCollector
from rnnrepair.datamodules import ArrayDataModule, DatasetDataModule
from rnnrepair.errors import ConfigurationError, DataError, NonFiniteError
from rnnrepair.explanation import explain
from rnnrepair.models import SequenceClassifier
from rnnrepair.network import margin_of, verified
from rnnrepair.report import write_explanation

SETTINGS = AbstractionSettings(n_components=4, reduction_dims=3)


class Net(nn.Module):
    """Reads series; a sign that is no weight turns its answers, and a factor saturates them."""

    def __init__(self, answers=2, vocabulary=0, stride=1):
        super().__init__()
        self.embed = nn.Embedding(vocabulary, 3) if vocabulary else nn.Identity()
        self.conv = nn.Conv1d(3, 3, stride, stride=stride)
        self.rnn, self.head = nn.GRU(3, 8, batch_first=True), nn.Linear(8, answers)
        self.sign, self.factor, self.breaks = 1.0, 1.0, None

    def forward(self, x):
        h, _ = self.rnn(self.conv(self.embed(x).transpose(1, 2)).transpose(1, 2))
        answer = self.sign * self.factor * self.head(h[:, -1])
        if self.breaks is not None:
            answer = torch.where(x[:, :1, 0] > self.breaks, torch.nan, answer)
        return answer[:, 0].sigmoid() if answer.shape[1] == 1 else answer


@pytest.fixture
def made():
    """Series of eight steps whose class is the sign of their mean, and their arrays."""
    g = np.random.default_rng(0)
    y = g.integers(2, size=160)
    x = g.normal((2 * y - 1)[:, None, None] * 0.4, 1, (160, 8, 3)).astype(np.float32)
    return x, y


def data_of(made, **options):
    x, y = made
    return ArrayDataModule(x[:120], y[:120], x[120:], y[120:], progress=False, **options)


def explained(network, data, **options):
    return explain(network, data, settings=SETTINGS, finders=(), **options)


@pytest.mark.parametrize("padded", [True, False])
def test_a_network_that_reads_padding_is_told_so(made, padded):
    torch.manual_seed(0)
    x, y = made
    # Half of the series end after five steps.
    cut = [one[: 5 + 3 * (row % 2)] if padded else one for row, one in enumerate(x)]
    data = ArrayDataModule(cut[:120], y[:120], cut[120:], y[120:], progress=False)
    found = explained(Net(), data)
    assert ("What the network answers depends on how far" in found.warning) == padded
    if padded:
        assert "output[:, -1]" in str(found)


def test_what_is_kept_is_not_told_of_a_network_that_answers_otherwise(made, tmp_path, caplog):
    torch.manual_seed(0)
    network = Net()
    first = explained(network, data_of(made), keep_in=tmp_path)
    network.sign = -1.0  # in no state dict and no file
    again = explained(network, data_of(made), keep_in=tmp_path)
    fresh = explained(network, data_of(made))
    assert again.accuracy == fresh.accuracy == pytest.approx(1 - first.accuracy)
    assert "collected anew" in caplog.text
    pd.testing.assert_frame_equal(again.to_dataframe(), fresh.to_dataframe())


def test_states_of_half_precision_are_kept(made, tmp_path):
    torch.manual_seed(0)
    network = Net().bfloat16()
    first = explained(network, data_of(made), keep_in=tmp_path)
    again = explained(network, data_of(made), keep_in=tmp_path)
    pd.testing.assert_frame_equal(first.to_dataframe(), again.to_dataframe())


def test_saturated_probabilities_are_finite_answers(made):
    torch.manual_seed(0)
    network = Net(answers=1)
    network.factor = 1e6  # float32 sigmoids of exactly 0 and 1
    data = data_of(made)
    data.setup()
    said = verified(network, data).predict(data.loader("test"))
    assert float(said.logits.abs().max()) > 15  # probabilities of exactly 0 or 1
    assert torch.isfinite(said.logits).all()
    assert torch.isfinite(margin_of(said.logits, said.label)).all()


def test_answers_that_are_no_numbers_are_refused_by_sequence(made):
    torch.manual_seed(0)
    network = Net()
    network.breaks = float(np.sort(made[0][120:, 0, 0])[-2])
    with pytest.raises(NonFiniteError, match=r"sequence \d+ is NaN"):
        explained(network, data_of(made))


@pytest.mark.parametrize("form", [pd.Series, list, np.array, torch.tensor])
def test_indices_are_taken_in_any_form_and_masks_refused(made, form):
    torch.manual_seed(0)
    network, data = Net(), data_of(made)
    every = [failure.index for failure in explained(network, data).failures]
    wanted = pd.Series(every, index=[f"row {i}" for i in range(len(every))])[1:3]
    own = wanted if form is pd.Series else form(wanted.tolist())
    assert [f.index for f in explained(network, data, index=own).failures] == wanted.tolist()
    (one,) = explained(network, data, index=every[0]).failures
    assert one.index == every[0]
    with pytest.raises(ConfigurationError, match="mask"):
        explained(network, data, index=form([True, False]))


def test_texts_of_a_network_that_makes_fewer_steps_are_shown_without_marks(tmp_path):
    g = np.random.default_rng(0)
    x, y = g.integers(3, 20, (160, 8)), g.integers(2, size=160)
    torch.manual_seed(0)
    names = [f"w{i}" for i in range(20)]
    found = explained(Net(vocabulary=20, stride=2), data := data_of((x, y), token_names=names))
    assert {len(failure.state) for failure in found.failures} == {4}
    assert len(found) > 5
    write_explanation(found, data, tmp_path / "page.html")
    # The words as they stand, none in brackets.
    text = " ".join(names[i] for i in data.fetch(torch.tensor([found.failures[0].index])).inputs[0])
    assert text in str(found)


def test_all_of_x_is_searched_where_nothing_is_set_aside(made):
    torch.manual_seed(0)
    network = Net()
    found = explained(network, data_of(made))
    assert (found.searched, found.set_aside) == (90, 30)
    assert "30 sequences of the splits repair and val are not searched" in str(found)
    data = data_of(made, repair_share=0, val_share=0)
    found = explained(network, data)
    assert (found.searched, found.set_aside) == (120, 0)
    assert "set aside" not in str(found)
    assert len(found.suspicion.index) == 120
    with pytest.raises(ConfigurationError, match=r"split repair is empty.*repair_share > 0"):
        explained(network, data, split="repair")


def test_data_without_a_repair_split_are_refused_for_training(made):
    data = data_of(made, repair_share=0)
    trainer = pl.Trainer(
        max_epochs=1, callbacks=[TraceCollector()], logger=False, enable_checkpointing=False
    )
    with pytest.raises(MisconfigurationException, match=r"\['repair'\] are empty.*repair_share"):
        trainer.fit(SequenceClassifier(3, 2, hidden_size=4), data)


def padded(items):
    texts, labels = zip(*items, strict=True)
    return nn.utils.rnn.pad_sequence(texts, batch_first=True), torch.tensor(labels)


class Items(torch.utils.data.Dataset):
    def __init__(self, items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        return self.items[i]


def test_items_may_begin_with_one_of_a_single_step():
    g = np.random.default_rng(0)
    items = [
        (torch.from_numpy(g.integers(2, 9, 1 if i == 0 else int(g.integers(2, 9)))), i % 2)
        for i in range(80)
    ]
    data = DatasetDataModule(
        *(Items(items[:60]), Items(items[60:])), num_classes=2, collate_fn=padded, progress=False
    )
    data.setup()
    assert sorted(data.fetch(torch.tensor([0])).lengths.tolist()) == [1]


@pytest.mark.parametrize("flag", [bool, np.bool_, torch.tensor])
def test_labels_and_further_entries_may_be_bools(flag):
    g = np.random.default_rng(0)
    items = [
        (torch.from_numpy(g.normal(size=(5, 2)).astype(np.float32)), flag(i % 2 == 0))
        for i in range(80)
    ]
    data = DatasetDataModule(Items(items[:60]), Items(items[60:]), num_classes=2, progress=False)
    data.setup()
    index = data.indices("fit")
    assert data.fetch(index).label.tolist() == [int(items[i][1]) for i in index.tolist()]


def test_a_weight_behind_the_label_is_no_class():
    g = np.random.default_rng(0)
    items = [(torch.from_numpy(g.normal(size=(5, 2)).astype("f4")), i % 2, 1.0) for i in range(80)]
    data = DatasetDataModule(Items(items[:60]), Items(items[60:]), num_classes=2, progress=False)
    data.setup()
    index = data.indices("test")
    assert data.fetch(index).label.tolist() == [i % 2 for i in index.tolist()]


def test_lengths_of_a_test_set_that_is_not_given_are_refused(made):
    x, y = made
    with pytest.raises(DataError, match="lengths_test: give x_test"):
        ArrayDataModule(x, y, lengths_test=[8] * 3)
    with pytest.raises(DataError, match=r"lengths\[1\] is 7\.5"):
        ArrayDataModule(x, y, lengths=[8, 7.5, *[8] * 158])


def test_copies_in_x_are_drawn_together(made):
    x, y = made
    data = ArrayDataModule(np.repeat(x, 4, 0), np.repeat(y, 4), progress=False)
    data.setup()
    assert sum(data.sizes().values()) == 4 * len(x)


def test_a_tuple_with_several_whole_numbers_must_say_which_is_the_class():
    g = np.random.default_rng(0)
    items = [
        (torch.from_numpy(g.normal(size=(5, 2)).astype("f4")), i % 2, i % 3) for i in range(80)
    ]
    parts = Items(items[:60]), Items(items[60:])
    with pytest.raises(DataError, match=r"several whole numbers, at \[1, 2\].*fields="):
        DatasetDataModule(*parts, num_classes=2, progress=False).setup()
    fields = {"label": 1}
    data = DatasetDataModule(*parts, num_classes=2, fields=fields, progress=False)
    data.setup()
    index = data.indices("test")
    assert data.fetch(index).label.tolist() == [i % 2 for i in index.tolist()]


def test_suspects_of_a_network_whose_data_are_searched_whole_can_be_given_back(made, tmp_path):
    pd.DataFrame({"name": ["x 5"], "action": ["keep"]}).to_csv(tmp_path / "a.csv", index=False)
    data = data_of(made, repair_share=0, val_share=0, corrections=tmp_path / "a.csv")
    data.setup()
    assert len(data.indices("fit")) == 120
