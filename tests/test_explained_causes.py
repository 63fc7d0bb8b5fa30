"""What an explanation tells of all failures together, and of training labels."""

import runpy
from dataclasses import replace
from pathlib import Path

import torch

from rnnrepair.datamodules import LoadedData, Sequences
from rnnrepair.influence import Doubting
from rnnrepair.report import write_explanation
from tests.conftest import trained
from tests.explaining import Counting, explained
from tests.report_page import Page

ROOT = Path(__file__).parents[1]


def test_what_failures_share_is_told_first(make_data, tmp_path):
    g = torch.Generator().manual_seed(7)
    label, lengths = torch.arange(400) % 3, torch.randint(1, 6, (400,), generator=g)
    weak_signal = 0.4 * torch.nn.functional.one_hot(label, 4)[:, None]
    inputs = torch.rand(400, 5, 4, generator=g) + weak_signal
    loaded = LoadedData(Sequences.from_padded(inputs, lengths), label, 200, "tensors", "series")
    plain = make_data(loaded, repair_share=0.2)
    network = trained(Counting(4, 3, hidden_size=8), plain)
    failing = explained(network, plain).failing
    assert len(failing) > 8
    broken = torch.isin(torch.arange(len(label)), failing)
    device = ["d7" if own else f"d{i % 3}" for i, own in enumerate(broken.tolist())]
    data = make_data(replace(loaded, columns={"device": device}), repair_share=0.2)
    found = explained(network, data, finders=None)
    (shared,) = found.patterns
    assert shared.description == "device d7"
    assert shared.members.tolist() == failing.tolist()
    (line,) = (line for line in str(found).splitlines() if line.startswith("What failures share: "))
    assert f"device d7: {len(failing)} failures, error 100% inside, 0.0% outside" in line
    assert str(found).index(line) < str(found).index("sample ")
    assert found.to_dataframe()["pattern"].tolist() == ["device d7"] * len(failing)
    assert str(found[0]).count("; shares device d7") == 1
    # It is told once, also where it explains so few that where failures gather is searched again.
    few = set(failing[: len(failing) // 2 - 1].tolist())
    device = ["d7" if i in few else f"d{i % 3}" for i in range(len(label))]
    again = make_data(replace(loaded, columns={"device": device}), repair_share=0.2)
    fewer = explained(network, again, finders=None)
    assert [pattern.description for pattern in fewer.patterns] == ["device d7"]
    assert "device d7" not in [pattern.description for pattern in fewer.gathered]
    assert str(fewer).count("device d7: ") == 1
    # Labels of failures that share something look wrong easily.
    doubted = explained(network, data, finders=None, doubting=Doubting(odds=1.0))
    suspect = doubted.doubt.suspect.nonzero()[:, 0].tolist()
    assert suspect
    told = doubted.suspect_told(suspect[0])
    assert told.startswith("What it shares (device d7) may be why training samples like it")
    assert told.endswith("look at that first; or its label is wrong")
    n_doubted = int(doubted.doubt.suspect.sum())
    both = f"Or wrong labels: {n_doubted} of its {len(failing)} that are told look, as they are,"
    assert both in str(doubted)
    page = Page(write_explanation(doubted, data, tmp_path / "doubted.html").read_text()).text
    assert both in page
    assert "Or wrong labels" not in str(found)
    assert not doubted[suspect[0]].label_suspect
    # The same input with another label is explained by nothing.
    copies = doubted.doubt.copies.clone()
    copies[suspect[0], 0] = 3
    copied = replace(doubted, doubt=replace(doubted.doubt, copies=copies))
    assert copied.is_suspect(suspect[0])
    assert copied.suspect_told(suspect[0]).startswith("LABEL SUSPECT")
    copies[suspect[0], :5] = torch.arange(5)
    five = replace(doubted, doubt=replace(doubted.doubt, copies=copies))
    assert five.suspect_told(suspect[0]).endswith("2 (device=d2) and 2 more)")
    assert five.to_dataframe()["copies"][suspect[0]] == [0, 1, 2, 3, 4]
    already = int(doubted.doubt.copied.sum())
    assert f"Labels suspect at {already + 1} of the {len(failing)} failures told" in str(copied)
    # Labels around a failure are no labels of failures.
    nothing = torch.zeros(len(failing), dtype=torch.bool)
    first = nothing.clone()
    first[0] = True
    none = torch.full_like(doubted.doubt.copies, -1)
    around = replace(doubted.doubt, own=nothing, neighbours=first, copies=none)
    told = "Suspect are the labels of training samples around 1 of the failures."
    assert told in str(replace(doubted, doubt=around, patterns=()))
    both = replace(around, own=first.roll(1))
    told = (
        f"Labels suspect at 1 of the {len(failing)} failures told, and labels of training samples"
    )
    assert f"{told} around 1 more." in str(replace(doubted, doubt=both, patterns=()))
    assert found[0].pattern == "device d7"
    # All failures of the split are looked through, whichever are asked about.
    asked = explained(network, data, finders=None, index=failing[:2])
    assert asked.patterns[0].members.tolist() == failing.tolist()
    page = Page(write_explanation(found, data, tmp_path / "page.html").read_text()).text
    assert "What failures have in common" in page
    assert "device d7" in page
    # Where patterns explain few failures, inputs tell more.
    odd = replace(found, gathered=(replace(shared, kind="input", description="spread below 3"),))
    line = f"Where failures gather: spread below 3: {len(failing)} failures"
    assert any(told.startswith(line) for told in odd.shared_told())
    assert line in Page(write_explanation(odd, data, tmp_path / "odd.html").read_text()).text
    assert odd.shared_told()[0].startswith("What failures share")
    # What more failures have, and fail more often with, is told first.
    few = replace(shared, members=shared.members[1:], error_inside=shared.error_inside / 2)
    led = replace(odd, patterns=(few,))
    assert led.shared_told()[0].startswith(line)
    page = Page(write_explanation(led, data, f"{tmp_path}/led.html").read_text()).text
    assert page.index(line) < page.index(few.description)
    # Nobody has looked, or nothing was found.
    assert explained(network, plain).shared_told() == []
    looked = replace(explained(network, plain, finders=None), patterns=(), perhaps=None)
    (nothing,) = looked.shared_told()
    assert nothing.startswith("The failures share no edit")
    assert nothing in str(looked)
    hint = replace(looked, perhaps=replace(shared, p=0.03))
    assert hint.shared_told()[0] == nothing
    assert "device d7" in hint.shared_told()[1]
    assert "p 0.030, where a pattern is named from 0.01 down" in hint.shared_told()[1]
    assert (
        hint.shared_told()[1]
        in Page(write_explanation(hint, plain, tmp_path / "hint.html").read_text()).text
    )


def test_suspect_labels_of_training_are_told_and_can_be_given_back(make_data, tmp_path):
    g = torch.Generator().manual_seed(7)
    label = torch.arange(400) % 3
    inputs = torch.rand(400, 5, 4, generator=g) + torch.nn.functional.one_hot(label, 4)[:, None]
    wrong = torch.arange(0, 200, 25)
    given = label.clone()
    given[wrong] = (label[wrong] + 1) % 3
    sequences = Sequences.from_padded(inputs, torch.full((400,), 5))
    loaded = LoadedData(sequences, given, 200, "tensors", "series")
    data = make_data(loaded, repair_share=0.2)
    network = trained(Counting(4, 3, hidden_size=8), data)
    found = explained(network, data)
    trained_on = set(wrong.tolist()) & set(data.indices("fit").tolist())
    table = found.suspects_to_dataframe()
    assert set(table["index"]) == trained_on
    assert found.suspicion.told in str(found)
    page = Page(write_explanation(found, data, tmp_path / "page.html").read_text()).text
    assert "Training labels to look at" in page
    table.assign(action="relabel").to_csv(tmp_path / "suspects.csv", index=False)
    mended = make_data(loaded, repair_share=0.2, corrections=tmp_path / "suspects.csv")
    batch = mended.fetch(torch.tensor(sorted(trained_on)))
    assert torch.equal(batch.label, label[batch.index])


def test_the_example_names_the_machine_and_what_is_wrong_with_it(capfd):
    runpy.run_path(str(ROOT / "examples" / "swapped_cable.py"), run_name="__main__")
    told = capfd.readouterr()
    (line,) = (line for line in told.out.splitlines() if line.startswith("What failures share"))
    assert line.startswith("What failures share: machine 7: ")
    assert "also: channels vibration and heat swapped (p 0.002)" in line
    # Nobody asked for bars, and none are shown.
    assert "Reading the data" not in told.err
