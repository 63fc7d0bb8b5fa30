"""Who finds wrong labels: counts against brute force, and labels put right as by hand."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import roc_auc_score

from rnnrepair.abstraction import AbstractionSettings
from rnnrepair.datamodules import PlantedLabels
from rnnrepair.errors import ConfigurationError, DataError, SettingsError
from rnnrepair.influence import (
    AverageMargin,
    FinalLoss,
    Need,
    RandomInfluence,
    SuspectLabels,
    TraceSimilarity,
    TrainingView,
    suspect_labels,
)
from rnnrepair.influence.random_influence import RandomScorer
from rnnrepair.models import SequenceClassifier
from rnnrepair.network import verified
from rnnrepair.report.studies import read_studies, write_study
from rnnrepair.sequences import EVERY_KIND, Changes
from rnnrepair.studies import FinishedRun, Mislabel, Retraining, mislabel_tables
from rnnrepair.studies.found_labels import LOOKED_AT, found_labels, most_suspicious_first
from rnnrepair.studies.mislabel import told_of_restored
from rnnrepair.studies.restored_labels import restored_labels
from tests.conftest import trained
from tests.test_validity import FullBatch

METHODS = {
    "random": RandomInfluence(),
    "suspicion": SuspectLabels(),
    "final_loss": FinalLoss(),
    "similarity": TraceSimilarity(),
}


@pytest.fixture
def make_run(make_data):
    def make(**options):
        data = make_data(repair_share=0.2, **options)
        network = trained(SequenceClassifier(4, 3, hidden_size=8), data)
        settings = AbstractionSettings(n_components=6, reduction_dims=3)
        return FinishedRun(verified(network, data), data, settings, train=FullBatch(data))

    return make


@pytest.fixture
def run(make_run):
    return make_run(planted=PlantedLabels(0.2, splits=["fit"]))


@pytest.fixture
def wrong(run):
    return run.data.mislabelled(run.data.indices("fit"))


def test_counts_are_those_of_a_brute_force():
    g = torch.Generator().manual_seed(0)
    scores = torch.randn(40, generator=g).round(decimals=1)
    scores[[3, 17]] = torch.nan
    wrong = torch.rand(40, generator=g) < 0.3
    looked_for = wrong & (torch.rand(40, generator=g) < 0.6)
    order = torch.randperm(40, generator=g)
    found = found_labels(scores, looked_for, wrong, order)
    middle = float(scores[~scores.isnan()].double().median())
    known = [middle if np.isnan(s) else s for s in scores.double().tolist()]
    pairs = [
        (known[a] > known[b]) + 0.5 * (known[a] == known[b])
        for a in looked_for.nonzero()[:, 0].tolist()
        for b in (~wrong).nonzero()[:, 0].tolist()
    ]
    assert found["auc"] == pytest.approx(np.mean(pairs))
    place = {row: p for p, row in enumerate(order.tolist())}
    ranked = sorted(range(40), key=lambda row: (-known[row], place[row]))
    firsts = {f"found_at_{share:g}": round(40 * share) for share in LOOKED_AT}
    for name, n in {**firsts, "found_at_rate": int(wrong.sum())}.items():
        hits = sum(bool(looked_for[row]) for row in ranked[:n])
        assert found[name] == pytest.approx(hits / int(looked_for.sum()))


def test_nothing_to_find_is_no_score():
    nothing = torch.zeros(5, dtype=torch.bool)
    found = found_labels(torch.rand(5), nothing, nothing, torch.arange(5))
    assert np.isnan(found["auc"])
    assert found["n"] == 0


def test_unknown_samples_stand_in_the_middle_wherever_samples_are_ranked():
    scores = torch.tensor([torch.nan, 1.0, 2.0, 1.0, -torch.inf])
    order = torch.tensor([4, 3, 2, 1, 0])
    assert most_suspicious_first(scores, order).tolist() == [2, 3, 1, 0, 4]
    wrong = torch.tensor([True, False, True, True, False])
    found = found_labels(scores, wrong, wrong, order)
    first = most_suspicious_first(scores, order)[:3]
    assert found["found_at_rate"] == pytest.approx(float(wrong[first].sum()) / 3)


def test_every_method_is_asked_for_the_same_wrong_labels(run, wrong):
    table = Mislabel(METHODS, n_components=6)(run).tables["mislabel"]
    assert set(table["method"]) == set(METHODS)
    ways = table.groupby("method")["by"].unique().map(set)
    assert ways["similarity"] == {"itself", "targets"}
    assert ways["final_loss"] == {"itself"}
    said = run.network.predict(run.data.loader("fit"))
    order = said.index.argsort()
    learnt = (said.predicted == said.label)[order] & wrong
    for kind, n in (("all", wrong.sum()), ("fitted", learnt.sum())):
        assert (table[table["flips"] == kind]["n"] == int(n)).all()
    # By hand, for one of them.
    model, traces = run.abstraction(6)
    known = traces["fit"], model, len(wrong), run.network, run.data.fetch
    view = TrainingView(*known, scale=run.data.spec.scale)
    own = suspect_labels(view).score
    row = table[(table["method"] == "suspicion") & (table["flips"] == "all")].iloc[0]
    assert row.auc == pytest.approx(roc_auc_score(wrong.numpy(), own.double().numpy()))


def test_targets_may_be_those_that_the_wrong_labels_have_caused(run):
    said = Mislabel({"similarity": TraceSimilarity()}, n_components=6, targets="caused")(run)
    fit = run.data.indices("fit")
    true, given = run.data.true_labels(fit), run.data.fetch(fit).label
    changed = true != given
    truth = Changes(relabelled=fit[changed], new_label=true[changed])
    (clean,) = run.train([Retraining(truth)])
    test = run.data.fetch(run.data.indices("test"))
    was = run.network.predict([test])
    now = clean.predict([test])
    caused = int(((was.predicted != was.label) & (now.predicted == now.label)).sum())
    failed = int((was.predicted != was.label).sum())
    assert f"are shown {caused} of the {failed} on" in said.conclusion[0]


def test_a_run_whose_failures_no_true_label_puts_right_says_so(run):
    run.train = lambda trainings: [run.network for _ in trainings]
    failed = run.network.predict(run.data.loader("test")).n_failures
    said = Mislabel({"similarity": TraceSimilarity()}, n_components=6, targets="caused")(run)
    assert set(said.tables["mislabel"]["by"]) == {"itself"}
    told = f"are shown 0 of the {failed} on the test split, so no row is by targets."
    assert told in said.conclusion[0]


class Slow:
    """A method of which every part takes its time on a clock that nothing else moves."""

    name = "slow"
    fits = EVERY_KIND
    needs = frozenset()
    now = 0

    def check(self, network, batch):
        pass

    def fit(self, view):
        self.now += 1
        return SlowScorer(view.traces, self)


class SlowScorer(RandomScorer):
    def __init__(self, traces, clock):
        super().__init__(traces)
        self._clock = clock

    def own(self):
        self._clock.now += 20
        return super().own()

    def group_scores(self, queries):
        self._clock.now += 300
        return super().group_scores(queries)


def test_each_way_is_told_its_own_seconds_and_those_of_the_fit(run, monkeypatch):
    slow = Slow()
    clock = SimpleNamespace(perf_counter=lambda: slow.now)
    monkeypatch.setattr("rnnrepair.studies.mislabel.time", clock)
    table = Mislabel({"slow": slow}, n_components=6)(run).tables["mislabel"]
    assert table.groupby("by")["seconds"].unique().to_dict() == {"itself": [21], "targets": [301]}


def test_what_is_found_is_put_right_and_nothing_else(run, wrong):
    fit = run.data.indices("fit")
    order = fit.flip(0)
    curve = restored_labels(
        run, run.train, {"last_first": order}, [0.25, 0.5], run.data.true_labels
    )
    by_share = curve.set_index(["method", "share"])
    assert by_share.loc[("nothing", 0.0), "restored"] == 0
    assert by_share.loc[("everything", 1.0), "restored"] == int(wrong.sum())
    for share in (0.25, 0.5):
        seen = order[: round(share * len(fit))]
        mended = fit[wrong & torch.isin(fit, seen)]
        assert by_share.loc[("last_first", share), "restored"] == len(mended)
        changes = Changes(relabelled=mended, new_label=run.data.true_labels(mended))
        (network,) = run.train([Retraining(changes)])
        said = network.predict(run.data.loader("test"))
        right = float((said.predicted == said.label).float().mean())
        assert by_share.loc[("last_first", share), "accuracy"] == pytest.approx(right)


def test_equal_sets_are_trained_once(run):
    orders = {name: run.data.indices("fit") for name in ("one", "another")}
    restored_labels(run, run.train, orders, [0.5, 1.0], run.data.true_labels)
    # Nothing, half, and everything.
    assert [n for n, _, _ in run.train.asked] == [3]


def test_the_study_trains_the_best_and_is_told_with_figures(run, tmp_path):
    found = Mislabel(METHODS, n_components=6, best=2, shares=[0.2])(run)
    curve = found.tables["restored"]
    assert len(curve) == 2 + 2
    write_study(tmp_path, "mislabel", found)
    (written,) = read_studies(tmp_path)
    assert set(written.figures) == {"mislabel", "mislabel_restored"}


@pytest.mark.parametrize(
    ("on_true", "n", "told"),
    [(0.55, 2000, True), (0.55, 8, False), (0.94, 2000, False), (0.99, 2000, False)],
)
def test_a_training_on_true_labels_that_collapses_is_told(on_true, n, told):
    rows = [("nothing", 0.0, 0.97), ("everything", 1.0, on_true), ("suspicion", 0.1, 0.9)]
    curve = pd.DataFrame(rows, columns=["method", "share", "accuracy"])
    said = told_of_restored(curve, n)
    assert said.startswith("Trained again on the labels as they are 0.9700 of test is right, on")
    assert ("CAUTION: trained again on the true labels 0.5500" in said) is told


def test_failures_of_a_training_that_collapses_are_told_to_be_chance(run, wrong):
    train = run.train

    class Collapsing:
        def __call__(self, trainings, **options):
            networks = train(trainings, **options)
            for network in networks:
                for weights in network.module.parameters():
                    weights.data.zero_()
            return networks

    study = Mislabel(METHODS, n_components=6, targets="caused")
    said = study(replace(run, train=Collapsing())).conclusion
    assert any("CAUTION: trained again on the true labels 0.3333" in one for one in said)


def test_data_without_wrong_labels_are_refused(make_run):
    with pytest.raises(ConfigurationError, match="planted"):
        Mislabel(METHODS, n_components=6).check(make_run())


def test_a_run_that_nobody_can_train_is_refused_where_it_would_be(run):
    run.train = None
    Mislabel(METHODS, n_components=6).check(run)
    for asked in ({"best": 1}, {"targets": "caused"}):
        with pytest.raises(ConfigurationError, match="train"):
            Mislabel(METHODS, n_components=6, **asked).check(run)


def test_methods_that_read_training_wait_for_it(run):
    study = Mislabel({"margin": AverageMargin()}, n_components=6)
    with pytest.raises(ConfigurationError, match="TrainingDynamicsRecorder"):
        study.check(run)
    study.check(replace(run, recorded=frozenset({Need.DYNAMICS})))


def test_settings_are_checked():
    with pytest.raises(SettingsError, match=r"(?s)targets.*best"):
        Mislabel(METHODS, targets="all", best=-1)
    for shares in ([], [0.1, 1.5], [0.0]):
        with pytest.raises(SettingsError, match="shares"):
            Mislabel(METHODS, shares=shares)


def test_true_labels_are_those_before_planting(make_data):
    clean = make_data()
    planted = make_data(planted=PlantedLabels(0.3))
    index = planted.indices("fit")
    assert torch.equal(planted.true_labels(index), clean.fetch(index).label)


def test_seeds_are_put_together():
    def rows(seed, ours, theirs):
        keys = {"by": "itself", "n": 9, "found_at_0.1": 0.5, "found_at_rate": ours, "seconds": 1.0}
        both = [("suspicion", ours), ("loss", theirs)]
        made = [
            {"method": m, "flips": f, "auc": auc, "seed": seed, **keys}
            for m, auc in both
            for f in ("all", "fitted")
        ]
        return {"mislabel": pd.DataFrame(made)}

    tables = mislabel_tables.merged([rows(0, 0.9, 0.7), rows(1, 0.8, 0.7), rows(2, 1.0, np.nan)])
    methods = tables["methods"].set_index(["method", "flips"])
    assert methods.loc[("suspicion", "all"), "auc"] == pytest.approx(0.9)
    assert methods.loc[("suspicion", "all"), "seeds"] == 3
    contrasts = tables["contrasts"].set_index(["flips", "metric"])
    auc = contrasts.loc[("fitted", "auc")]
    # The third seed has no pair.
    assert auc["pairs"] == 2
    assert auc["difference"] == pytest.approx(0.15)
    assert "suspicion" in " ".join(mislabel_tables.told(tables))
    of_all, of_fitted, against_all, _ = mislabel_tables.shown(tables)
    assert [row[:3] for row in of_all.rows] == [
        ["suspicion", "itself", "0.9000"],
        ["loss", "itself", "0.7000"],
    ]
    assert of_fitted.header[4:6] == ["found at 0.1", "found at the rate"]
    with pytest.raises(DataError, match=r"Several runs have seed 1: .* in a folder of their own"):
        mislabel_tables.merged([rows(0, 0.9, 0.7), rows(1, 0.8, 0.7), rows(1, 1.0, 0.5)])
    assert against_all.rows[0][:4] == ["loss (by itself)", "auc", "2", "+0.1500"]
