"""Right labels that inputs speak against: held-out samples tell how usual that is."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import one_hot

from rnnrepair.influence import TrainingDynamics, held_out_of, suspect_labels
from rnnrepair.influence.labels import (
    beyond_usual,
    input_features,
    linear_labels,
    neighbour_labels,
)
from rnnrepair.influence.labels.parts import PARTS, parts_of_others, random_parts
from rnnrepair.sequences import SequenceBatch
from rnnrepair.traces import Traces
from tests.conftest import random_model, view_of

N, M, C, T = 1200, 500, 3, 12
# Words of which each class uses its own, and all words.
OWN, WORDS = 8, 80


def judged(seed=0, wrong=None, told=0.4, held_out=True):
    """A view of texts whose class mostly their order tells, and of a network that is right.

    Which words stand in a text tells little, and that is all that neighbours and regression see.

    Args:
        seed: of the texts.
        wrong: (N,) bool, training samples with a label that the network has learnt by heart.
        told: share of the texts that hold a word of their class.
        held_out: whether the view has held-out samples.
    """
    g = torch.Generator().manual_seed(seed)
    n = N + M
    true = torch.arange(n) % C
    inputs = torch.randint(2 + C * OWN, WORDS, (n, T), generator=g)
    own = 2 + OWN * true[:, None] + torch.randint(0, OWN, (n, 3), generator=g)
    other = 2 + torch.randint(0, C * OWN, (n, 3), generator=g)
    tells = torch.rand(n, 1, generator=g) < told
    inputs[:, :3] = torch.where(tells, own, other)
    label = true.clone()
    if wrong is not None:
        label[:N][wrong] = (label[:N][wrong] + 1) % C
    said = label.to(torch.uint8).repeat_interleave(T)
    index = torch.arange(n)
    token = inputs.flatten().int()
    traces = Traces(said * 0, said, torch.arange(n + 1) * T, index, label, 5, C, token)
    dynamics = TrainingDynamics(n)
    logits = 3.0 * one_hot(label, C) + torch.randn(n, C, generator=g)
    dynamics.update(index, logits, label)
    dynamics.end_epoch()

    def fetch(asked):
        return SequenceBatch(asked, inputs[asked], torch.full((len(asked),), T), label[asked])

    view = replace(view_of(random_model(), traces.between(0, N)), fetch=fetch, dynamics=dynamics)
    return replace(view, held_out=traces.between(N, n) if held_out else None)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_right_labels_of_inputs_that_tell_little_are_not_suspect(seed):
    alone = suspect_labels(judged(seed, held_out=False))
    found = suspect_labels(judged(seed))
    assert alone.suspect.sum() >= 2 * found.suspect.sum()
    assert alone.suspect.float().mean() > 0.015
    assert found.suspect.float().mean() <= 0.015
    # It is a matter of what is called suspect, not of the order.
    assert torch.equal(alone.score, found.score)
    assert found.rate == alone.rate


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("share", [0.05, 0.1])
def test_wrong_labels_that_were_learnt_by_heart_are_found_where_inputs_tell(seed, share):
    wrong = torch.rand(N, generator=torch.Generator().manual_seed(seed + 5)) < share
    alone = suspect_labels(judged(seed, wrong, told=1.0, held_out=False))
    found = suspect_labels(judged(seed, wrong, told=1.0))
    assert found.suspect[wrong].float().mean() > 0.9 * alone.suspect[wrong].float().mean() > 0.7
    assert wrong[found.suspect].float().mean() > 0.9


def test_labels_that_the_network_does_not_confirm_are_asked_as_before():
    view = judged()
    against = torch.arange(N) % 10 == 0
    index, label = view.traces.index, view.traces.label
    logits = one_hot(label, C) * torch.where(against, -3.0, 3.0)[:, None]
    dynamics = TrainingDynamics(N + M)
    dynamics.update(index, logits, label)
    dynamics.end_epoch()
    view = replace(view, dynamics=dynamics)
    alone = suspect_labels(replace(view, held_out=None)).suspect
    found = suspect_labels(view).suspect
    assert alone[against].any()
    assert torch.equal(found[against], alone[against])


@pytest.mark.parametrize(
    ("answered", "caution"),
    [(0.95, ""), (0.7, "The network is wrong on 30% of held-out samples"), (None, "it takes 100")],
)
def test_many_suspect_labels_are_told_with_what_they_are_worth(answered, caution):
    wrong = torch.rand(N, generator=torch.Generator().manual_seed(5)) < 0.1
    view = judged(0, wrong, told=1.0, held_out=answered is not None)
    if answered is not None:
        held_out = view.held_out
        failing = (torch.arange(M) >= round(answered * M)).repeat_interleave(T)
        said = torch.where(failing, (held_out.prediction + 1) % C, held_out.prediction)
        view = replace(view, held_out=replace(held_out, prediction=said))
    told = suspect_labels(view).told
    assert "labels are suspect" in told
    assert (caution in told) if caution else told.endswith("are wrong.")
    assert ("hard samples" in told) == bool(caution)


def brute(against, label, usual, usual_label):
    """The evidence above which most are left, by trying all of them."""
    told = [c for c in range(4) if (usual_label == c).sum() >= 20]
    known, usable = np.isin(label, told), np.isin(usual_label, told)
    usual, usual_label = usual[usable], usual_label[usable]
    weight = np.array([(label == c).sum() / (usual_label == c).sum() for c in usual_label])

    def left(least):
        return (against[known] >= least).sum() - 2 * weight[usual >= least].sum()

    # Of equally many, as few as possible are called suspect no more than usual.
    every = np.unique(np.concatenate([against[known], usual]))
    best = max(every, key=lambda least: (round(left(least), 9), -least))
    return ~known | (against >= best)


@pytest.mark.parametrize("seed", range(5))
def test_the_limit_is_that_of_brute_force(seed):
    rng = np.random.default_rng(seed)
    label, usual_label = rng.integers(0, 4, 900), rng.integers(0, 3, 300)
    usual_label[:19] = 3
    against, usual = rng.normal(size=900).round(2), rng.normal(size=300).round(2)
    against[:90] += 5
    found = beyond_usual(*map(torch.from_numpy, (against, label, usual, usual_label)))
    np.testing.assert_array_equal(found.numpy(), brute(against, label, usual, usual_label))
    # Hardly a held-out sample is of the last class.
    assert found[torch.from_numpy(label) == 3].all()
    order = rng.permutation(900)
    again = beyond_usual(*map(torch.from_numpy, (against[order], label[order], usual, usual_label)))
    assert torch.equal(again, found[torch.from_numpy(order)])


@pytest.mark.parametrize("seed", range(10))
def test_of_labels_that_are_all_right_hardly_one_is_beyond(seed):
    g = torch.Generator().manual_seed(seed)
    against, usual = torch.randn(1000, generator=g), torch.randn(400, generator=g)
    label, usual_label = (torch.randint(0, 3, (n,), generator=g) for n in (1000, 400))
    assert beyond_usual(against, label, usual, usual_label).sum() <= 12


@pytest.mark.parametrize("judge", [linear_labels, neighbour_labels])
def test_held_out_samples_are_judged_and_have_no_say(judge):
    view = judged(told=1.0)
    traces = view.traces
    features = input_features(traces, view.fetch, 0, view.held_out)
    alone = input_features(traces, view.fetch, 0)
    np.testing.assert_array_equal(features[:N].toarray(), alone.toarray())
    both, one = (judge(of, traces.label, C) for of in (features, alone))
    both, one = (of[0] if isinstance(of, tuple) else of for of in (both, one))
    assert both.shape == (N + M, C)
    torch.testing.assert_close(both[:N], one, atol=1e-5, rtol=0)
    assert (both[N:].argmax(1) == view.held_out.label).float().mean() > 0.75


def test_held_out_samples_are_judged_without_their_group():
    group = torch.arange(60) // 3
    # The first five held-out samples are of groups that models are fitted on.
    every = torch.cat([group, group[:5], 100 + torch.arange(10)])
    parts = random_parts(group, "test")
    others = parts_of_others(parts, every, 60)
    assert sorted(torch.cat(others).tolist()) == list(range(60, 75))
    of_part = {int(row): p for p, rows in enumerate(parts) for row in rows}
    for p, rows in enumerate(others):
        assert all(of_part[int(row) - 60] == p for row in rows if row < 65)
    assert max(len(rows) for rows in others) <= 2 + 5
    assert len(others) == PARTS


def test_val_is_held_out_or_test_where_it_is_small():
    traces = judged().traces
    small, large, other = traces.between(0, 99), traces.between(99, 199), traces.between(200, 900)
    assert held_out_of({"fit": traces, "val": small, "test": large}) is large
    assert held_out_of({"fit": traces, "val": large, "repair": traces, "test": other}) is large
    assert held_out_of({"fit": traces, "val": small, "repair": large}) is None


def test_few_held_out_samples_change_nothing():
    g = torch.Generator().manual_seed(0)
    against, usual = torch.randn(1000, generator=g), torch.randn(99, generator=g)
    label, usual_label = torch.arange(1000) % 2, torch.arange(99) % 2
    assert beyond_usual(against, label, usual, usual_label).all()
    more = torch.cat([usual, usual[:1]]), torch.cat([usual_label, usual_label[:1]])
    assert not beyond_usual(against, label, *more).all()
    # A hundred windows of fifty recordings are fifty samples.
    assert beyond_usual(against, label, *more, alike=2.0).all()


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("share", [0.05, 0.1])
def test_a_network_that_errs_on_held_out_samples_does_not_hide_wrong_labels(seed, share):
    """Where votes know better, its errors are not those of the votes."""
    g = torch.Generator().manual_seed(seed + 5)
    wrong = torch.rand(N, generator=g) < 0.1
    view = judged(seed, wrong, told=1.0)
    errs = torch.rand(M, generator=g) < share
    said = torch.where(errs, (view.held_out.label + 1) % C, view.held_out.label)
    held_out = replace(view.held_out, prediction=said.to(torch.uint8).repeat_interleave(T))
    exact, found = (suspect_labels(replace(view, held_out=of)) for of in (view.held_out, held_out))
    assert found.suspect[wrong].sum() >= 0.95 * exact.suspect[wrong].sum() > 0
    # Wrong labels of held-out samples hide none either.
    given = replace(view.held_out, label=said)
    found = suspect_labels(replace(view, held_out=given))
    assert found.suspect[wrong].sum() >= 0.95 * exact.suspect[wrong].sum()


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_device_that_differs_is_told_with_held_out_samples_too(seed):
    """Its training samples hold words of another class; none of its labels is wrong."""
    plain = judged(seed, told=1.0)
    odd = torch.rand(N, generator=torch.Generator().manual_seed(seed)) < 0.05
    inputs = plain.fetch(torch.arange(N + M)).inputs.clone()
    rows = torch.arange(N)[odd]
    # Words of a class are numbered behind those of the one before.
    inputs[rows, :3] = 2 + (inputs[rows, :3] - 2 + OWN) % (C * OWN)

    def fetch(asked):
        return replace(plain.fetch(asked), inputs=inputs[asked])

    traces = replace(plain.traces, token=inputs[:N].flatten().int())
    columns = {"device": ["B" if is_odd else "A" for is_odd in odd] + ["A"] * M}
    view = replace(plain, traces=traces, fetch=fetch, columns=columns)
    alone, found = (suspect_labels(of) for of in (replace(view, held_out=None), view))
    for judged_so in (alone, found):
        assert [value.value for value in judged_so.shared] == ["B"]
    assert found.suspect.sum() <= alone.suspect.sum() + 2


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_what_a_column_explains_is_not_looked_for_among_other_labels(seed):
    """One annotator's labels are all others: as many wrong ones are not expected of the rest."""
    kim = torch.rand(N, generator=torch.Generator().manual_seed(seed + 9)) < 0.1
    columns = {"annotator": ["kim" if own else "eva" for own in kim.tolist()] + ["eva"] * M}
    plain = suspect_labels(judged(seed, told=0.9, held_out=False))
    view = replace(judged(seed, kim, told=0.9, held_out=False), columns=columns)
    found = suspect_labels(view)
    (shared,) = found.shared
    assert shared.classes == (0, 1, 2)
    assert (found.explained & kim).sum() > 0.9 * kim.sum()
    assert abs(int(found.suspect.sum()) - int(plain.suspect.sum())) <= 3
    assert found.rate == pytest.approx(plain.rate, abs=0.005)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_where_one_source_has_the_wrong_labels_fewer_of_the_others_are_suspect(seed):
    """A third of one annotator's labels are wrong: too few to explain a doubt."""
    g = torch.Generator().manual_seed(seed + 9)
    kim = torch.rand(N, generator=g) < 0.2
    wrong = kim & (torch.rand(N, generator=g) < 0.35)
    view = judged(seed, wrong, told=0.75, held_out=False)
    columns = {"annotator": ["kim" if own else "eva" for own in kim.tolist()] + ["eva"] * M}
    plain, found = suspect_labels(view), suspect_labels(replace(view, columns=columns))
    (shared,) = found.shared
    assert (shared.value, shared.classes) == ("kim", ())
    # Of that one just the same are.
    assert torch.equal(found.suspect & kim, plain.suspect & kim)
    assert (found.suspect & wrong).sum() > 0.7 * wrong.sum()
    # All labels of the others are right.
    assert (found.suspect & ~kim).sum() <= 0.65 * (plain.suspect & ~kim).sum()
    assert (found.score <= plain.score + 1e-6).all()
