"""The story of each failure of a network that is trained already."""

import importlib.util
import json
import runpy
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.metrics import confusion_matrix
from torch.utils.data import DataLoader, TensorDataset

import rnnrepair
from rnnrepair.abstraction import AbstractionSettings, abstract, collect
from rnnrepair.datamodules import LoadedData, PlantedLabels, Sequences
from rnnrepair.errors import ConfigurationError, DataError, SettingsError
from rnnrepair.explanation import explain
from rnnrepair.explanation.around import AROUND, around
from rnnrepair.explanation.cautions import not_trained_on
from rnnrepair.explanation.states import COMPARED
from rnnrepair.influence import (
    AverageMargin,
    Doubting,
    StateSimilarity,
    TrainingDynamics,
    TrainingView,
    responsible_step,
)
from rnnrepair.models import SequenceClassifier
from rnnrepair.network import verified
from rnnrepair.report import write_explanation
from rnnrepair.sequences import Changes, SampleNames
from rnnrepair.traces import Traces
from scripts.explain import write_table
from tests.conftest import trained
from tests.explaining import RAN_ON, SETTINGS, Counting, explained
from tests.network_forms import C, Convolved, F
from tests.report_page import Page

ROOT = Path(__file__).parents[1]


@pytest.fixture
def data(make_data):
    return make_data(repair_share=0.2)


@pytest.fixture
def network(data):
    return trained(Counting(4, 3, hidden_size=8), data)


@pytest.fixture
def words(make_data):
    """Texts of 20 words, some of which give the class away; and a network that reads them."""
    g = torch.Generator().manual_seed(3)
    label = torch.arange(200) % 3
    tokens = torch.randint(2, 20, (200, 9), generator=g)
    clear = torch.rand(200, 9, generator=g) < 0.25
    tokens[clear] = 2 + label[:, None].expand(-1, 9)[clear]
    lengths = torch.randint(1, 10, (200,), generator=g)
    names = [f"w{i}" for i in range(20)]
    loaded = LoadedData(
        Sequences.from_padded(tokens, lengths, padding=1),
        *(label, 160, "texts", "tokens"),
        token_names=names,
        class_names=("a", "b", "c"),
    )
    data = make_data(loaded, repair_share=0.3)
    return trained(SequenceClassifier(6, 3, hidden_size=8, vocabulary_size=20), data), data


def test_every_failure_is_told_as_the_pieces_tell_it(network, data):
    found = explained(network, data)
    view = verified(network, data)
    said = view.predict(data.loader("test"))
    wrong = ~said.correct
    assert [f.index for f in found.failures] == said.index[wrong].tolist()
    assert [f.predicted for f in found.failures] == said.predicted[wrong].tolist()
    assert found.accuracy == said.accuracy
    assert found.n_failures == len(found) == int(wrong.sum())
    assert found.confused.tolist() == confusion_matrix(said.label, said.predicted).tolist()
    collected = collect(
        view,
        [data.fetch(data.indices("fit"))],
        {s: data.loader(s) for s in ("fit", "test")},
        SETTINGS.reduction_dims,
    )
    result = abstract(collected, SETTINGS, len(data.indices("fit")))
    failures = result.traces["test"].select(wrong)
    assert torch.equal(found.evidence.step, responsible_step(failures))
    fit = result.traces["fit"]
    scorer = StateSimilarity().fit(TrainingView(fit, result.model, len(fit), view, data.fetch))
    near = scorer.rank(failures, 5).row
    assert torch.equal(found.evidence.nearest.index, fit.index[near])
    label = data.fetch(found.evidence.parents.index.flatten()).label.view(len(found), -1)
    assert bool((label == failures.label[:, None]).all())


