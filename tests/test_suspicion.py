"""Suspicion: neighbours vote as a brute force says, and wrong labels among right ones stand out."""

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import one_hot

from rnnrepair.influence import (
    RandomInfluence,
    TraceSimilarity,
    TrainingDynamics,
    look_alikes,
    ranked_labels,
    suspect_labels,
)
from rnnrepair.influence.labels import input_features, neighbour_labels
from rnnrepair.influence.own import KnownScorer
from rnnrepair.influence.view import labelled_together
from rnnrepair.sequences import SequenceBatch
from rnnrepair.traces import Traces
from tests.conftest import random_model, random_traces, view_of

LENGTHS = [3, 5, 1, 7, 4, 6, 2, 8, 5, 3] * 6


@pytest.fixture
def view():
    traces = random_traces(LENGTHS)
    order = traces.index.argsort()
    return view_of(random_model(), traces.select(order), len(LENGTHS) - 7)


def in_groups(wrong, n=60):
    """A view of samples in three groups of as many alike; some labels wrong."""
    group = torch.arange(n) // (n // 3)
    state = group.to(torch.uint8).repeat_interleave(4)
    given = group.clone()
    given[list(wrong)] = (group[list(wrong)] + 1) % 3
    index = 5 * torch.arange(n)
    traces = Traces(state, state, torch.arange(n + 1) * 4, index, given, 5, 3)
    noise = 0.3 * torch.randn(n, 4, 3, generator=torch.Generator().manual_seed(0))
    inputs = one_hot(group, 3)[:, None] + noise

    def fetch(asked):
        rows = torch.searchsorted(index, asked)
        return SequenceBatch(asked, inputs[rows], torch.full((len(asked),), 4), given[rows])

    return replace(view_of(random_model(), traces), fetch=fetch)


WRONG = [0, 7, 25, 44, 59]


def test_the_nearest_others_vote(view):
    scorer = TraceSimilarity().fit(view)
    traces, votes = view.traces, scorer.votes(view.traces)
    distances = scorer.distances(traces)
    for row in range(len(traces)):
        others = [r for r in range(len(traces)) if r != row]
        far = distances[row][others].sort().values
        surely = [r for r in others if distances[row, r] < far[19]]
        perhaps = [r for r in others if distances[row, r] <= far[19]]
        for c in range(3):
            low, high = (sum(int(traces.label[r]) == c for r in rows) for rows in (surely, perhaps))
            assert low <= votes[row, c] <= high
        assert votes[row].sum() == 20


def test_injected_samples_have_no_say_and_are_not_judged():
    whole = replace(in_groups(WRONG), n_original=50)
    found = suspect_labels(whole)
    assert torch.equal(found.index, whole.traces.index[:50])
    alone = replace(whole, traces=whole.traces.between(0, 50))
    assert torch.equal(suspect_labels(alone).score, found.score)


