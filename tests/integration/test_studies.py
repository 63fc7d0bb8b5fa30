"""Studies as users run them: with training, and on a run that is there."""

import math
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from omegaconf import OmegaConf

from rnnrepair.callbacks.launch.finished import FinishedFolder
from rnnrepair.callbacks.wandb.logger import finish_wandb
from rnnrepair.errors import ConfigurationError, IncompatibleCheckpointError
from rnnrepair.influence import Need
from rnnrepair.report.studies import read_studies
from scripts.study import finished_run, study
from tests.integration.conftest import QUICK, composed, train, weights


def compose_finished(folder, *overrides):
    quiet = ("progress=false", "threads=1")
    return composed(f"run={folder}", *quiet, *overrides, name="finished")


def rebuilt(folder):
    """The finished run that studies of a folder get."""
    cfg = compose_finished(folder, "study=automaton")
    return finished_run(FinishedFolder.open(folder), cfg)


def as_command_line(cfg, folder):
    """What Hydra writes beside a run."""
    (folder / ".hydra").mkdir(parents=True)
    OmegaConf.save(cfg, folder / ".hydra" / "config.yaml")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("studied")
    studies = ["study=[automaton,faults,influential]", "study.automaton.n_components=6"]
    few = ["study.faults.n_components=[5,8]", "study.influential.n_components=8"]
    quick = [override for override in QUICK if not override.startswith("logger")]
    cfg = composed("+experiment=mnist_repair", *quick, "logger=wandb", *studies, *few)
    cfg.paths.output_dir = str(folder / "run")
    cfg.paths.cache_dir = str(folder / "cache")
    as_command_line(cfg, folder / "run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_MODE", "offline")
        train(cfg)
        finish_wandb(failed=False)
    return folder / "run"


def test_training_ends_with_the_studies_asked_for(run):
    assert {path.name for path in (run / "study").iterdir()} == {
        "automaton",
        "faults",
        "influential",
    }
    page = (run / "report.html").read_text()
    assert "What changed" in page
    for name in ("automaton", "faults", "influential"):
        assert f'id="study-{name}"' in page
        assert list((run / "study" / name).glob("*.png"))
        assert list((run / "study" / name).glob("*.svg"))
    table = pd.read_csv(run / "study" / "faults" / "hypothesis.csv")
    assert set(table["K"]) == {5, 8}
    assert table["holds"].between(0, 1).all()


def test_studies_are_logged_to_wandb_as_pictures_and_tables(run):
    media = next((run / "wandb").glob("offline-run-*/files/media"))
    for kind, suffix in {"images": "png", "table": "json"}.items():
        for name in ("automaton", "faults", "influential"):
            assert list((media / kind / "study" / name).glob(f"*.{suffix}")), (kind, name)


def test_a_finished_run_answers_the_same_as_one_in_training(run):
    before = pd.read_csv(run / "study" / "faults" / "faults.csv")
    study(compose_finished(run, "study=faults", "study.faults.n_components=[5,8]"))
    pd.testing.assert_frame_equal(pd.read_csv(run / "study" / "faults" / "faults.csv"), before)


def test_a_study_says_which_network_it_is_of_and_leaves_the_others_alone(run, caplog):
    of_last = (run / "study" / "automaton" / "automaton_states.csv").read_text()
    epochs = FinishedFolder.open(run).checkpoint()["epoch"] + 1
    networks = {one.name: one.network for one in read_studies(run)}
    assert networks["automaton"] == f"as training ended, after {epochs} epochs"
    assert f"Of the network {networks['automaton']}." in (run / "report.html").read_text()
    caplog.set_level("INFO")
    six = "study.automaton.n_components=6"
    study(compose_finished(run, "study=automaton", six, "checkpoint=base"))
    told = (
        "checkpoints/base.ckpt, the unrepaired network, after "
        f"{FinishedFolder.open(run).checkpoint('base')['epoch'] + 1} epochs"
    )
    assert f"automaton: of the network {told}" in caplog.messages
    assert f"Of the network {told}." in (run / "report.html").read_text()
    assert (run / "study" / "automaton" / "automaton_states.csv").read_text() == of_last
    of_base = (run / "study" / "automaton-base" / "automaton_states.csv").read_text()
    assert of_base != of_last
    # The same network under the path of its file.
    file = run / "checkpoints" / "base.ckpt"
    study(compose_finished(run, "study=automaton", six, f"checkpoint='{file}'"))
    assert (run / "study" / "automaton-base-2" / "automaton_states.csv").read_text() == of_base
    with pytest.raises(ConfigurationError, match="expected one of base, best, last"):
        study(compose_finished(run, "study=automaton", "checkpoint=bset"))


