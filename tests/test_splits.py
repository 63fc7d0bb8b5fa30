"""Splits of data that hold copies and groups: nothing that belongs together is torn apart."""

from dataclasses import replace

import pytest
import torch

from rnnrepair.datamodules import Sequences
from rnnrepair.datamodules.groups import Groups
from rnnrepair.datamodules.held_out import hold_out
from rnnrepair.datamodules.splits import kept_together, split_training
from rnnrepair.errors import ConfigurationError, DataError
from rnnrepair.seeding import torch_generator


def labels(n, seed=0):
    return torch.randint(3, (n,), generator=torch.Generator().manual_seed(seed))


def published_split(label, repair_share, val_share, seed):
    """The splits of all earlier results: every k-th row of the classes, shuffled, one by one."""
    shuffled = torch.randperm(len(label), generator=torch_generator(seed, "split"))
    rows = shuffled[label[shuffled].argsort(stable=True)].tolist()
    found = []
    for share in (repair_share, val_share / (1 - repair_share)):
        taken, passed = [], 0
        for number, row in enumerate(rows, start=1):
            if int(number * share + 1e-6) > passed:
                passed += 1
                taken.append(row)
        rows = [row for row in rows if row not in taken]
        found.append(sorted(taken))
    return {"repair": found[0], "val": found[1], "fit": sorted(rows)}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("shares", [(1 / 6, 1 / 12), (0.1, 0.3)])
@pytest.mark.parametrize("numbered", [False, True])
def test_splits_without_copies_and_groups_are_those_of_earlier_results(seed, shares, numbered):
    label = labels(400, seed)
    groups = torch.randperm(400) if numbered else None
    split = split_training(label, *shares, seed, groups)
    assert {k: v.tolist() for k, v in split.items()} == published_split(label, *shares, seed)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("n_groups", [5, 40, 150])
def test_no_group_stands_in_two_splits_and_sizes_are_near_what_is_wanted(seed, n_groups):
    groups = torch.randint(n_groups, (600,), generator=torch.Generator().manual_seed(seed))
    split = split_training(labels(600), 1 / 6, 1 / 12, seed, groups)
    assert sorted(torch.cat(list(split.values())).tolist()) == list(range(600))
    where = [set(groups[rows].tolist()) for rows in split.values()]
    assert len(set.union(*where)) == sum(map(len, where)) == len(groups.unique())
    largest = int(groups.bincount().max())
    for name, share in {"repair": 1 / 6, "val": 1 / 12, "fit": 3 / 4}.items():
        assert len(split[name]) > 0
        assert abs(len(split[name]) - 600 * share) <= largest


def test_three_groups_are_one_for_each_split():
    split = split_training(labels(90), 1 / 6, 1 / 12, 0, torch.arange(90) % 3)
    assert sorted(len(rows) for rows in split.values()) == [30, 30, 30]


def test_a_few_copies_move_and_nothing_else():
    label, groups = labels(600), torch.arange(600)
    plain = split_training(label, 1 / 6, 1 / 12, 3)
    groups[[500, 501, 502]] = groups[[7, 8, 9]]
    split = split_training(label, 1 / 6, 1 / 12, 3, groups)
    changed = set()
    for name, rows in plain.items():
        changed |= set(rows.tolist()) ^ set(split[name].tolist())
    assert changed <= {7, 8, 9, 500, 501, 502}


def test_five_groups_of_a_kind_are_drawn_by_the_seed():
    groups = torch.arange(500) % 5
    drawn = {
        int(groups[split_training(labels(500), 1 / 6, 1 / 12, seed, groups)["val"]][0])
        for seed in range(20)
    }
    assert len(drawn) > 2


def test_groups_that_cannot_fill_the_splits_are_refused():
    with pytest.raises(ConfigurationError, match=r"in 2 groups .*are empty"):
        split_training(labels(100), 0.2, 0.2, 0, torch.arange(100) % 2)


def test_equal_moves_are_decided_by_the_order():
    part, groups, wanted = torch.zeros(4).long(), torch.tensor([0, 0, 1, 1]), torch.tensor([2.0, 2])
    first = kept_together(part, groups, wanted, torch.tensor([2, 3, 0, 1]))
    assert first.tolist() == [0, 0, 1, 1]
    last = kept_together(part, groups, wanted, torch.tensor([0, 1, 2, 3]))
    assert last.tolist() == [1, 1, 0, 0]


def test_content_tells_sequences_apart_bit_for_bit():
    values = torch.tensor([1.0, 2, 1, 2, 1, 2, 1, 3, 1, 2, 1])[:, None]
    sequences = Sequences(values, torch.tensor([0, 2, 4, 6, 8, 10, 11]))
    assert sequences.copies().tolist() == [0, 0, 0, 1, 0, 2]
    tokens = Sequences(torch.tensor([1, 2, 1, 2]).int(), torch.tensor([0, 1, 3, 4]))
    assert tokens.copies().tolist() == [0, 1, 2]