def test_what_is_asked_for_is_told_in_that_order_and_what_is_right_is_said(network, data):
    every = explained(network, data)
    wrong = [f.index for f in every.failures]
    right = [i for i in data.indices("test").tolist() if i not in wrong][:2]
    asked = [wrong[3], right[0], wrong[0], right[1]]
    found = explained(network, data, index=asked, at_most=1)
    assert [f.index for f in found.failures] == [wrong[3], wrong[0]]
    assert found.right.tolist() == right
    rows = every.to_dataframe().set_index("index").loc[[wrong[3], wrong[0]]].reset_index()
    pd.testing.assert_frame_equal(found.to_dataframe(), rows[found.to_dataframe().columns])
    nothing = explained(network, data, index=right)
    assert len(nothing) == len(nothing.to_dataframe()) == 0
    assert str(right[0]) in str(nothing)
    # What to ask instead.
    assert f"such as {', '.join(map(str, wrong[:3]))}" in str(nothing)
    assert "such as" not in str(found)


def test_the_first_failures_are_told_and_how_many_there_are(network, data, caplog):
    found = explained(network, data, at_most=2)
    assert len(found) == 2 < found.n_failures
    assert "at_most" in caplog.text


def test_the_network_runs_once_over_the_data_and_not_again_for_what_is_kept(
    network, data, tmp_path
):
    first = explained(network, data, keep_in=tmp_path, finders=None)
    fit, test = (len(data.indices(s)) for s in ("fit", "test"))
    (kept,) = tmp_path.iterdir()
    verified(network, data)
    RAN_ON.clear()
    verified(network, data)
    looking = len(RAN_ON)
    RAN_ON.clear()
    again = explained(network, data, keep_in=tmp_path, finders=None)
    # And a few sequences, to see that what is kept is what it makes now.
    assert len(RAN_ON) == looking + min(COMPARED, fit) + min(COMPARED, test)
    assert list(tmp_path.iterdir()) == [kept]
    pd.testing.assert_frame_equal(again.to_dataframe(), first.to_dataframe())
    RAN_ON.clear()
    explained(network, data, finders=None)
    assert len(RAN_ON) - looking == fit + (fit + test)  # a sample (all of so few), and all once


def nudged(network, data):
    with torch.no_grad():
        next(network.parameters()).view(-1)[0] += 0.5
    return {}


def injected(network, data):
    data.apply(Changes(torch.rand(1, 5, 4), torch.tensor([5]), torch.tensor([1])))
    return {}


@pytest.mark.parametrize(
    "change",
    [
        nudged,
        injected,
        lambda network, data: {"split": "val"},
        lambda network, data: {"settings": AbstractionSettings(n_components=6, reduction_dims=2)},
    ],
)
def test_what_is_kept_serves_the_same_network_and_data_alone(network, data, tmp_path, change):
    explained(network, data, keep_in=tmp_path)
    options = change(network, data)
    fresh = explained(network, data, **options)
    kept = explained(network, data, keep_in=tmp_path, **options)
    assert len(list(tmp_path.iterdir())) == 2
    pd.testing.assert_frame_equal(kept.to_dataframe(), fresh.to_dataframe())


def test_what_a_repair_has_injected_has_no_vote_on_labels(network, data):
    before = explained(network, data)
    failed = data.fetch(torch.tensor([failure.index for failure in before.failures]))
    predicted = torch.tensor([failure.predicted for failure in before.failures])
    data.apply(Changes(failed.inputs, failed.lengths, predicted))
    after = explained(network, data)
    assert torch.equal(after.doubt.odds, before.doubt.odds)
    assert torch.equal(after.doubt.copies, before.doubt.copies)
    # They are told of as neighbours: the network was trained on them.
    assert int(after.evidence.nearest.index.max()) > int(before.evidence.nearest.index.max())


def test_more_states_of_what_is_kept_need_no_second_pass(network, data, tmp_path):
    explained(network, data, keep_in=tmp_path)
    other = AbstractionSettings(n_components=4, reduction_dims=3)
    explained(network, data, keep_in=tmp_path, settings=other)
    assert len(list(tmp_path.iterdir())) == 1


def test_texts_are_told_by_their_words_and_contexts(words):
    network, data = words
    found = explained(network, data)
    frame = found.to_dataframe()
    for row, failure in zip(frame.itertuples(), found.failures, strict=True):
        tokens = data.fetch(torch.tensor([failure.index])).sequences()[0]
        assert row.text.split() == [f"w{t}" for t in tokens.tolist()]
        assert row.label_name == "abc"[failure.label]
    assert frame["contexts"].map(len).max() > 0
    assert f"predicted {frame['predicted_name'][0]}" in str(found)


