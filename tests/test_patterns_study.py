"""The study names planted patterns, says whether they hold elsewhere, and draws them."""

import pandas as pd
import pytest
import torch

from rnnrepair.abstraction import AbstractionSettings
from rnnrepair.datamodules import LoadedData, Sequences
from rnnrepair.errors import SettingsError
from rnnrepair.models import SequenceClassifier
from rnnrepair.network import verified
from rnnrepair.report.studies import read_studies, study_view, write_study
from rnnrepair.studies import FinishedRun, Patterns
from tests.conftest import TensorData
from tests.planted_patterns import digits

N_TRAIN, N_HELD = 1500, 1000


@pytest.fixture(scope="module")
def run():
    """A network that knows upright digits; one in 25 of val and test is upside down."""
    images, label = (part[: N_TRAIN + 2 * N_HELD].clone() for part in digits())
    turned = torch.arange(len(label)) % 25 == 0
    turned[:N_TRAIN] = False
    images[turned] = images[turned].transpose(1, 2).flip(2)
    lengths = torch.full((len(label),), 28)
    data = LoadedData(
        *(Sequences.from_padded(images, lengths), label, N_TRAIN, "digits", "image"),
        n_val=N_HELD,
    )
    module = TensorData(data, 10, repair_share=0.1)
    module.setup()
    torch.manual_seed(0)
    network = SequenceClassifier(28, 10, hidden_size=48)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    fit = module.indices("fit")
    for _ in range(220):
        batch = module.fetch(fit[torch.randint(len(fit), (100,))])
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(batch).logits, batch.label).backward()
        optimizer.step()
    settings = AbstractionSettings(n_components=6, reduction_dims=3)
    return FinishedRun(verified(network, module), module, settings), turned


@pytest.fixture(scope="module")
def result(run):
    return Patterns(split="val", shuffles=199)(run[0])


def test_the_planted_turn_is_named_and_holds_on_the_other_split(run, result):
    table = result.tables["patterns"]
    row = table[table["pattern"].str.startswith("turned by")].iloc[0]
    assert row["kind"] == "edit"
    assert row["error_inside"] > 3 * row["error_outside"]
    assert row["other_split"] == "test"
    assert row["other_error_inside"] > 3 * row["other_error_outside"]
    failures = result.tables["failures"]
    own = failures[failures["pattern"] == row["pattern"]]
    turned = run[1][torch.tensor(own["index"].tolist())]
    assert turned.double().mean() > 0.6
    assert (own["label"] != own["predicted"]).all()
    assert str(row["pattern"]) in " ".join(result.conclusion)


def test_every_pattern_lists_its_failures_and_training_samples(run, result):
    table, failures = result.tables["patterns"], result.tables["failures"]
    counts = failures.groupby("pattern").size()
    assert counts.to_dict() == dict(zip(table["pattern"], table["failures"], strict=True))
    samples = result.tables["samples"]
    assert set(samples["pattern"]) <= set(table["pattern"])
    assert set(samples["sample"]) <= set(run[0].data.indices("fit").tolist())
    said = run[0].network.predict(run[0].data.loader("val"))
    wrong = set(said.index[~said.correct].tolist())
    assert set(failures["index"]) <= wrong


def test_the_page_shows_errors_and_pictures(run, result, tmp_path):
    assert result.pictures["patterns"].shape[1:] == (2, 8, 28, 28)
    write_study(tmp_path, "patterns", result)
    (written,) = read_studies(tmp_path)
    assert set(written.figures) == {"errors", "patterns"}
    assert set(study_view(written).tables) == {"patterns", "failures", "samples"}


def test_a_study_that_names_nothing_says_so_and_draws_nothing(run, tmp_path):
    found = Patterns(split="val", shuffles=1)(run[0])  # p is one half at least
    assert len(found.tables["patterns"]) == 0
    assert isinstance(found.tables["failures"], pd.DataFrame)
    assert len(found.conclusion) == 1
    write_study(tmp_path, "patterns", found)
    (written,) = read_studies(tmp_path)
    assert written.figures == ()


def test_settings_out_of_range_are_refused():
    with pytest.raises(SettingsError, match=r"Patterns\.split"):
        Patterns(split="repair")