@pytest.mark.parametrize("seed", range(5))
def test_joined_groups_are_connected_components(seed):
    g = torch.Generator().manual_seed(seed)
    copies, named = (torch.randint(25, (60,), generator=g) for _ in range(2))
    found = Groups(copies, named).joined(50)
    expected = list(range(50))
    for _ in range(50):  # as a definition: the least number that a chain of pairs leads to
        for i in range(50):
            linked = [j for j in range(50) if copies[i] == copies[j] or named[i] == named[j]]
            expected[i] = min(expected[j] for j in linked)
    assert found.tolist() == expected


def copied(loaded, *pairs):
    """The data with some sequences in the places of others."""
    rows = torch.arange(120)
    for new, old in pairs:
        rows[new] = old
    return replace(loaded, sequences=loaded.sequences.select(rows))


def test_copies_of_test_sequences_leave_training_and_the_log_says_so(make_data, loaded, caplog):
    whole = make_data(loaded)
    data = make_data(copied(loaded, (100, 5), (101, 6), (102, 103)))
    assert "2 training and val sequences are left out" in caplog.text
    for split in ("fit", "repair", "val", "test"):
        kept = whole.indices(split)
        assert data.indices(split).tolist() == [i for i in kept.tolist() if i not in {5, 6}]


def test_copies_stay_where_nothing_is_trained(make_data, loaded, caplog):
    """A network has been trained on them already, and they may be why it fails."""
    pairs = (100, 5), (101, 6), (102, 103)
    data = make_data(copied(loaded, *pairs), repair_share=0, val_share=0)
    assert data.indices("fit").tolist() == list(range(90))
    assert "holds the same as 2 training and val sequences. They stay" in caplog.text
    n_other = sum(int(loaded.label[new] != loaded.label[old]) for new, old in pairs[:2])
    assert n_other == 2
    assert "2 of the 2 copies in that set have a label that no copy in training has" in caplog.text
    assert "too good" not in caplog.text
    caplog.clear()
    label = loaded.label.clone()
    label[[100, 101]] = label[[5, 6]]
    agreeing = copied(replace(loaded, label=label), *pairs)
    make_data(agreeing, repair_share=0, val_share=0)
    assert "and its accuracy on that set is too good." in caplog.text
    torn = replace(loaded, groups=torch.arange(120) % 7)
    assert len(make_data(torn, repair_share=0, val_share=0).indices("fit")) == 90
    assert "90 training and val sequences belong to groups that a val or test set has too" in (
        caplog.text
    )
    assert "holds the same as" not in caplog.text.split("90 training")[1]
    caplog.clear()
    make_data(loaded, repair_share=0, val_share=0)
    assert "They stay" not in caplog.text


def test_official_val_set_loses_what_test_holds_and_training_what_val_holds(make_data, loaded):
    pairs = ((80, 3), (110, 81))
    data = make_data(copied(replace(loaded, n_train=75, n_val=15), *pairs))
    assert data.indices("val").tolist() == [i for i in range(75, 90) if i != 81]
    assert 3 not in torch.cat([data.indices("fit"), data.indices("repair")])


def test_copies_within_training_stay_together(make_data, loaded):
    for seed in range(5):
        data = make_data(copied(loaded, *((60 + i, i) for i in range(30))), seed=seed)
        for split in ("fit", "repair", "val"):
            rows = set(data.indices(split).tolist())
            assert all((i in rows) == (60 + i in rows) for i in range(30))


def test_named_groups_are_obeyed_and_officially_torn_ones_refused(make_data, loaded):
    groups = torch.arange(120) // 10
    data = make_data(replace(loaded, groups=groups))
    where = [set(groups[data.indices(s)].tolist()) for s in ("fit", "repair", "val", "test")]
    assert len(set.union(*where)) == sum(map(len, where)) == 12
    with pytest.raises(DataError, match=r"stand in training and in an official.*leave"):
        make_data(replace(loaded, groups=torch.arange(120) % 7))


def test_groups_that_are_the_labels_are_refused(make_data, loaded):
    with pytest.raises(DataError, match="groups are the labels"):
        make_data(replace(loaded, groups=10 - loaded.label))
    with pytest.raises(DataError, match=r"groups has shape \(90,\)"):
        make_data(replace(loaded, groups=torch.arange(90)))


def test_a_held_out_test_set_keeps_groups_together():
    names = ["a", "b"] * 100
    groups = torch.arange(200) // 20
    order, n_train = hold_out(names, 0.2, groups)
    assert n_train == 160
    assert not set(groups[order[:160]].tolist()) & set(groups[order[160:]].tolist())
    alone = hold_out(names, 0.2, torch.arange(200))
    assert torch.equal(alone[0], hold_out(names, 0.2)[0])