def test_wrong_labels_among_right_ones_are_suspect_and_the_right_one_is_suggested():
    found = suspect_labels(in_groups(WRONG))
    assert found.suspect.nonzero()[:, 0].tolist() == WRONG
    assert torch.equal(found.suggested, torch.arange(60) // 20)
    assert found.score.min() >= 0
    assert found.score.max() <= 1


def test_right_labels_are_not_suspect():
    view = in_groups([])
    found = suspect_labels(view)
    assert not found.suspect.any()
    assert torch.equal(found.suggested, view.traces.label)


def test_margins_of_the_training_speak_where_inputs_do_not():
    n = 600
    view = in_groups([], n)
    view = replace(view, traces=replace(view.traces, state=view.traces.state * 0))
    g = torch.Generator().manual_seed(1)
    inputs = torch.randn(5 * n, 4, 3, generator=g)

    def noise(asked):
        return SequenceBatch(asked, inputs[asked], torch.full((len(asked),), 4), asked * 0)

    wrong = torch.arange(n) % 12 == 0
    logits = 4.0 * one_hot(view.traces.label, 3) + torch.rand(n, 3, generator=g)
    logits[wrong] = logits[wrong].roll(1, 1)
    dynamics = TrainingDynamics(5 * n)
    dynamics.update(view.traces.index, logits, view.traces.label)
    dynamics.end_epoch()
    view = replace(view, fetch=noise)
    found = suspect_labels(replace(view, dynamics=dynamics)).suspect
    assert found[wrong].float().mean() > 0.95
    assert found[~wrong].float().mean() < 0.05
    assert suspect_labels(view).suspect[wrong].float().mean() < 0.5


@pytest.mark.parametrize("learnt", [0.0, 1.0])
def test_a_network_alone_that_has_learnt_little_does_not_doubt_half_of_all_labels(learnt):
    """Inputs tell nothing, all labels are right, and margins lie around what was learnt so far."""
    n = 900
    view = in_groups([], n)
    g = torch.Generator().manual_seed(2)
    inputs = torch.randn(5 * n, 4, 3, generator=g)
    logits = learnt * one_hot(view.traces.label, 3) + torch.randn(n, 3, generator=g)
    dynamics = TrainingDynamics(5 * n)
    dynamics.update(view.traces.index, logits, view.traces.label)
    dynamics.end_epoch()

    def noise(asked):
        return SequenceBatch(asked, inputs[asked], torch.full((len(asked),), 4), asked * 0)

    found = suspect_labels(replace(view, fetch=noise, dynamics=dynamics))
    assert found.rate is None
    assert (dynamics.margin[view.traces.index] < 0).double().mean() > 0.3
    assert found.suspect.float().mean() <= 0.02


@pytest.mark.parametrize("n", [3, 6, 21])
def test_a_handful_of_samples_is_not_suspect_for_having_few_of_its_own(n):
    """Of fewer than 21 samples all vote, and each lacks one vote of its own class: itself."""
    view = in_groups([], n)
    g = torch.Generator().manual_seed(3)
    inputs = torch.randn(5 * n, 4, 3, generator=g)

    def noise(asked):
        return SequenceBatch(asked, inputs[asked], torch.full((len(asked),), 4), asked * 0)

    traces = replace(view.traces, state=view.traces.state * 0, prediction=view.traces.state * 0)
    assert not suspect_labels(replace(view, traces=traces, fetch=noise)).suspect.any()


def overlapping(given, seed=0):
    """A view of two classes that overlap, and of the margins of a network that reads the same.

    Args:
        given: (n,) labels that training is given, or None for the true ones: every second.
        seed: of the inputs.
    """
    n = 1500
    true = torch.arange(n) % 2
    given = true if given is None else given
    g = torch.Generator().manual_seed(seed)
    inputs = 1.1 * one_hot(true, 2)[:, None] + 0.9 * torch.randn(n, 4, 2, generator=g)
    state = torch.zeros(4 * n, dtype=torch.uint8)
    index = torch.arange(n)
    # What the network says is what the inputs say: their hard samples are its hard samples.
    logits = 3 * inputs.mean(1) + 0.5 * torch.randn(n, 2, generator=g)
    said = logits.argmax(1).to(torch.uint8).repeat_interleave(4)
    traces = Traces(state, said, torch.arange(n + 1) * 4, index, given, 5, 2)
    dynamics = TrainingDynamics(n)
    dynamics.update(index, logits, given)
    dynamics.end_epoch()

    def fetch(asked):
        return SequenceBatch(asked, inputs[asked], torch.full((len(asked),), 4), given[asked])

    return replace(view_of(random_model(), traces), fetch=fetch, dynamics=dynamics), true


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_hard_samples_with_right_labels_are_hardly_ever_suspect(seed):
    view, true = overlapping(None, seed)
    # Several in a hundred lie on the wrong side for inputs and network alike.
    assert 0.03 < (view.traces.final_prediction != true).float().mean() < 0.12
    assert suspect_labels(view).suspect.float().mean() <= 0.01


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("share", [0.1, 0.3])
def test_labels_that_were_mended_leave_nothing_to_mend(seed, share):
    """Whoever looks again, once the suspects have the labels that were suggested, finds few."""
    _, true = overlapping(None, seed)
    g = torch.Generator().manual_seed(seed + 10)
    given = torch.where(torch.rand(len(true), generator=g) < share, 1 - true, true)
    view, _ = overlapping(given, seed)
    first = suspect_labels(view)
    wrong = given != true
    assert wrong[first.suspect].float().mean() > 0.6
    assert first.suspect[wrong].float().mean() > 0.6
    again, _ = overlapping(first.suggested, seed)
    assert suspect_labels(again).suspect.float().mean() <= 0.01


def test_look_alikes_are_the_nearest_others(view):
    rows = torch.tensor([3, 11])
    near = look_alikes(view, rows, 4)
    traces = view.traces.between(0, view.n_original)
    far = TraceSimilarity().fit(view_of(view.model, traces)).distances(traces.select(rows))
    far[[0, 1], rows] = torch.inf
    assert torch.equal(near.distance, far.sort(1).values[:, :4])
    assert torch.equal(far.gather(1, near.row), near.distance)


class Known:
    """A method whose scores are given."""

    def __init__(self, own):
        self._own = own

    def fit(self, view):
        return KnownScorer(view.traces, self._own)


def test_a_method_alone_calls_the_first_of_its_ranking_suspect(view):
    n = view.n_original
    own = torch.randn(len(view), generator=torch.Generator().manual_seed(3))
    own[5] = torch.nan
    own[n:] = 99.0  # injected samples have no say
    found = ranked_labels(view, Known(own), 0.2)
    traces = view.traces.between(0, n)
    assert torch.equal(found.index, traces.index)
    first = own[:n].nan_to_num(-1e9).argsort(descending=True)
    k = round(0.2 * n)
    assert set(found.suspect.nonzero()[:, 0].tolist()) == set(first[:k].tolist())
    assert torch.equal(found.score.argsort(descending=True), first)
    assert float(found.score.max()) == 1
    assert float(found.score.min()) > 0
    differs = found.suggested != traces.label
    assert torch.equal(differs, found.suspect & (traces.final_prediction != traces.label))
    assert bool(differs.any())


def test_a_method_alone_takes_none_that_a_person_has_looked_at(view):
    own = torch.arange(len(view)).float()
    first = ranked_labels(view, Known(own), 0.2)
    checked = first.index[first.suspect][:2]
    found = ranked_labels(replace(view, checked=checked), Known(own), 0.2)
    assert found.suspect.sum() == first.suspect.sum() - 2
    assert not found.suspects_among(checked).any()


def test_equal_scores_of_a_method_come_by_the_seed_and_not_by_place(view):
    same = torch.zeros(len(view))
    one, other = (ranked_labels(view, Known(same), 0.3, seed) for seed in (0, 1))
    assert int(one.suspect.sum()) == int(other.suspect.sum()) == round(0.3 * view.n_original)
    assert not torch.equal(one.suspect, other.suspect)
    assert not ranked_labels(view, RandomInfluence(), 0.0).suspect.any()


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("n", "k"), [(600, 5), (1200, 12)])
def test_few_wrong_labels_are_found_too(n, k, seed):
    """A limit that is estimated from a handful of samples must not leave out all of them."""
    wrong = torch.randperm(n, generator=torch.Generator().manual_seed(seed))[:k].tolist()
    found = suspect_labels(in_groups(wrong, n), seed)
    rows = set((found.index[found.suspect] // 5).tolist())
    assert rows <= set(wrong)
    assert len(rows) >= 0.8 * k


def test_a_column_that_says_the_class_does_not_hide_wrong_labels():
    n, wrong = 900, list(range(0, 270, 3))
    view = in_groups(wrong, n)
    topic = [str(i // 5 // (n // 3)) for i in range(5 * n)]
    plain = suspect_labels(view)
    judged = suspect_labels(replace(view, columns={"topic": topic}))
    assert set((plain.index[plain.suspect] // 5).tolist()) <= set(wrong)
    assert int(judged.suspect.sum()) > 0.7 * len(wrong)
    # It is told all the same, as a source of wrong labels.
    assert all("source of wrong labels" in shared.told for shared in judged.shared)


def recordings(wrong_share, seed, size=15, n=100):
    """A view of windows of recordings, some of which are labelled wrong as a whole.

    The network has learnt the labels of whole recordings by heart, as far as it can.

    Returns:
        The view, without groups, and (N,) bool, whose labels are wrong.
    """
    g = torch.Generator().manual_seed(seed)
    true = torch.arange(n) % 2
    wrong = torch.zeros(n, dtype=torch.bool)
    wrong[torch.randperm(n, generator=g)[: round(wrong_share * n)]] = True
    centre = 1.1 * one_hot(true, 2) + 0.4 * torch.randn(n, 2, generator=g)
    true, wrong, centre = (t.repeat_interleave(size, 0) for t in (true, wrong, centre))
    given = torch.where(wrong, 1 - true, true)
    inputs = centre[:, None] + 0.4 * torch.randn(n * size, 4, 2, generator=g)
    logits = 3 * inputs.mean(1) + 0.5 * torch.randn(n * size, 2, generator=g)
    view, _ = overlapping(given)
    dynamics = TrainingDynamics(n * size)
    dynamics.update(view.traces.index, logits + 2 * one_hot(given, 2), given)
    dynamics.end_epoch()

    def fetch(asked):
        return SequenceBatch(asked, inputs[asked], torch.full((len(asked),), 4), given[asked])

    return replace(view, fetch=fetch, dynamics=dynamics), wrong


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_labels_that_are_wrong_by_the_recording_are_suspect(seed):
    view, wrong = recordings(0.1, seed)
    alone = suspect_labels(view)
    together = suspect_labels(replace(view, groups=torch.arange(1500) // 15))
    # Less than a tenth at most: that is false.
    assert alone.rate < 0.09
    assert 0.1 <= together.rate < 0.3
    assert together.suspect[wrong].float().mean() > 0.75
    assert wrong[together.suspect].float().mean() > 0.75
    assert alone.suspect[wrong].float().mean() < together.suspect[wrong].float().mean()


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_hardly_a_right_label_of_recordings_is_suspect(seed):
    view, _ = recordings(0, seed)
    found = suspect_labels(replace(view, groups=torch.arange(1500) // 15))
    assert found.suspect.float().mean() <= 0.02


def test_windows_with_another_label_tell_of_their_recording():
    # One window of each of ten recordings is labelled wrong: its neighbours say so.
    view, _ = recordings(0, 0)
    given = view.traces.label.clone()
    wrong = torch.arange(10) * 150 + 7
    given[wrong] = 1 - given[wrong]
    group = torch.arange(1500) // 15
    together = labelled_together(torch.arange(1500), given, group)
    features = input_features(replace(view.traces, label=given), view.fetch, 0)
    votes, _ = neighbour_labels(features, given, 2, group=together)
    assert (votes[wrong].argmax(1) != given[wrong]).all()
    assert labelled_together(torch.arange(3), given[:3], None).tolist() == [0, 1, 2]
    # What a repair has added belongs to no group of the data.
    index, label = torch.tensor([0, 1, 2, 3, 4]), torch.tensor([0, 0, 1, 0, 0])
    found = labelled_together(index, label, torch.zeros(3).long())
    assert (found[:, None] == found).int().sum(1).tolist() == [2, 2, 1, 1, 1]


@pytest.mark.parametrize("seed", [1, 2])
def test_a_rare_class_is_looked_at_where_votes_put_the_common_one_first(seed):
    g = torch.Generator().manual_seed(seed)
    n = 1500
    true = (torch.arange(n) % 25 == 0).long()
    wrong = torch.zeros(n, dtype=torch.bool)
    wrong[torch.randperm(n, generator=g)[:60]] = True
    given = torch.where(wrong, 1 - true, true)
    view, _ = overlapping(given)
    inputs = 1.1 * one_hot(true, 2)[:, None] + 0.9 * torch.randn(n, 4, 2, generator=g)
    logits = 3 * inputs.mean(1) - torch.tensor([0.0, 1.0])
    dynamics = TrainingDynamics(n)
    dynamics.update(view.traces.index, logits, given)
    dynamics.end_epoch()

    def fetch(asked):
        return SequenceBatch(asked, inputs[asked], torch.full((len(asked),), 4), given[asked])

    found = suspect_labels(replace(view, fetch=fetch, dynamics=dynamics))
    assert found.suspect[wrong].float().mean() > 0.5
    assert wrong[found.suspect].float().mean() > 0.85