def test_a_finished_run_can_be_trained_again_by_studies(run):
    finished = rebuilt(run)
    assert finished.train is not None
    assert set(finished.missing()) == {Need.TRAJECTORY}
    few = ["failures=1", "top=3", "epochs=1", "halves=0", "compared=2", "n_components=5"]
    study(compose_finished(run, "study=validity", *(f"study.validity.{one}" for one in few)))
    removal = pd.read_csv(run / "study" / "validity" / "removal.csv")
    assert removal.groupby("method").size().eq(2).all()
    assert removal["change"].abs().max() > 0


def test_k_sweep_agrees_with_the_abstraction_of_each_k(run):
    overrides = ["study.k_sweep.n_components=[1,5,9]", "study.k_sweep.reduction_dims=[3,6]"]
    study(compose_finished(run, "study=k_sweep", "study.k_sweep.simnn_seeds=2", *overrides))
    table = pd.read_csv(run / "study" / "k_sweep" / "k_sweep.csv")
    assert table["K"].tolist() == [1, 5, 9] * 2
    assert table["dims"].tolist() == [6] * 3 + [3] * 3
    assert (table.loc[table["K"] == 9, "simnn_test"] > 0.5).all()
    again = rebuilt(run)
    again.states(6)
    for row in table.itertuples():
        model, traces = again.abstraction(row.K, row.dims)
        # Step by step, from the states and predictions alone.
        seen = {
            q: np.bincount(traces["fit"].prediction[traces["fit"].state == q], minlength=10)
            for q in range(row.K)
        }
        stable = {q: count.max() / count.sum() for q, count in seen.items() if count.sum()}
        assert row.n_empty == row.K - len(stable)
        assert row.stability == pytest.approx(np.mean(list(stable.values())))
        assert row.stability_min == pytest.approx(min(stable.values()))
        visited = traces["fit"].state.tolist()
        assert row.stability_weighted == pytest.approx(np.mean([stable[q] for q in visited]))
        if row.n_empty == 0:
            with_start = [*stable.values(), 1.0]
            assert row.stability_published == pytest.approx(np.mean(with_start))
        test = traces["test"]
        last = [int(q) for q in test.state[test.offsets[1:] - 1]]
        alone = torch.tensor([int(seen[q].argmax()) for q in last])
        faithful = (alone == test.final_prediction).double().mean()
        assert row.faithful_test == pytest.approx(float(faithful))
        assert row.rnn_test == pytest.approx(test.accuracy)
        # Bayes: -2 log-likelihood + parameters * log n, with K means, variances and K - 1 weights.
        vector = again.states(row.dims)["fit"].vector
        likelihood = model.mixture.log_joint(vector.double()).logsumexp(1).sum()
        parameters = 2 * row.K * row.dims + row.K - 1
        bic = -2 * float(likelihood) + parameters * math.log(len(vector))
        assert row.bic == pytest.approx(bic, rel=1e-5)


def test_features_and_clusterings_are_compared(run):
    study(
        compose_finished(
            run,
            "study=[features,clustering]",
            "study.features.n_components=[6]",
            "study.features.seeds=2",
            "study.clustering.n_components=6",
            "study.clustering.points=[100,300]",
            "study.clustering.repeats=1",
            "study.clustering.mean_shift_points=300",
            "study.clustering.seeds=1",
        )
    )
    features = pd.read_csv(run / "study" / "features" / "features.csv")
    assert len(features) == 5 + 2 * 2  # five sets; those with confidences with two thresholds too
    times = pd.read_csv(run / "study" / "clustering" / "clustering_time.csv")
    assert times.groupby("clustering")["points"].max().eq(300).all()
    quality = pd.read_csv(run / "study" / "clustering" / "clustering_quality.csv")
    assert len(quality) == 7 * 5
    assert quality["stability"].between(0.1, 1).all()


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["study=k_sweep", "study.k_sweep.n_components=[9999]"], "asks for 9999 states"),
        (["study=automaton", "study.automaton.sample=3"], "is no test sample"),
        (["study=faults", "study.faults.top=5000"], "leaves none of the 900 training samples out"),
    ],
)
def test_studies_that_do_not_fit_are_refused_before_any_work(run, overrides, message, monkeypatch):
    def no_work(*_):
        raise AssertionError("the network ran")

    monkeypatch.setattr("rnnrepair.network.TracedNetwork.steps", no_work)
    with pytest.raises(ConfigurationError, match=message):
        study(compose_finished(run, *overrides))


