"""Which groups failures are of, and of which groups training has few samples."""

import numpy as np
import pytest
import torch

from rnnrepair.datamodules import ArrayDataModule
from rnnrepair.explanation.by_group import failures_by_group
from rnnrepair.explanation.pattern_notes import or_wrong_labels, rare_in_training
from rnnrepair.patterns import Pattern
from rnnrepair.report import write_explanation
from tests.conftest import trained
from tests.explaining import Counting, explained
from tests.report_page import Page

INDEX = torch.arange(100, 112)
PEOPLE = ["-"] * 100 + [name for name in ("ann", "bob", "cho") for _ in range(4)]
GROUPS = torch.cat([torch.zeros(100), torch.arange(12) // 4 + 1]).long()
FAILED = torch.tensor([0, 0, 0, 1, 1, 1, 1, 1, 0, 0, 0, 0]).bool()


def test_the_groups_with_most_failures_come_first_whatever_their_numbers():
    told = "Failures by person: bob 4 of 4, ann 1 of 4; 1 other of 3 has none."
    assert failures_by_group(INDEX, FAILED, GROUPS, {"person": PEOPLE}) == told
    assert failures_by_group(INDEX, FAILED, 9 - GROUPS, {"person": PEOPLE}) == told
    order = torch.randperm(12, generator=torch.Generator().manual_seed(0))
    columns = {"day": ["1"] * 112, "person": PEOPLE}
    assert failures_by_group(INDEX[order], FAILED[order], GROUPS, columns) == told


def test_a_copy_that_joins_two_groups_hides_neither():
    people = ["-"] * 100 + [f"p{i // 4}" for i in range(80)]
    groups = torch.cat([torch.zeros(100), torch.arange(80) // 4 + 1]).long()
    groups[104:108] = groups[100]  # the second person has a recording of the first
    index, failed = torch.arange(100, 180), torch.arange(80) < 6
    told = failures_by_group(index, failed, groups, {"person": people})
    assert told == "Failures by person: p0 4 of 4, p1 2 of 4; 18 other of 20 have none."


@pytest.mark.parametrize(
    ("failed", "groups", "columns"),
    [
        (FAILED, None, {"person": PEOPLE}),
        (FAILED & False, GROUPS, {"person": PEOPLE}),
        (FAILED, torch.arange(112), {"id": [str(i) for i in range(112)]}),  # each stands alone
        (FAILED, GROUPS * 0, {"person": PEOPLE}),
        (FAILED, GROUPS, {"team": ["x" if name == "cho" else "y" for name in PEOPLE]}),
        (FAILED, GROUPS, {}),
    ],
)
def test_nothing_is_told_where_no_column_says_what_the_groups_are(failed, groups, columns):
    assert failures_by_group(INDEX, failed, groups, columns) == ""


def recordings(options):
    """Twelve people with as many recordings each, of whom the last two wear the sensor reversed."""
    g = np.random.default_rng(0)
    label = np.arange(240) % 2
    x = g.normal(0, 0.3, (240, 8, 2)) + np.where(label == 1, 1, -1)[:, None, None]
    person = np.repeat(np.arange(12), 20)
    x[200:] *= -1
    arrays = (x[:160], label[:160], x[160:], label[160:])
    return ArrayDataModule(*arrays, repair_share=0, val_share=0, progress=False, **options(person))


def test_what_groups_are_called_is_a_column_and_rare_ones_are_told(tmp_path):
    named = recordings(lambda person: {"group": [f"P{p}" for p in person]})
    named.setup()
    assert set(named.sample_columns) == {"group"}
    network = trained(Counting(2, 2, hidden_size=8), named)
    found = explained(network, named, finders=None)
    line = "Failures by group: P10 20 of 20, P11 20 of 20; 2 other of 4 have none."
    assert found.by_group == line
    assert line in str(found)
    page = Page(write_explanation(found, named, tmp_path / "page.html").read_text()).text
    assert line in page
    # A column that says the same is not told twice.
    both = recordings(
        lambda person: {"group": person, "columns": {"who": [f"P{p}" for p in person]}}
    )
    both.setup()
    assert set(both.sample_columns) == {"who"}
    # Of the two people that fail, training has no recording; by place it has many.
    kinds = recordings(lambda person: {"columns": {"reversed": person >= 10, "place": person % 2}})
    kinds.setup()
    found = explained(network, kinds, finders=None)
    (shared,) = found.patterns
    assert shared.description == "reversed True"
    told = "In training no sample has it (0.0%, 50.0% of test)."
    assert any(told in line for line in found.shared_told())
    assert told in Page(write_explanation(found, kinds, tmp_path / "k.html").read_text()).text


@pytest.mark.parametrize(
    ("kind", "n_training", "told"),
    [
        ("group", 0, "In training no sample has it (0.0%, 50.0% of test)."),
        ("group", 1, "In training 1 sample has it (0.6%, 50.0% of test)."),
        ("group", 40, "In training 40 samples have it (25.0%, 50.0% of test)."),
        ("group", 41, ""),
        ("word", 3, "In training 3 samples have it (1.9%, 50.0% of test)."),
        ("edit", 0, ""),
    ],
)
def test_groups_that_are_rare_in_training_are_told(kind, n_training, told):
    members, inside, samples = (torch.arange(n) for n in (30, 40, n_training))
    pattern = Pattern(kind, "device d7", members, inside, 0.75, 0.0, 0.002, {}, samples)
    assert rare_in_training(pattern, 160, 80, "test") == told


@pytest.mark.parametrize(("doubted", "told"), [(10, True), (5, True), (4, False), (0, False)])
def test_both_readings_are_told_where_most_failures_told_are_doubted(doubted, told):
    none = torch.empty(0, dtype=torch.int64)
    pattern = Pattern("edit", "reversed", torch.arange(30), torch.arange(30), 1, 0, 0.01, {}, none)
    # Ten of its failures are told, and five others whose labels are suspect all the same.
    index, suspect = [*range(10), *range(50, 55)], torch.arange(15) >= 10 - doubted
    line = f"Or wrong labels: {doubted} of its 10 that are told"
    assert or_wrong_labels(pattern, index, suspect).startswith(line) is told
    assert bool(or_wrong_labels(pattern, index, suspect)) is told
    assert or_wrong_labels(pattern, index[10:], suspect[10:]) == ""