def test_the_table_opens_elsewhere(network, data, tmp_path):
    frame = explained(network, data).to_dataframe()
    assert frame[["x", "y"]].notna().all().all()
    frame.to_csv(tmp_path / "f.csv", index=False)
    assert pd.read_csv(tmp_path / "f.csv")["index"].tolist() == frame["index"].tolist()
    assert all(isinstance(i, int) for near in frame["nearest"] for i in near)


def test_the_place_is_on_the_main_axes_of_the_last_states_of_training(network, data):
    found = explained(network, data)
    ends = {}
    for split in ("fit", "test"):
        for batch in verified(network, data).steps(data.loader(split)):
            last = batch.hidden[batch.lengths.cumsum(0) - 1]
            ends |= dict(zip(batch.index.tolist(), last, strict=True))
    hidden = torch.cat(
        [batch.hidden for batch in verified(network, data).steps(data.loader("fit"))]
    )
    # The components that states are reduced to, and of the last states the two main axes.
    reduce = PCA(SETTINGS.reduction_dims, svd_solver="full").fit(hidden.double().numpy())
    fit = torch.stack([ends[i] for i in data.indices("fit").tolist()]).double().numpy()
    failed = torch.stack([ends[f.index] for f in found.failures]).double().numpy()
    plane = PCA(2, svd_solver="full").fit(reduce.transform(fit))
    expected = torch.from_numpy(plane.transform(reduce.transform(failed)))
    torch.testing.assert_close(found.place.double().abs(), expected.abs(), atol=1e-4, rtol=1e-4)


def test_labels_are_judged_by_what_training_has_shown_where_that_is_known(network, data):
    fit = data.indices("fit")
    label = data.fetch(fit).label
    logits = torch.randn(len(fit), 3, generator=torch.Generator().manual_seed(0))
    dynamics = TrainingDynamics(int(fit.max()) + 1)
    dynamics.update(fit, logits, label)
    dynamics.end_epoch()
    with pytest.raises(ConfigurationError, match="how training went"):
        explained(network, data, method=AverageMargin())
    found = explained(network, data, method=AverageMargin(), dynamics=dynamics)
    # Of the label that a failure is mistaken for, the sample that training found hardest is first.
    own = logits.gather(1, label[:, None])[:, 0]
    margin = own - logits.scatter(1, label[:, None], -torch.inf).amax(1)
    for failure, nearest in zip(found.failures, found.evidence.nearest.index, strict=True):
        of_both = (label == failure.predicted) | (label == failure.label)
        place = torch.where(of_both, margin, torch.inf).argmin()
        assert int(nearest[0]) == int(fit[place])


def test_the_page_tells_every_failure_and_which_labels_are_suspect(data, network, tmp_path):
    found = explained(network, data, doubting=Doubting(odds=1.5))
    suspects = int(found.doubt.suspect.sum())
    assert 0 < suspects < len(found)
    page = write_explanation(found, data, tmp_path / "page.html")
    text = Page(page.read_text()).text
    assert all(f"sample {f.index}" in text for f in found.failures)
    assert "Injected" not in text
    assert text.count("LABEL SUSPECT:") + text.count("LABELS OF NEIGHBOURS SUSPECT:") == suspects
    assert str(found).count(" SUSPECT: ") == suspects
    assert found.to_dataframe()["label_suspect"].sum() == suspects


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"split": "fit"}, ConfigurationError, "split='fit'.*test"),
        ({"split": "tests"}, ConfigurationError, "split='tests'"),
        ({"index": [0]}, DataError, "index 0 is not in the split test.*indices from"),
        ({"top": 0}, SettingsError, "top"),
        ({"at_most": 0}, SettingsError, "at_most"),
    ],
)
def test_what_cannot_be_told_is_refused(network, data, options, error, message):
    with pytest.raises(error, match=message):
        explained(network, data, **options)


@pytest.fixture
def named(make_data, loaded):
    """The data of the tests, whose samples are called otherwise; and a network."""
    values = np.array([f"r{3 * i}" for i in range(len(loaded.label))[::-1]])
    told = "column id of a.csv"
    data = make_data(replace(loaded, names=SampleNames(values, "id", told)), repair_share=0.2)
    return trained(Counting(4, 3, hidden_size=8), data), data, values


