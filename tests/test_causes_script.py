"""``scripts/causes.py``: which failures count for a cause, which are named, which are mended."""

import runpy
from pathlib import Path

import pandas as pd
import pytest
import torch

from rnnrepair.datamodules import PlantedCopies, PlantedLabels, ScarceClass
from rnnrepair.errors import DataError

SCRIPT = Path(__file__).parents[1] / "scripts" / "causes.py"


@pytest.fixture(scope="module")
def script():
    return runpy.run_path(str(SCRIPT))


@pytest.fixture
def run_of(script, tmp_path):
    """Make a run that is wrong on some of its test samples, by place."""

    def make(data, cause, wrong, repair="none", kinds=()):
        index = data.indices("test")
        true = data.true_labels(index)
        predicted = true.clone()
        predicted[wrong] = (true[wrong] + 1) % 3
        folder = tmp_path / f"{cause}-{repair}"
        (folder / "study" / "breakdown").mkdir(parents=True)
        table = pd.DataFrame(
            {"index": index[wrong].tolist(), "kind": list(kinds) or "rest", "pattern": None}
        )
        table.to_csv(folder / "study" / "breakdown" / "failures.csv", index=False)
        return script["CauseRun"](folder, 3, cause, repair, data, index, predicted)

    return make


def rows(script, runs, plain):
    return pd.DataFrame(script["rows_of"](runs, plain)).set_index("cause")


def test_failures_count_where_the_plant_is_and_the_other_network_is_right(
    make_data, run_of, script
):
    data = make_data(fault=ScarceClass(1, keep=0.2))
    true = data.true_labels(data.indices("test"))
    scarce, other = (true == 1).nonzero()[:4, 0], (true == 0).nonzero()[:2, 0]
    plain = run_of(make_data(), "nothing", scarce[:1])
    wrong = torch.cat([scarce, other])
    kinds = ["rare class", "rare class", "rest", "rare class", "rare class", "rest"]
    before = run_of(data, "scarcity", wrong, kinds=kinds)
    after = run_of(data, "scarcity", scarce[:2], repair="class")
    found = rows(script, [before, after], plain)
    # The first is wrong without the plant too, and two are of another class.
    assert found["failures"].tolist() == [3, 3]
    assert found["named"].tolist()[0] == 2
    assert found["repaired"].tolist()[1] == 2


def test_copied_samples_are_those_that_stand_in_training_with_another_label(
    make_data, run_of, script
):
    data, clean = make_data(fault=PlantedCopies(0.3, copies=1)), make_data()
    every = torch.arange(len(data.indices("test")))
    plain = run_of(clean, "nothing", every[:0])
    before = run_of(data, "copies", every, kinds=["near copy with another label"] * len(every))
    found = rows(script, [before], plain)
    assert found["failures"].tolist() == found["named"].tolist() == [round(0.3 * len(every))]


def test_wrong_labels_count_by_themselves_and_by_what_they_do_to_others(make_data, run_of, script):
    data = make_data(planted=PlantedLabels(0.3))
    index = data.indices("test")
    own = data.mislabelled(index).nonzero()[:, 0]
    others = (~data.mislabelled(index)).nonzero()[:3, 0]
    plain = run_of(make_data(), "nothing", own[:0])
    kinds = ["labels of neighbours suspect", "rest", "rest"]
    before = run_of(data, "labels", others, kinds=kinds)
    found = rows(script, [before], plain)
    # All whose own label is wrong fail by it: the network says the true one.
    assert found.loc["own label", "failures"] == len(own)
    assert found.loc["own label", "named"] == 0
    assert found.loc["labels of training", ["failures", "named"]].tolist() == [3, 1]


def test_every_cause_of_the_experiment_is_known(script):
    causes = {path.stem for path in (SCRIPT.parents[1] / "configs" / "cause").glob("*.yaml")}
    assert causes == {*script["NAMED"], script["NOTHING"]}


def test_a_run_without_the_study_is_refused_with_what_to_do(make_data, run_of, script):
    data = make_data(planted=PlantedLabels(0.3))
    nothing = torch.empty(0, dtype=torch.int64)
    plain, before = run_of(make_data(), "nothing", nothing), run_of(data, "labels", nothing)
    (before.folder / "study" / "breakdown" / "failures.csv").unlink()
    with pytest.raises(DataError, match=r"failures.csv is not there: train with study=breakdown"):
        rows(script, [before], plain)
