"""Whether labels are doubted where they are wrong, by an oracle and by planted faults."""

from dataclasses import replace

import pytest
import torch

from rnnrepair.abstraction import AbstractionSettings, LastStates
from rnnrepair.datamodules import LoadedData, Sequences
from rnnrepair.errors import SettingsError
from rnnrepair.explanation import explain
from rnnrepair.influence import Doubting, SharedValue, Suspicion, doubt_labels
from rnnrepair.models import SequenceClassifier
from rnnrepair.sequences import SequenceBatch
from rnnrepair.traces import Traces
from tests.conftest import random_model, trained, view_of


def traces_of(label, predicted, first=0):
    """Traces of one step each, and their place on a line as last state."""
    n = len(label)
    zero = torch.zeros(n, dtype=torch.uint8)
    index = torch.arange(first, first + n)
    predicted = torch.tensor(predicted).to(torch.uint8)
    return Traces(zero, predicted, torch.arange(n + 1), index, torch.tensor(label), 1, 3)


def on_a_line(place, first=0):
    """Fetch sequences of one step and one value."""
    values = torch.tensor(place, dtype=torch.float32)

    def fetch(index):
        inputs = values[index - first].view(-1, 1, 1)
        ones = torch.ones(len(index), dtype=torch.int64)
        return SequenceBatch(index, inputs, ones, torch.zeros_like(ones))

    return fetch


def doubted(
    fit_label, fit_place, fit_input, label, predicted, place, inputs, suspects=(), **options
):
    """One failure among training samples, each with a place as state and one as input."""
    n = len(fit_label)
    score = torch.zeros(n)
    score[list(suspects)] = 1
    suspicion = Suspicion(torch.arange(n), score, torch.zeros(n).long(), score >= 0.5)
    suspicion = replace(suspicion, shared=options.pop("shared", ()))
    fit = traces_of(fit_label, [0] * n)
    failure = traces_of([label], [predicted], n)
    view = replace(
        view_of(random_model(), fit),
        fetch=on_a_line([*fit_input, inputs]),
        ends=LastStates(torch.arange(n + 1), torch.tensor([*fit_place, float(place)])[:, None]),
        columns=options.pop("columns", {}),
        checked=torch.tensor(options.pop("checked", []), dtype=torch.int64),
    )
    return doubt_labels(
        view,
        failure,
        suspicion,
        Doubting(**{"nearest": 3, "odds": 10} | options),
    )


# Three samples of class 1 near to a failure of class 0, of which there are as many elsewhere.
PLACES = [0, 1, 2, 9, 10, 11]
SPEAKS = ([1, 1, 1, 0, 0, 0], PLACES, PLACES, 0, 1, 0.5, 0.5)


def test_the_odds_are_those_of_both_kinds_of_neighbours():
    found = doubted(
        fit_label=[1, 1, 0, 2, 2, 2],
        fit_place=[0, 1, 2, 50, 60, 70],
        fit_input=[0, 90, 80, 1, 2, 70],
        label=0,
        predicted=1,
        place=0,
        inputs=0,
    )
    # By state 1, 1, 0: (1 + 2) / (1 + 1); by input 1, 2, 2: (1 + 1) / (1 + 0). Of class 0 there are
    # half as many as of class 1.
    assert found.odds.tolist() == [1.5]
    assert found.own.tolist() == [False]


def test_a_class_of_few_samples_is_not_doubted_for_that_and_one_of_many_gets_no_discount():
    label, place = [1] * 9 + [0], [0, 1, 2, *range(50, 56), 9]
    scarce = doubted(label, place, place, 0, 1, 0.5, 0.5)
    assert scarce.odds.tolist() == [pytest.approx(16 / 9)]
    assert scarce.own.tolist() == [False]
    label[3:6] = [0, 0, 0]
    assert doubted(label, place, place, 0, 1, 0.5, 0.5).odds.tolist() == [pytest.approx(16 * 4 / 6)]
    label[6:9] = [0, 0, 0]
    assert doubted(label, place, place, 0, 1, 0.5, 0.5).odds.tolist() == [16.0]