def test_failures_are_told_and_asked_for_by_the_names_of_the_data(named, network, data, tmp_path):
    module, renamed, values = named
    found, plain = explained(module, renamed), explained(network, data)
    frame = found.to_dataframe()
    assert frame["name"].tolist() == values[frame["index"]].tolist()
    for role in ("nearest", "parents", "copies"):
        called = frame[f"{role}_names"].tolist()
        assert called == [[f"id {values[i]}" for i in row] for row in frame[role]]
    unnamed = [c for c in frame if "name" not in c and c != "why_suspect"]
    pd.testing.assert_frame_equal(frame[unnamed], plain.to_dataframe()[unnamed])
    first = frame.iloc[0]
    told = f"sample {first['index']} (id {first['name']})"
    assert told in str(found)
    assert "column id of a.csv" in str(found)
    page = Page(write_explanation(found, renamed, tmp_path / "page.html").read_text()).text
    near = first["nearest"][0]
    assert told in page
    assert f"{near} (id {values[near]})" in page
    asked = explained(module, renamed, names=[frame["name"][2], frame["name"][0]])
    assert [f.index for f in asked.failures] == frame["index"][[2, 0]].tolist()
    trains = values[int(renamed.indices("fit")[0])]
    with pytest.raises(DataError, match=rf"{trains}.*not in the split test.*'fit'"):
        explained(module, renamed, names=[trains])
    with pytest.raises(DataError, match=r"'r1' is not.*no sample.*column id"):
        explained(module, renamed, names=["r1"])
    with pytest.raises(ConfigurationError, match="give one"):
        explained(module, renamed, names=["r1"], index=[1])


def test_names_that_are_the_numbers_are_told_once(network, data):
    frame = (found := explained(network, data)).to_dataframe()
    assert frame["name"].tolist() == frame["index"].tolist()
    assert f"sample {frame['index'][0]}: labelled" in str(found)
    assert "behind the number" not in str(found)


def test_injected_samples_behind_a_failure_say_what_they_were_made_of(named, tmp_path):
    module, data, values = named
    before = explained(module, data).to_dataframe()
    failures = torch.tensor(before["index"].tolist())
    parents = data.indices("fit")[: len(failures)]
    batch = data.fetch(failures)  # the nearest sample of each failure is its own copy
    new = data.apply(
        Changes(batch.inputs, batch.lengths, batch.label, origin=parents[: len(failures)])
    )
    found = explained(module, data, settings=SETTINGS)
    frame = found.to_dataframe()
    made = dict(zip(new.tolist(), parents.tolist(), strict=True))
    seen = 0
    for near, called in zip(frame["nearest"].sum(), frame["nearest_names"].sum(), strict=True):
        if near in made:
            seen += 1
            assert called == f"injected, made of id {values[made[near]]}"
            assert len(data.sample_names) <= near
    assert seen > 0
    assert "injected, made of id" in str(found)
    page = Page(write_explanation(found, data, tmp_path / "page.html").read_text()).text
    assert "injected, made of id" in page


def test_steps_count_from_1_where_people_read(words):
    found = explained(*words)
    lines = str(found).split("\nsample ")[1:]
    frame = found.to_dataframe()
    rows = zip(frame.to_dict("records"), found.failures, found, lines, strict=True)
    for row, failure, told, line in rows:
        first, end = failure.segment
        assert row["step"] == told.step == failure.step + 1
        assert range(row["segment_first"] - 1, row["segment_last"]) == range(first, end)
        step = (
            f"for good at step {failure.step + 1} of" if failure.ever_right else "No step was ever"
        )
        assert step in line or row["n_steps"] == 1
        # One failure says what the table and the text of all say of it.
        assert str(told) == f"sample {line}"
        columns = vars(told).keys() - {"story"}
        assert {name: row[name] for name in columns} == {n: getattr(told, n) for n in columns}


