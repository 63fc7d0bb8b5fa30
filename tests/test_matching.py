"""Matching of states between epochs, against all permutations."""

from itertools import permutations

import pytest
import torch

from rnnrepair.abstraction import match_states


def states(n_states, seed, n=60):
    return torch.randint(n_states, (n,), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("seed", range(5))
def test_match_loses_as_few_steps_as_any_renaming_when_k_is_kept(seed):
    old, new = states(4, seed), states(4, seed + 100)
    new_id, drift = match_states(old, new, 4, 4)
    best = min((torch.tensor(p)[new] != old).double().mean().item() for p in permutations(range(4)))
    assert drift == pytest.approx(best)
    assert (new_id[new] != old).double().mean().item() == pytest.approx(drift)


def test_match_undoes_a_renaming_when_nothing_else_has_changed():
    old, shuffle = states(6, 0), torch.tensor([3, 1, 5, 0, 2, 4])
    new_id, drift = match_states(old, shuffle[old], 6, 6)
    assert new_id[shuffle].tolist() == list(range(6))
    assert drift == 0


@pytest.mark.parametrize(("n_old", "n_new"), [(3, 6), (6, 3), (4, 4), (1, 2)])
def test_match_is_one_to_one_when_k_changes(n_old, n_new):
    new_id, _ = match_states(states(n_old, 0), states(n_new, 1), n_old, n_new)
    assert sorted(new_id.tolist()) == list(range(n_new))


def test_match_keeps_the_old_names_when_states_are_added():
    old = torch.tensor([0, 0, 0, 1, 1, 1])
    new = torch.tensor([2, 2, 0, 1, 1, 3])
    new_id, drift = match_states(old, new, 2, 4)
    assert (new_id[2], new_id[1]) == (0, 1)
    assert drift == pytest.approx(2 / 6)


def test_match_has_no_drift_when_there_are_no_steps():
    none = torch.empty(0, dtype=torch.int64)
    assert match_states(none, none, 2, 3)[1] == 0