@pytest.mark.parametrize(
    ("place", "among", "rate", "suspects", "too_many"),
    [
        # Twenty of a hundred labels are doubted, at inputs like those of the class that is said.
        ("alike", 100, 0.01, 0, False),
        # All at one input: these are none of its samples.
        ("odd", 100, 0.01, 0, True),
        # One in two is wrong, nobody knows how many are, or of what these are a part.
        ("odd", 100, 0.5, 60, False),
        ("odd", 100, None, 0, False),
        ("odd", None, 0.01, 0, False),
        # Nobody knows how many may be wrong, but none is suspect in training.
        ("odd", 60, 0.5, 0, True),
        # No more than training lets expect.
        ("odd", 2000, 0.01, 0, False),
    ],
)
def test_more_doubts_than_wrong_labels_explain_at_odd_inputs_are_none(
    place, among, rate, suspects, too_many
):
    g = torch.Generator().manual_seed(0)
    label = torch.arange(200) % 2
    inputs = 20 * label + torch.randn(200, generator=g)
    failing = 20 + (torch.randn(20, generator=g) if place == "alike" else torch.full((20,), 0.3))
    values = torch.cat([inputs, failing])
    fit, failures = traces_of(label.tolist(), label.tolist()), traces_of([0] * 20, [1] * 20, 200)
    zero = torch.zeros(200)
    suspicion = Suspicion(torch.arange(200), zero, label, torch.arange(200) < suspects, rate=rate)
    view = replace(
        view_of(random_model(), fit),
        fetch=on_a_line(values.tolist()),
        ends=LastStates(torch.arange(220), values[:, None]),
    )
    found = doubt_labels(view, failures, suspicion, Doubting(nearest=5), among=among)
    assert found.too_many == (20 if too_many else 0)
    assert bool(found.own.any()) is not too_many
    assert bool(found.too_many_told) is too_many


@pytest.mark.parametrize(("odds", "own"), [(16, True), (16.1, False)])
def test_neighbours_that_all_speak_for_the_prediction_make_a_label_suspect(odds, own):
    found = doubted(*SPEAKS, odds=odds)
    assert found.odds.tolist() == [16.0]
    assert found.own.tolist() == [own]


@pytest.mark.parametrize(
    ("suspects", "expected"),
    [((), False), ((3,), False), ((3, 4), True), ((0, 1, 2, 5, 6), False)],
)
def test_neighbours_are_suspect_where_most_that_speak_for_the_prediction_are(suspects, expected):
    # The failure of class 0 stands beside two samples of class 1 in the midst of class 0.
    label = [0, 0, 0, 1, 1, 0, 0, 0, 1, 1, 1]
    place = [0, 1, 2, 3, 3.2, 4, 5, 6, 90, 91, 92]
    found = doubted(label, place, place, 0, 1, 3.1, 3.1, suspects, nearest=5, odds=4)
    assert found.neighbours.tolist() == [expected]
    assert found.own.tolist() == [False]
    found = doubted(label, place, place, 0, 1, 91.1, 91.1, suspects, nearest=3, odds=4)
    assert found.neighbours.tolist() == [False]
    assert found.own.tolist() == [True]


@pytest.mark.parametrize(
    ("value", "classes", "explained"), [("b", (0,), True), ("a", (0,), False), ("b", (1,), False)]
)
def test_a_label_is_not_suspect_where_a_value_of_a_column_explains_it(value, classes, explained):
    shared = SharedValue("device", value, 9, 12, 10, 100, 1e-6, classes)
    columns = {"device": [*"aaaaaa", "b"]}
    found = doubted(*SPEAKS, shared=(shared,), columns=columns)
    assert found.odds.tolist() == doubted(*SPEAKS).odds.tolist() == [16.0]
    assert found.explained.tolist() == [explained]
    assert found.own.tolist() == [not explained]
    assert found.shared == (shared,)


def test_a_label_is_not_suspect_far_from_all_training_samples():
    label, place = [1] * 6 + [0] * 6, [*range(6), *range(60, 66)]
    near = doubted(label, place, place, 0, 1, 2.5, 2.5)
    far = doubted(label, place, [-i for i in place], 0, 1, 2.5, 40)
    assert near.odds.tolist() == far.odds.tolist() == [16.0]
    assert (near.own.tolist(), far.own.tolist()) == ([True], [False])


def test_a_label_that_a_person_has_looked_at_is_never_suspect():
    assert doubted(*SPEAKS).own.all()
    assert not doubted(*SPEAKS, checked=[6]).suspect.any()
    label, inputs = [1, 0, 2, 1, 1, 1, 1, 1], [10.2, 10, 10.1, 60, 70, 80, 90, 99]
    assert doubted(label, inputs, inputs, 0, 1, 10, 10, nearest=4).copied.all()
    assert not doubted(label, inputs, inputs, 0, 1, 10, 10, nearest=4, checked=[8]).suspect.any()


def test_near_copies_with_another_label_are_named_nearest_first():
    label = [1, 0, 2, 1, 1, 1, 1, 1]
    inputs = [10.2, 10, 10.1, 60, 70, 80, 90, 99]
    found = doubted(label, inputs, inputs, 0, 1, 10, 10, nearest=4)
    assert found.copies.tolist() == [[2, 0, -1, -1]]
    assert found.copied.tolist() == [True]
    assert found.suspect.tolist() == [True]
    assert not doubted(label, inputs, inputs, 0, 1, 30, 30, nearest=4).copied
    # A failure far from all others, as in another unit, is near to none that are as far.
    far = [10.2, 10, 5000, 60, 70, 80, 90, 99]
    assert not doubted(label, far, far, 0, 1, 5040, 5040, nearest=4).copied
    assert doubted(label, far, far, 0, 1, 5001, 5001, nearest=4).copied