def test_the_text_around_the_segment_is_told_in_one_line(words):
    found = explained(*words)
    for failure, text in zip(found.failures, found.words, strict=True):
        first, end = failure.segment
        marked = f"[{' '.join(text[first:end])}]"
        assert f"\n    {' '.join([*text[:first], marked, *text[end:]])}" in str(found)
    long = [f"w{i}" for i in range(500)]
    line = around(long, (250, 252), " ")
    assert line.startswith("... ")
    assert line.endswith(" ...")
    assert "w249 [w250 w251] w252" in line
    assert 60 < len(line) < AROUND + 20
    assert around(list("abcde"), (0, 2), "") == "[ab]cde"


def test_another_number_of_classes_is_refused(make_data):
    data = make_data()
    with pytest.raises(ConfigurationError, match="classes"):
        explained(SequenceClassifier(4, 5, hidden_size=8), data)


def test_what_is_no_data_module_is_refused(network):
    x, y = torch.rand(20, 5, 4), torch.zeros(20).long()
    for given, told in (
        ((x, y), r"ArrayDataModule\(x, y\)"),
        (x, r"ArrayDataModule\(x, y\)"),
        (x.numpy(), r"ArrayDataModule\(x, y\)"),
        (TensorDataset(x, y), r"TensorDataset.*DatasetDataModule\(train, test\)"),
        (DataLoader(TensorDataset(x, y)), r"not their loaders.*DatasetDataModule"),
        (Counting, r"the class Counting"),
        (object(), r"lacks.*fetch"),
    ):
        with pytest.raises(ConfigurationError, match=told):
            explained(network, given)


def test_what_is_no_network_is_refused(network, data):
    with pytest.raises(ConfigurationError, match=r"the class Counting"):
        explained(Counting, data)
    with pytest.raises(ConfigurationError, match=r"a state dict.*load_state_dict"):
        explained(network.state_dict(), data)


def test_data_that_the_network_was_not_trained_on_are_told(network, data, monkeypatch):
    found = explained(network, data, progress=True)
    assert found.warning == ""
    said = network_answers(network, data, "fit")
    assert found.fit_accuracy == said
    assert f"training samples {said:.1%}" in str(found)
    fetch, fit = data.fetch, set(data.indices("fit").tolist())

    def other_labels(index):
        batch = fetch(index)
        ours = torch.tensor([i in fit for i in batch.index.tolist()])
        return replace(batch, label=torch.where(ours, (batch.label + 1) % 3, batch.label))

    monkeypatch.setattr(data, "fetch", other_labels)
    monkeypatch.setattr(data, "loader", lambda split: [other_labels(data.indices(split))])
    shifted = explained(network, data)
    assert shifted.accuracy == found.accuracy
    assert "of its training samples right, one answer for all " in shifted.warning
    assert shifted.warning in str(shifted)


def test_training_samples_far_behind_the_split_are_told():
    def answered(share, n=1000):
        label = torch.arange(n) % 3
        wrong = torch.arange(n) >= share * n
        said = torch.where(wrong, (label + 1) % 3, label)
        return Traces(torch.zeros_like(said), said, torch.arange(n + 1), label, label, 1, 3)

    assert "70.0% of its training samples right, but 90.0% of test" in not_trained_on(
        answered(0.7), answered(0.9), "test"
    )
    assert not_trained_on(answered(0.88), answered(0.9), "test") == ""
    # The same difference on few samples is one of chance.
    assert not_trained_on(answered(0.7), answered(0.9, n=10), "test") == ""
    # So are few samples that are all right.
    assert not_trained_on(answered(0.98, n=2000), answered(1.0, n=20), "test") == ""


def test_wrong_labels_are_why_training_is_behind_and_other_data_are_not_asked_about(make_data):
    g = torch.Generator().manual_seed(0)
    label = torch.arange(900) % 3
    inputs = label[:, None, None] + 0.2 * torch.rand((900, 5, 4), generator=g)
    sequences = Sequences.from_padded(inputs, torch.full((900,), 5))
    loaded = LoadedData(sequences, label, 600, "tensors", "series")
    planted = PlantedLabels(0.08, splits=("fit", "repair"))
    data = make_data(loaded, planted=planted, repair_share=0.1, val_share=0)
    network = trained(Counting(4, 3, hidden_size=8), data, steps=60)
    found = explained(network, data)
    assert found.accuracy == 1
    assert 0.9 < found.fit_accuracy < 0.94
    assert len(found.suspects) == round((1 - found.fit_accuracy) * found.searched)
    assert found.warning == ""


