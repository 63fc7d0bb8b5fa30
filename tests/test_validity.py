"""Does influence predict influence: what is counted, against brute force and a known answer."""

from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from torch.nn.functional import cross_entropy

from rnnrepair.abstraction import AbstractionSettings
from rnnrepair.errors import ConfigurationError, DataError, SettingsError
from rnnrepair.influence import InputSimilarity, LossGradients, Parts, RandomInfluence, TracIn
from rnnrepair.models import Clipping, SequenceClassifier, train_stacked
from rnnrepair.network import verified
from rnnrepair.paired import holm, sign_flip_p
from rnnrepair.report.studies import read_studies, write_study
from rnnrepair.runs.jobs import Job, Status
from rnnrepair.sequences import Changes
from rnnrepair.studies import FinishedRun, Retraining, StudyResult, Validity
from rnnrepair.studies.validity_measures import Halves, correlations, extremes, losses, overlaps
from rnnrepair.studies.validity_tables import (
    contrast_table,
    effects,
    merged,
    method_table,
    summarised,
)
from scripts.summarize import put_together, study_of
from tests.conftest import trained

METHODS = {"random": RandomInfluence(), "inputs": InputSimilarity(), "tracin": TracIn()}


class FullBatch:
    """Trains on all that is left at once; keeps what it was asked for.

    Going on is done in steps so small that first-order effects are all there are.
    """

    def __init__(self, data):
        self.data = data
        self.asked = []

    def __call__(self, trainings, *, epochs=None, start=None):
        self.asked.append((len(trainings), epochs, start is not None))
        made = []
        for training in trainings:
            torch.manual_seed(training.seed)
            network = SequenceClassifier(4, 3, hidden_size=8)
            if start is not None:
                network.load_state_dict(start)
            network.make_optimizer = partial(torch.optim.SGD, lr=0.3 if start is None else 0.005)
            made.append(network)
        batch = self.data.fetch(self.data.indices("fit"))
        for network, training in zip(made, trainings, strict=True):
            n = 3 * (epochs or 10)
            changes = [training.changes]
            train_stacked([network], changes, [[batch]] * n, Clipping(), lambda *_: None)
        return [verified(network, self.data) for network in made]


@pytest.fixture
def run(make_data):
    data = make_data(repair_share=0.2)
    network = trained(SequenceClassifier(4, 3, hidden_size=8), data)
    settings = AbstractionSettings(n_components=6, reduction_dims=3)
    return FinishedRun(verified(network, data), data, settings, train=FullBatch(data))


@pytest.fixture
def study():
    return Validity(METHODS, n_components=6, failures=6, top=5, compared=8, halves=6)


def test_every_failure_is_gone_on_from_without_its_own_samples(run, study):
    found = study(run)
    removal = found.tables["removal"]
    failures = removal["failure"].unique()
    assert len(removal) == len(METHODS) * 2 * len(failures)
    said = run.network.predict(run.data.loader("test"))
    assert set(failures) <= set(said.index[~said.correct].tolist())
    # By hand, for one of them.
    row = removal[(removal["method"] == "tracin") & (removal["direction"] == "harmful")].iloc[2]
    index = torch.tensor([row.failure])
    fit = run.data.indices("fit")
    gradients = LossGradients(Parts.of(run.network.module))
    scores = -gradients.products([run.data.fetch(fit)], run.data.fetch(index))[0]
    removed = fit[scores.topk(5).indices]
    start = {k: v.clone() for k, v in run.network.module.state_dict().items()}
    kept, without = (
        run.train([Retraining(changes)], epochs=2, start=start)[0].module.eval()
        for changes in (Changes(), Changes(removed=removed))
    )
    batch = run.data.fetch(index)
    loss = [cross_entropy(m.logits(batch), batch.label).item() for m in (kept, without)]
    assert row.change == pytest.approx(loss[1] - loss[0], abs=1e-6)
    assert row.loss_going_on == pytest.approx(loss[0], abs=1e-5)
    assert abs(row.change) > 1e-5