@pytest.mark.parametrize(("moved", "copied"), [(0, True), (2, True), (4, False), (8, False)])
def test_near_copies_of_texts_differ_in_few_words_and_not_in_their_order_alone(moved, copied):
    """Of texts of four words all counts are alike, as of DNA."""
    g = torch.Generator().manual_seed(0)
    texts = torch.arange(4).repeat(9, 5)
    texts[0, :moved] = texts[8, :moved].view(-1, 2).flip(1).flatten()  # neighbours swapped
    for row in range(1, 8):  # the same words in another order
        texts[row] = texts[8][torch.randperm(20, generator=g)]

    def fetch(index):
        length = torch.full((len(index),), 20)
        return SequenceBatch(index, texts[index], length, torch.zeros_like(index))

    fit, failure = traces_of([1] * 8, [0] * 8), traces_of([0], [1], 8)
    nowhere = LastStates(torch.arange(9), torch.arange(9.0)[:, None])
    view = replace(view_of(random_model(), fit), fetch=fetch, ends=nowhere)
    none = torch.zeros(8, dtype=torch.bool)
    suspicion = Suspicion(torch.arange(8), torch.zeros(8), torch.zeros(8).long(), none)
    found = doubt_labels(view, failure, suspicion, Doubting(nearest=8, copy=0.1))
    assert found.copies[0, 0] == (0 if copied else -1)
    assert (found.copies[0, 1:] == -1).all()


def test_values_out_of_range_are_refused_together():
    with pytest.raises(SettingsError, match=r"(?s)nearest.*odds.*copy"):
        Doubting(nearest=0, odds=0.5, copy=-1)


@pytest.fixture(scope="module")
def planted():
    """Three kinds of noisy waves, a tenth of the labels of which is another one."""
    g = torch.Generator().manual_seed(1)
    n, n_train = 1200, 900
    clean = torch.randint(3, (n,), generator=g)
    time = torch.arange(12) * 0.5 + torch.rand(n, 1, generator=g)
    kinds = (torch.sin, torch.cos, torch.zeros_like)
    pairs = zip(clean.tolist(), time, strict=True)
    inputs = torch.stack([kinds[c](t) for c, t in pairs])
    inputs += 0.6 * torch.randn(inputs.shape, generator=g)
    wrong = torch.rand(n, generator=g) < 0.1
    label = torch.where(wrong, (clean + torch.randint(1, 3, (n,), generator=g)) % 3, clean)
    sequences = Sequences.from_padded(inputs, torch.full((n,), 12))
    return LoadedData(sequences, label, n_train, "waves", "series"), wrong


def test_planted_wrong_labels_are_found(planted, make_data):
    loaded, wrong = planted
    data = make_data(loaded)
    network = trained(SequenceClassifier(1, 3, hidden_size=12), data, steps=60)
    found = explain(network, data, settings=AbstractionSettings(n_components=8, reduction_dims=4))
    frame = found.to_dataframe()
    is_wrong = wrong[torch.tensor(frame["index"].tolist())].numpy()
    named = found.doubt.own.numpy()
    precision, recall = is_wrong[named].mean(), named[is_wrong].mean()
    assert precision > 0.85
    assert recall > 0.7
    # Naming every failure would not do.
    assert is_wrong.mean() < 0.6


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_wrong_labels_of_a_class_that_lies_closer_than_others_are_no_odd_inputs(seed):
    """Samples of one class are nearer to each other than usual, and a fifth of its labels wrong."""
    g = torch.Generator().manual_seed(seed)
    label = torch.arange(200) % 2
    inputs = 20 * label + torch.where(label == 0, 0.05, 2.0) * torch.randn(200, generator=g)
    values = torch.cat([inputs, 0.05 * torch.randn(20, generator=g)])
    fit, failures = traces_of(label.tolist(), label.tolist()), traces_of([1] * 20, [0] * 20, 200)
    zero = torch.zeros(200)
    suspicion = Suspicion(torch.arange(200), zero, label, zero > 0, rate=0.01)
    view = replace(
        view_of(random_model(), fit),
        fetch=on_a_line(values.tolist()),
        ends=LastStates(torch.arange(220), values[:, None]),
    )
    found = doubt_labels(view, failures, suspicion, Doubting(nearest=5), among=100)
    assert found.too_many == 0
    assert found.own.sum() >= 18