def test_steps_that_are_no_inputs_are_told(network, data, make_data, tmp_path):
    assert explained(network, data).states_told == ""
    torch.manual_seed(0)
    x, label = torch.rand(120, 6, F), torch.arange(120) % C
    even = LoadedData(
        Sequences.from_padded(x, torch.full((120,), 6)), label, 90, "tensors", "series"
    )
    halved = make_data(even, repair_share=0.2)
    found = explained(Convolved(), halved)
    assert "it makes 3 of the 6 inputs of sample" in found.states_told
    assert found.states_told in str(found)
    page = write_explanation(found, halved, tmp_path / "page.html")
    assert found.states_told in Page(page.read_text()).text


def network_answers(network, data, split):
    return verified(network, data).predict(data.loader(split)).correct.double().mean().item()


def test_failures_are_counted_and_gone_through_like_those_of_a_list(network, data):
    found = explained(network, data)
    index = [failure.index for failure in found]
    assert index == [f.index for f in found.failures]
    assert [found[row].index for row in range(-len(found), len(found))] == index * 2
    assert [failure.index for failure in found[1:3]] == index[1:3]
    for row in (len(found), -len(found) - 1, 5000):
        with pytest.raises(IndexError, match=rf"{row}: {len(found)} are told.*index=\[{row}\]"):
            found[row]


def test_data_that_are_not_set_up_are(network, data, make_data):
    fresh = make_data(setup=False, repair_share=0.2)
    frame = explained(network, fresh).to_dataframe()
    pd.testing.assert_frame_equal(frame, explained(network, data).to_dataframe())


def test_the_name_is_the_function_whatever_was_imported():
    program = (
        "import sys, rnnrepair; assert 'torch' not in sys.modules; "
        "import rnnrepair.explanation.explain; from rnnrepair import explain; "
        "assert callable(explain) and rnnrepair.explain is explain"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    with pytest.raises(AttributeError, match="explains"):
        _ = rnnrepair.explains


def test_the_example_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    example = str(ROOT / "examples" / "explain_trained.py")
    g = torch.Generator().manual_seed(0)
    torch.save(torch.rand(2000, 30, 1, generator=g), "x.pt")
    torch.save(torch.randint(2, (2000,), generator=g), "y.pt")
    torch.manual_seed(0)
    torch.save(runpy.run_path(example)["Net"]().state_dict(), "net.pt")
    runpy.run_path(example, run_name="__main__")
    assert "predicted" in capsys.readouterr().out
    assert len(pd.read_csv("failures.csv")) == 100


def test_a_folder_that_cannot_be_written_is_refused_before_anything_is_read(
    network, data, tmp_path
):
    (tmp_path / "taken").write_text("a file")
    RAN_ON.clear()
    with pytest.raises(ConfigurationError, match=r"keep_in=.*cannot be written"):
        explain(network, data, settings=SETTINGS, keep_in=tmp_path / "taken")
    assert RAN_ON == []


def test_the_table_is_the_same_from_parquet(network, data, tmp_path):
    pytest.importorskip("pyarrow", reason="parquet needs pyarrow, which is not installed")
    frame = explain(network, data, settings=SETTINGS).to_dataframe()
    assert len(frame) > 3
    path = write_table(frame, tmp_path / "test.parquet")
    assert path.suffix == ".parquet"
    again = pd.read_parquet(path)
    assert list(again) == list(frame)
    for name in frame:
        left, right = (
            json.dumps(t[name].tolist(), default=lambda v: v.tolist()) for t in (frame, again)
        )
        assert left == right, name


def test_the_table_is_csv_without_pyarrow(network, data, tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    frame = explain(network, data, settings=SETTINGS).to_dataframe()
    path = write_table(frame, tmp_path / "test.parquet")
    assert path.suffix == ".csv"
    assert pd.read_csv(path)["index"].tolist() == frame["index"].tolist()
