"""Training dynamics: sums over epochs against loops over single showings."""

import math
from itertools import pairwise

import pytest
import torch
from torch import tensor

from rnnrepair.errors import IncompatibleCheckpointError
from rnnrepair.influence import TrainingDynamics

N, C = 40, 3


def shown(n_epochs=5, seed=0, n=N):
    """Epochs of batches of (index, logits, label); some samples come twice, some not at all."""
    g = torch.Generator().manual_seed(seed)
    label = torch.randint(C, (n,), generator=g)
    epochs = []
    for _ in range(n_epochs):
        index = torch.randint(n - 3, (50,), generator=g)  # the last three are never shown
        logits = torch.randn(50, C, generator=g)
        parts = zip(index.split(8), logits.split(8), strict=True)
        epochs.append([(rows, said, label[rows]) for rows, said in parts])
    return epochs


def recorded(epochs, n=N):
    dynamics = TrainingDynamics(n)
    for epoch in epochs:
        for batch in epoch:
            dynamics.update(*batch)
        dynamics.end_epoch()
    return dynamics


def by_hand(epochs, n=N):
    """The same with a loop over samples: lists of what each epoch has shown."""
    margin, loss = ([[] for _ in range(n)] for _ in range(2))
    right = [[] for _ in range(n)]
    for number, epoch in enumerate(epochs):
        now = {}
        for index, logits, label in epoch:
            for i, row, y in zip(index.tolist(), logits.tolist(), label.tolist(), strict=True):
                others = max(v for c, v in enumerate(row) if c != y)
                nll = math.log(sum(math.exp(v) for v in row)) - row[y]
                now.setdefault(i, []).append((row[y] - others, nll))
        for i, pairs in now.items():
            margin[i].append(sum(m for m, _ in pairs) / len(pairs))
            loss[i].append(sum(nll for _, nll in pairs) / len(pairs))
            right[i].append((number, all(m > 0 for m, _ in pairs)))
    return margin, loss, right


def test_all_four_numbers_are_those_of_a_loop_over_samples():
    epochs = shown()
    dynamics, (margin, loss, right) = recorded(epochs), by_hand(epochs)
    for i in range(N):
        assert int(dynamics.epochs[i]) == len(margin[i])
        flags = [flag for _, flag in right[i]]
        lost = sum(a and not b for a, b in pairwise(flags))
        assert int(dynamics.forgotten[i]) == lost
        first = next((place for place, flag in enumerate(flags) if flag), -1)
        assert int(dynamics.first_right[i]) == first
        if margin[i]:
            assert float(dynamics.margin[i]) == pytest.approx(sum(margin[i]) / len(margin[i]))
            assert float(dynamics.loss[i]) == pytest.approx(sum(loss[i]) / len(loss[i]))
        else:
            assert dynamics.margin[i].isnan()
            assert dynamics.loss[i].isnan()
        known = dynamics.margins[i][~dynamics.margins[i].isnan()]
        assert known.tolist() == pytest.approx(margin[i], abs=2e-3)
        seen = [number for number, _ in right[i]]
        assert (~dynamics.margins[i].isnan()).nonzero()[:, 0].tolist() == seen
    assert int(dynamics.forgotten.sum()) > 0
    assert int(dynamics.epochs.max()) > int(dynamics.epochs.min()) == 0


def test_how_an_epoch_is_cut_into_batches_changes_nothing():
    epochs = shown()
    whole = [[tuple(map(torch.cat, zip(*epoch, strict=True)))] for epoch in epochs]
    assert_same(recorded(epochs), recorded(whole))


def test_another_numbering_of_the_samples_renumbers_what_is_recorded():
    epochs = shown()
    place = torch.randperm(N, generator=torch.Generator().manual_seed(4))
    moved = [[(place[index], said, label) for index, said, label in epoch] for epoch in epochs]
    here, there = recorded(epochs), recorded(moved)
    for name in ("margin", "loss", "forgotten", "first_right", "epochs", "label"):
        own, other = getattr(here, name), getattr(there, name)[place]
        assert torch.equal(own.nan_to_num(9), other.nan_to_num(9)), name


