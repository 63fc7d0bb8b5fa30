"""Each failure in exactly one kind, and each kind by an oracle."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from rnnrepair.abstraction import AbstractionSettings
from rnnrepair.datamodules import LoadedData, Sequences
from rnnrepair.errors import ConfigurationError, SettingsError
from rnnrepair.models import SequenceClassifier
from rnnrepair.network import verified
from rnnrepair.record import Cleaned, SplitAnswers
from rnnrepair.report.studies import read_studies, write_study
from rnnrepair.report.studies.breakdown import breakdown_figures
from rnnrepair.studies import Breakdown, FinishedRun, StudyResult
from rnnrepair.studies.breakdown import FailureKind, first_that_holds
from tests.conftest import trained
from tests.records import record_of, repair_of


def run_of(data, network):
    settings = AbstractionSettings(n_components=6, reduction_dims=3)
    return FinishedRun(verified(network, data), data, settings)


@pytest.fixture
def patterns_too():
    """Ask for patterns beside the other kinds: the search takes seconds."""


@pytest.fixture(autouse=True)
def _no_patterns(request, monkeypatch):
    if "patterns_too" not in request.fixturenames:
        monkeypatch.setattr("rnnrepair.studies.breakdown.shared_patterns", lambda *_: [])


@pytest.fixture
def run(make_data):
    data = make_data(repair_share=0.2)
    return run_of(data, trained(SequenceClassifier(4, 3, hidden_size=8), data))


@pytest.fixture
def texts(make_data):
    """Texts of 20 words, of which word 19 is the unknown one, and few of class 2."""
    g = torch.Generator().manual_seed(3)
    label = (torch.arange(300) % 11 % 3) % 2
    label[::17] = 2
    tokens = torch.randint(2, 20, (300, 9), generator=g)
    clear = torch.rand(300, 9, generator=g) < 0.25
    tokens[clear] = 2 + label[:, None].expand(-1, 9)[clear]
    lengths = torch.randint(1, 10, (300,), generator=g)
    sequences = Sequences.from_padded(tokens, lengths, padding=1)
    data = make_data(LoadedData(sequences, label, 200, "texts", "tokens", unknown=19))
    return run_of(data, trained(SequenceClassifier(6, 3, hidden_size=8, vocabulary_size=20), data))


@pytest.mark.usefixtures("patterns_too")
@pytest.mark.parametrize("given", ["run", "texts"])
def test_every_failure_is_in_exactly_one_kind_the_first_that_holds(given, request):
    run = request.getfixturevalue(given)
    found = Breakdown(odds=4)(run)
    table, failures = found.tables["breakdown"], found.tables["failures"]
    said = run.network.predict(run.data.loader("test"))
    wrong = ~said.correct
    assert failures["index"].tolist() == said.index[wrong].tolist()
    assert table["failures"].sum() == len(failures)
    assert table["share"].sum() == pytest.approx(1)
    kinds = [k.value for k in FailureKind]
    assert table["kind"].tolist() == kinds
    for row in failures.to_dict("records"):
        assert row["kind"] == next((k for k in kinds[:-1] if row[k]), "rest")
    assert failures["kind"].value_counts().to_dict() == {
        row.kind: row.failures for row in table.itertuples() if row.failures
    }
    assert failures["kind"].nunique() > 1


def another_run(run, folder, right, index=None, label=None, strategy="clean_from_start"):
    """Save the record of a run that gets just these of the test samples right."""
    said = run.network.predict(run.data.loader("test"))
    if label is None:
        label = said.label if index is None else torch.zeros_like(index)
    after = torch.where(right, label, (label + 1) % 3)
    answers = SplitAnswers(said.index if index is None else index, label, label, after)
    made = repair_of({"test": answers})
    cleaned = Cleaned(0, 1, 0, 0, 0) if strategy.startswith("clean") else None
    made = replace(made, effort=replace(made.effort, cleaned=cleaned))
    record_of(made, strategy=strategy).save(folder)
    return said


def test_failures_that_another_run_has_not_are_new(run, tmp_path):
    n = len(run.data.indices("test"))
    right = torch.rand(n, generator=torch.Generator().manual_seed(5)) < 0.5
    said = another_run(run, tmp_path, right)
    study = Breakdown(odds=4, against=str(tmp_path))
    study.check(run)
    found = study(run)
    table, failures = found.tables["breakdown"], found.tables["failures"]
    new = dict(zip(failures["index"], failures["new"], strict=True))
    expected = {
        int(i): bool(r) for i, r, c in zip(said.index, right, said.correct, strict=True) if not c
    }
    assert new == expected
    for row in table.itertuples():
        assert row.new == sum(failures["new"] & (failures["kind"] == row.kind))
    told = f"{sum(expected.values())} of them are right in {tmp_path}: "
    (line,) = (line for line in found.conclusion if line.startswith(told))
    assert "another label" not in line


def test_what_is_right_once_labels_were_corrected_is_a_kind_of_its_own(run, tmp_path):
    """By the labels that failures have here: the other run may have corrected those, too."""
    n = len(run.data.indices("test"))
    right = torch.rand(n, generator=torch.Generator().manual_seed(5)) < 0.5
    said = run.network.predict(run.data.loader("test"))
    # Of a few samples the other run has other labels, and predicts these: here it is wrong.
    other = torch.arange(n) % 7 == 0
    another_run(run, tmp_path, right | other, label=torch.where(other, said.predicted, said.label))
    right = torch.where(other, said.predicted == said.label, right)
    study = Breakdown(odds=4, corrected=str(tmp_path))
    study.check(run)
    failures = study(run).tables["failures"]
    before = Breakdown(odds=4)(run).tables["failures"]
    expected = set(said.index[right & ~said.correct].tolist())
    kind = "wrong training labels"
    assert set(failures["index"][failures[kind]]) == expected
    assert not before[kind].any()
    # What is found before it keeps its kind, the rest of them has this one.
    sooner = ["part of a pattern", "near copy with another label", "label suspect"]
    for new, old in zip(failures.to_dict("records"), before.to_dict("records"), strict=True):
        earlier = old["kind"] in {*sooner, "trigger", "labels of neighbours suspect"}
        found = new["index"] in expected and not earlier
        assert new["kind"] == (kind if found else old["kind"])
    assert kind in set(failures["kind"])


def test_a_run_with_other_labels_is_told_of(run, tmp_path):
    n = len(run.data.indices("test"))
    label = run.data.fetch(run.data.indices("test")).label.clone()
    label[:4] = (label[:4] + 1) % 3
    another_run(run, tmp_path, torch.ones(n, dtype=torch.bool), label=label)
    conclusion = Breakdown(odds=4, against=str(tmp_path))(run).conclusion
    assert any("4 samples of the split have another label there" in line for line in conclusion)


def test_runs_that_cannot_be_compared_are_refused(run, tmp_path):
    study = Breakdown(against=str(tmp_path))
    with pytest.raises(ConfigurationError, match=r"against=.*the folder of a run that"):
        study.check(run)
    n = len(run.data.indices("test"))
    another_run(run, tmp_path, torch.ones(n, dtype=torch.bool), torch.arange(n) + 10_000)
    with pytest.raises(ConfigurationError, match="test split has 30 samples, this one 30, or"):
        study.check(run)
    with pytest.raises(ConfigurationError, match=r"corrected=.*test split has 30 samples"):
        Breakdown(corrected=str(tmp_path)).check(run)
    another_run(run, tmp_path / "as they are", torch.ones(n, dtype=torch.bool), strategy="guided")
    with pytest.raises(ConfigurationError, match=r"corrects labels .*strategy guided"):
        Breakdown(corrected=str(tmp_path / "as they are")).check(run)
    with pytest.raises(ConfigurationError, match="val split has 0 samples"):
        Breakdown(split="val", against=str(tmp_path)).check(run)


def test_a_split_that_is_unlike_training_is_told_first(run, monkeypatch):
    def shifted(data, training, traces, split):
        assert training.index.tolist() == run.data.indices("fit").tolist()
        assert traces.index.tolist() == run.data.indices("test").tolist()
        return [f"{split} is unlike training"]

    monkeypatch.setattr("rnnrepair.studies.breakdown.unlike_training", shifted)
    assert Breakdown()(run).conclusion[0] == "test is unlike training"


def test_margins_are_those_of_the_networks_own_answers(run):
    failures = Breakdown(margin=0.1)(run).tables["failures"]
    batch = run.data.fetch(torch.tensor(failures["index"].tolist()))
    said = run.network.module.logits(batch).softmax(1).detach().numpy()
    label = batch.label.numpy()
    expected = said.max(1) - said[np.arange(len(label)), label]
    assert failures["margin"].tolist() == pytest.approx(expected.tolist(), abs=1e-5)
    assert failures["near the boundary"].tolist() == (expected <= 0.1).tolist()
    assert 0 < failures["near the boundary"].sum() < len(failures)


def test_the_model_without_order_sees_summaries_of_real_steps_alone(run):
    def seen(split):
        index = run.data.indices(split) if isinstance(split, str) else split
        batch = run.data.fetch(index)
        rows = [
            np.concatenate([s.mean(0), s.std(0), s.min(0), s.max(0)])
            for s in (sequence.numpy() for sequence in batch.sequences())
        ]
        return np.stack(rows), batch.label.numpy()

    failures = Breakdown()(run).tables["failures"]
    here, label = seen("fit")
    there, true = seen(torch.tensor(failures["index"].tolist()))
    scaler = StandardScaler().fit(here)
    model = LogisticRegression(max_iter=1000).fit(scaler.transform(here), label)
    right = model.predict(scaler.transform(there)) == true
    assert failures["a model without order is right"].tolist() == right.tolist()
    assert 0 < right.sum() < len(right)


def test_words_and_classes_are_rare_by_their_counts_in_fit(texts):
    failures = Breakdown(rare_word=40, rare_class=0.3)(texts).tables["failures"]
    fit = texts.data.fetch(texts.data.indices("fit"))
    words = torch.cat(fit.sequences()).bincount(minlength=20)
    size = fit.label.bincount(minlength=3)
    assert size.min() <= 0.3 * size.max() < size.median()
    rare = 0
    for row in failures.to_dict("records"):
        text = texts.data.fetch(torch.tensor([row["index"]]))
        word = int(text.sequences()[0][row["step"] - 1])
        assert row["rare or unknown word"] == (word == 19 or words[word] <= 40)
        assert row["rare class"] == (int(text.label) == 2)
        rare += row["rare or unknown word"]
    assert 0 < rare < len(failures)


def test_the_first_kind_counts():
    holds = {
        FailureKind.LABEL: torch.tensor([True, False, False]),
        FailureKind.COPY: torch.tensor([True, True, False]),
    }
    expected = [FailureKind.LABEL, FailureKind.COPY, FailureKind.REST]
    assert first_that_holds(holds) == expected


def test_a_network_without_failures_has_no_kinds(run, monkeypatch):
    right = run.states()["test"]
    right.prediction[right.last_step] = right.label.to(right.prediction.dtype)
    found = Breakdown()(run)
    assert found.tables == {}
    assert "no failures" in found.conclusion[0]


def test_it_stands_first_in_the_report_with_its_figure(run, tmp_path):
    write_study(tmp_path, "automaton", StudyResult({}, ["Nothing."]))
    write_study(tmp_path, "breakdown", Breakdown()(run))
    first, second = read_studies(tmp_path)
    assert (first.name, second.name) == ("breakdown", "automaton")
    assert first.figures == ("breakdown",)
    assert isinstance(first.table("failures"), pd.DataFrame)


@pytest.mark.parametrize("longest", [9, 10612, 1234567])
def test_the_label_of_the_longest_bar_has_room_within_its_axes(longest):
    kinds = [kind.value for kind in FailureKind]
    table = pd.DataFrame({"kind": kinds, "failures": [longest] + [1] * (len(kinds) - 1)})
    table["share"] = table["failures"] / table["failures"].sum()
    figure = breakdown_figures({"breakdown": table})["breakdown"]
    FigureCanvasAgg(figure)
    figure.draw_without_rendering()
    (axes,) = figure.axes
    labels = [text.get_window_extent() for text in axes.texts]
    assert len(labels) == len(kinds)
    assert max(label.x1 for label in labels) <= axes.bbox.x1


def test_values_out_of_range_are_refused_together():
    with pytest.raises(SettingsError, match=r"(?s)split.*odds.*rare_class.*margin"):
        Breakdown(split="fit", odds=0, rare_class=1, margin=2)


def test_copies_with_another_label_are_a_file_of_corrections(make_data, tmp_path):
    """A failing test sample stands three times in training, twice with another label."""
    g = torch.Generator().manual_seed(2)
    x = torch.randn(130, 6, 4, generator=g)
    label = torch.arange(130) % 3
    x[:, :, 0] += 3.0 * label[:, None]
    # 110 .. are test samples.
    x[[3, 4, 5]] = x[110].clone()
    label[[3, 4]], label[5] = (label[110] + 1) % 3, label[110]
    loaded = LoadedData(
        *(Sequences.from_padded(x, torch.full((130,), 6)), label, 100, "copied", "series"),
        n_val=10,
    )
    data = make_data(loaded, repair_share=0)
    run = run_of(data, trained(SequenceClassifier(4, 3, hidden_size=16), data, steps=80))
    said = run.network.predict(data.loader("test"))
    assert not said.correct[said.index == 110]
    copies = Breakdown(odds=4)(run).tables["copies"]
    own = copies[copies["copy_of"] == 110]
    assert sorted(own["index"]) == [3, 4]
    wrong, right = str(int(label[3])), str(int(label[110]))
    assert set(own["label"]) == set(own["label_was"]) == {wrong}
    assert set(own["suggested"]) == {right}
    copies.assign(action="relabel").to_csv(tmp_path / "copies.csv", index=False)
    mended = make_data(loaded, repair_share=0, corrections=tmp_path / "copies.csv")
    assert mended.fetch(torch.tensor([3, 4])).label.tolist() == [int(label[110])] * 2