def test_exact_gradients_move_losses_the_right_way_and_agree_with_themselves(run, study):
    tables = study(run).tables
    by_method = tables["validity"].set_index("method")
    assert by_method.loc["tracin", "overlap"] == 1
    assert by_method.loc["random", "overlap"] < 0.5
    effect = by_method["effect"]
    assert effect["tracin"] > 3 * abs(effect["random"])
    assert effect["tracin"] > effect["inputs"] > 0
    assert (by_method.loc["tracin", ["harmful", "helpful"]] > 0).all()
    assert by_method.loc["inputs", "lds"] > 0.3
    contrasts = tables["contrasts"]
    assert contrasts["of"].tolist() == ["tracin"] * 2
    assert contrasts["against"].tolist() == ["random", "inputs"]


def test_several_orders_are_averaged(run):
    """A training whose result depends on its seed alone: the mean over seeds is told."""
    settings = {"n_components": 6, "failures": 3, "top": 5, "compared": 3, "halves": 0}
    by_seed = []

    def train(trainings, *, epochs=None, start=None):
        by_seed.append(trainings[-1].seed)
        made = FullBatch(run.data)(trainings, epochs=epochs, start=start)
        for network, training in zip(made, trainings, strict=True):
            generator = torch.Generator().manual_seed(training.seed % 1000)
            with torch.no_grad():
                bias = network.module.head.bias
                bias += torch.randn(bias.shape, generator=generator)
        return made

    run.train = train
    one, three = (Validity(METHODS, orders=n, **settings)(run).tables["removal"] for n in (1, 3))
    seeds = list(dict.fromkeys(by_seed))
    assert len(seeds) == 3  # the first order is that of a single one
    alone = []
    for seed in seeds:
        run.train = lambda trainings, seed=seed, **how: train(
            [replace(training, seed=seed) for training in trainings], **how
        )
        alone.append(Validity(METHODS, **settings)(run).tables["removal"])
    np.testing.assert_allclose(alone[0]["change"], one["change"])
    for column in ("change", "loss_going_on"):
        mean = np.mean([table[column] for table in alone], axis=0)
        np.testing.assert_allclose(three[column], mean, atol=1e-6)
    assert np.ptp([table["loss_going_on"] for table in alone], axis=0).min() > 1e-3


def test_it_is_told_with_a_figure(run, study, tmp_path):
    write_study(tmp_path, "validity", study(run))
    (written,) = read_studies(tmp_path)
    assert written.figures == ("validity",)
    assert "right way: tracin" in " ".join(written.conclusion)


def test_halves_may_be_left_out(run):
    found = Validity(METHODS, n_components=6, failures=3, top=5, compared=4, halves=0)(run)
    assert "lds" not in found.tables
    assert all(start for _, _, start in run.train.asked)


def test_a_run_that_nobody_can_train_is_refused(run, study):
    run.train = None
    with pytest.raises(ConfigurationError, match="train"):
        study.check(run)


def test_settings_are_checked():
    with pytest.raises(SettingsError, match="against"):
        Validity({"random": RandomInfluence()}, against=["nobody"])
    with pytest.raises(SettingsError, match=r"(?s)top.*halves"):
        Validity(top=0, halves=-1)


def test_extremes_break_ties_by_the_order_given():
    scores = torch.tensor([[0.0, 2.0, 0.0, -1.0, 0.0]])
    order = torch.tensor([4, 3, 2, 1, 0])
    assert extremes(scores, order, 3).tolist() == [[1, 4, 2]]
    assert extremes(scores, order, 3, highest=False).tolist() == [[3, 4, 2]]


def test_chance_of_an_overlap_is_that_of_draws_with_the_same_labels():
    g = torch.Generator().manual_seed(0)
    label = torch.tensor([0] * 10 + [1] * 30)
    here, there = torch.tensor([[0, 1, 12, 13]]), torch.tensor([[1, 5, 12, 20]])
    row = overlaps(here, there, label).iloc[0]
    assert row.overlap == 0.5
    drawn = []
    for _ in range(4000):
        of = torch.cat(
            [torch.randperm(10, generator=g)[:2], 10 + torch.randperm(30, generator=g)[:2]]
        )
        drawn.append(torch.isin(of, there[0]).double().mean())
    assert row.chance == pytest.approx(float(torch.stack(drawn).mean()), abs=0.01)


def test_the_score_is_the_rank_correlation_of_sums_and_losses():
    g = torch.Generator().manual_seed(1)
    member = torch.rand(9, 20, generator=g) < 0.5
    scores, loss = torch.randn(3, 20, generator=g), torch.randn(3, 9, generator=g)
    scores[2] = 0
    found = correlations(scores, Halves(member, loss))
    for m in range(2):
        sums = [float(scores[m][own].sum()) for own in member]
        assert found[m] == pytest.approx(stats.spearmanr(sums, loss[m].tolist()).statistic)
    assert found[2] == 0