@pytest.mark.parametrize("stop", [(2, 0), (2, 3)], ids=["between epochs", "within one"])
def test_going_on_from_a_state_is_as_if_nobody_had_stopped(stop):
    epochs = shown()
    n_epochs, n_batches = stop
    first = recorded(epochs[:n_epochs])
    for batch in epochs[n_epochs][:n_batches]:
        first.update(*batch)
    state = first.state_dict()
    dynamics = TrainingDynamics(N)
    dynamics.update(*epochs[0][0])  # what was there before is overwritten
    dynamics.load_state_dict(state)
    first.update(*epochs[0][0])  # a state is a copy
    for batch in epochs[n_epochs][n_batches:]:
        dynamics.update(*batch)
    dynamics.end_epoch()
    for epoch in epochs[n_epochs + 1 :]:
        for batch in epoch:
            dynamics.update(*batch)
        dynamics.end_epoch()
    assert_same(dynamics, recorded(epochs))
    assert_same(TrainingDynamics.of_state(dynamics.state_dict()), dynamics)
    with pytest.raises(IncompatibleCheckpointError, match="40 samples"):
        TrainingDynamics(N + 1).load_state_dict(state)


def assert_same(left, right):
    one, other = left.state_dict(), right.state_dict()
    assert one.keys() == other.keys()
    assert one.pop("n_epochs") == other.pop("n_epochs")
    for name in one:
        assert one[name].dtype == other[name].dtype
        assert torch.equal(one[name].nan_to_num(9), other[name].nan_to_num(9)), name


def test_a_sample_with_another_label_begins_anew():
    epochs = shown()
    shown_in = [torch.cat([index for index, *_ in epoch]) for epoch in epochs]
    own = next(i for i in range(N) if all((index == i).any() for index in shown_in))
    changed = []
    for number, epoch in enumerate(epochs):
        late = number >= 3
        changed.append(
            [(i, said, torch.where(i == own, (y + late) % C, y)) for i, said, y in epoch]
        )
    later = [[] for _ in range(3)] + changed[3:]  # as if it had not been there before
    dynamics, alone = recorded(changed), recorded(later)
    for name in ("margin", "loss", "forgotten", "first_right", "epochs", "label"):
        assert getattr(dynamics, name)[own] == getattr(alone, name)[own], name
    assert dynamics.margins[own, :3].isnan().all()
    assert torch.equal(dynamics.margins[own, 3:], alone.margins[own, 3:])
    untouched = recorded(epochs)
    others = torch.arange(N) != own
    for name in ("margin", "forgotten", "first_right", "epochs"):
        left, usual = getattr(dynamics, name)[others], getattr(untouched, name)[others]
        assert torch.equal(left.nan_to_num(9), usual.nan_to_num(9)), name
    label = epochs[0][0][2].new_zeros(N)
    for index, _, y in (batch for epoch in epochs for batch in epoch):
        label[index] = y
    every = torch.arange(N)
    assert torch.equal(untouched.knows(every, label), untouched.epochs > 0)
    assert not dynamics.knows(tensor([own]), label[own : own + 1])[0]
    assert not untouched.knows(tensor([N, N + 7]), tensor([0, 0])).any()


def test_epochs_count_from_when_a_sample_has_its_label():
    dynamics = TrainingDynamics(2)
    says_0 = tensor([[2.0, 0.0], [2.0, 0.0]])
    for label in ([1, 0], [1, 0], [0, 0]):
        dynamics.update(tensor([0, 1]), says_0, tensor(label))
        dynamics.end_epoch()
    # Sample 0 was relabelled before the third epoch, and was right at once.
    assert dynamics.first_right.tolist() == [0, 0]
    assert dynamics.epochs.tolist() == [1, 3]


def test_samples_beyond_those_that_are_counted_are_left_out():
    epochs = shown()
    more = [
        [(torch.cat([i, i + N]), torch.cat([said, -said]), torch.cat([y, y])) for i, said, y in e]
        for e in epochs
    ]
    assert_same(recorded(more), recorded(epochs))


def test_a_class_that_is_ruled_out_leaves_a_finite_margin():
    dynamics = TrainingDynamics(2)
    logits = tensor([[0.0, -torch.inf], [-torch.inf, 0.0]])
    dynamics.update(tensor([0, 1]), logits, tensor([0, 0]))
    dynamics.end_epoch()
    assert torch.isfinite(dynamics.margin).all()
    assert dynamics.first_right.tolist() == [0, -1]
    assert (dynamics.margin.sign() == tensor([1, -1])).all()


def test_an_epoch_in_two_numbers():
    dynamics = TrainingDynamics(5)
    index, label = tensor([0, 1, 3]), tensor([0, 1, 0])
    first = dynamics.update(index, tensor([[2.0, 0], [0, 1], [0, 1]]), label)
    first = dynamics.end_epoch()
    assert (first.margin, first.forgotten) == (pytest.approx(2 / 3), 0)
    dynamics.update(index, tensor([[0.0, 1], [0, 1], [0, 1]]), label)
    assert dynamics.end_epoch().forgotten == pytest.approx(1 / 3)
    assert math.isnan(dynamics.end_epoch().margin)