def test_settings_of_a_study_belong_under_its_name(quick):
    with pytest.raises(ConfigurationError, match=r"settings of a study are study\.NAME\.top"):
        train(quick("study=faults", "+study.top=10"))


@pytest.mark.parametrize("name", ["k_sweep", "features", "faults", "automaton", "influential"])
def test_studies_of_a_k_refuse_a_clustering_without_one(run, name):
    with pytest.raises(ConfigurationError, match="finds a number of its own"):
        study(compose_finished(run, f"study={name}", "abstraction.clustering=mean_shift"))


def test_settings_that_do_not_exist_are_named(run):
    with pytest.raises(ConfigurationError, match=r"abstraction: .*n_compnents"):
        study(compose_finished(run, "study=automaton", "abstraction.n_compnents=5"))
    with pytest.raises(ConfigurationError, match=r"settings of a study are study\.NAME\.top"):
        study(compose_finished(run, "study=faults", "+study.top=10"))


def test_the_path_is_that_of_the_sample_asked_for(run):
    wrong = rebuilt(run).abstraction(6)[1]["test"]
    sample = int(wrong.index[(~wrong.correct).nonzero()[1, 0]])
    study(compose_finished(run, "study=automaton", f"study.automaton.sample={sample}"))
    (written,) = [one for one in read_studies(run) if one.settings.get("sample") == sample]
    path = written.table("automaton_path")
    assert set(path["sample"]) == {sample}
    assert path["step"].tolist() == list(range(1, 29))
    row = wrong.index.tolist().index(sample)
    assert path["prediction"].iloc[-1] == wrong.final_prediction[row] != path["label"].iloc[0]


def test_studies_are_logged_to_wandb_whatever_the_run_had(run, tmp_path):
    other = tmp_path / "csv"
    shutil.copytree(run, other, ignore=shutil.ignore_patterns("wandb"))
    cfg = OmegaConf.load(other / ".hydra" / "config.yaml")
    cfg.logger = {}
    OmegaConf.save(cfg, other / ".hydra" / "config.yaml")
    shutil.rmtree(other / "study")
    study(compose_finished(other, "study=automaton", "wandb=true"))
    assert list((other / "wandb").glob("offline-run-*/files/media/images/study/automaton/*.png"))


def test_training_is_not_begun_for_a_study_that_does_not_fit(quick):
    cfg = quick("study=k_sweep", "study.k_sweep.n_components=[9999]")
    with pytest.raises(ConfigurationError, match="asks for 9999 states"):
        train(cfg)


def test_folders_that_are_no_finished_runs_are_named(run, tmp_path):
    with pytest.raises(IncompatibleCheckpointError, match=r"config\.yaml and .*last\.ckpt"):
        study(compose_finished(tmp_path, "study=automaton"))
    other = tmp_path / "other"
    shutil.copytree(run, other)
    cfg = OmegaConf.load(other / ".hydra" / "config.yaml")
    cfg.model.hidden_size = 25
    OmegaConf.save(cfg, other / ".hydra" / "config.yaml")
    with pytest.raises(IncompatibleCheckpointError, match="another version"):
        study(compose_finished(other, "study=automaton"))
    cfg.model.hidden_size = 24
    cfg.datamodule.repair_share = 0.3
    OmegaConf.save(cfg, other / ".hydra" / "config.yaml")
    with pytest.raises(IncompatibleCheckpointError, match="other data or another split"):
        study(compose_finished(other, "study=automaton"))
    weights = other / "checkpoints" / "last.ckpt"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(IncompatibleCheckpointError, match="damaged"):
        study(compose_finished(other, "study=automaton"))
    shutil.rmtree(other / "record")
    with pytest.raises(IncompatibleCheckpointError, match="has not ended"):
        study(compose_finished(other, "study=automaton"))


@pytest.mark.parametrize("view", ["flat", "layers"])
def test_convolutional_networks_are_repaired_by_the_same_chain(view, tmp_path):
    quick = [q for q in QUICK if not q.startswith("model.hidden_size")]
    few = ["model.channels=[4,8]", "model.hidden_size=16", f"model.view={view}"]
    cfg = composed("+experiment=mnist_cnn_repair", *quick, *few, "abstraction.n_components=10")
    cfg.paths.output_dir = str(tmp_path / "run")
    cfg.paths.cache_dir = str(tmp_path / "cache")
    summary, objects = train(cfg)
    assert summary["injected"] > 0
    assert summary["after"]["repair_accuracy"] > summary["before"]["repair_accuracy"]
    assert objects["model"].view == view
    assert "the prediction" in (tmp_path / "run" / "report.html").read_text()
    assert torch.isfinite(weights(objects["model"])).all()