def test_losses_come_in_the_order_asked_for(run):
    index = run.data.indices("test")[torch.tensor([7, 2, 5])]
    batch = run.data.fetch(index)
    expected = cross_entropy(run.network.module.eval().logits(batch), batch.label, reduction="none")
    torch.testing.assert_close(losses(run.network, run.data, index).float(), expected.detach())


def rows_of(seed):
    rng = np.random.default_rng(seed)
    keys = [
        (m, f, d) for m in ("random", "good") for f in range(12) for d in ("harmful", "helpful")
    ]
    removal = pd.DataFrame(keys, columns=["method", "failure", "direction"])
    right = np.where(removal["direction"] == "harmful", -1.0, 1.0)
    push = np.where(removal["method"] == "good", 0.5, 0.0)
    removal["change"] = right * push + rng.normal(scale=0.3, size=len(removal))
    cost = pd.DataFrame({"method": ["random", "good"], "seconds": 1.0, "epochs": [0.0, 0.2]})
    lds = removal[["method", "failure"]].assign(lds=rng.random(len(removal)))
    tables = {"removal": removal, "cost": cost, "lds": lds}
    return {name: table.assign(seed=seed) for name, table in tables.items()}


def test_effects_count_the_right_way_and_p_is_that_of_pairs():
    rows = rows_of(0)
    effect = effects(rows["removal"])
    one = rows["removal"].set_index(["method", "failure", "direction"])["change"]
    row = effect[(effect["method"] == "good") & (effect["failure"] == 3)].iloc[0]
    expected = (one["good", 3, "helpful"] - one["good", 3, "harmful"]) / 2
    assert row.effect == pytest.approx(expected)
    table = contrast_table(rows["removal"], ["random"])
    by = {m: own.sort_values("failure")["effect"].to_numpy() for m, own in effect.groupby("method")}
    assert table["p"].item() == pytest.approx(sign_flip_p(by["good"], by["random"]))
    assert table["p_holm"].tolist() == holm(table["p"].to_numpy()).tolist()
    assert table["difference"].item() == pytest.approx((by["good"] - by["random"]).mean())
    assert table["low"].item() > 0


def test_seeds_are_put_together_row_by_row():
    studies = []
    for seed in range(3):
        rows = rows_of(seed)
        table = contrast_table(rows["removal"], ["random"])
        studies.append({"validity": method_table(rows), "contrasts": table, **rows})
    found = merged(studies)
    assert found["contrasts"]["pairs"].item() == 3 * 12
    assert found["contrasts"]["p"].item() < studies[0]["contrasts"]["p"].item()
    means = [s["validity"].set_index("method").loc["good", "effect"] for s in studies]
    together = found["validity"].set_index("method").loc["good", "effect"]
    assert together == pytest.approx(np.mean(means))
    with pytest.raises(DataError, match="Several runs have seed 2"):
        merged([*studies, studies[2]])


def test_a_multirun_is_put_together(tmp_path, capsys):
    for seed in range(2):
        folder = tmp_path / str(seed)
        folder.mkdir()
        Job(folder, "f", Status.FINISHED).write()
        write_study(folder, "validity", StudyResult(summarised(rows_of(seed), ["random"]), ["."]))
    written = put_together(tmp_path, "validity")
    assert written.table("contrasts")["pairs"].item() == 24
    assert sorted(written.table("removal")["seed"].unique()) == [0, 1]
    # What was put together may be read again from its rows.
    # What compare.py leaves in the folder is of the arms.
    (tmp_path / "contrasts.csv").write_text("of,against\na,b\n")
    said = study_of(tmp_path, "validity", markdown=True)
    rows = tmp_path / "study" / "validity"
    assert study_of(rows, "validity", markdown=True) == said[:-1]
    first, second = capsys.readouterr().out.split("**What influence predicts")[1:]
    assert first.strip() == second.strip()
    assert "| good | " in first
    assert "| good - random | 24 | +" in first
    (rows / "contrasts.csv").unlink()
    with pytest.raises(DataError, match=r"contrasts\.csv: expected beside"):
        study_of(rows, "validity", markdown=True)
    with pytest.raises(DataError, match="study=validity"):
        put_together(tmp_path / "0", "validity")
