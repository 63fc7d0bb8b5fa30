"""Splits that are unlike training as a whole are told by their values, and by their classes."""

import re
from dataclasses import replace
from itertools import groupby
from types import SimpleNamespace

import pytest
import torch

from rnnrepair.patterns import Pattern, unlike_inside
from rnnrepair.patterns.unlike_training import (
    is_behind,
    learnt_told,
    renumbered,
    shifted,
    unlike_training,
)
from rnnrepair.sequences import DataSpec, Kind, Names, SequenceBatch
from rnnrepair.sequences.summaries import names_of_summaries, summaries_of
from tests.test_doubt import traces_of

SERIES = DataSpec(Kind.SERIES, 2, 2, channel_names=("heat", "noise"))


def data_of(inputs, lengths=None):
    """Return a function that fetches sequences from (n, steps, channels) inputs."""
    lengths = torch.full((len(inputs),), inputs.shape[1]) if lengths is None else lengths

    def fetch(index):
        return SequenceBatch(index, inputs[index], lengths[index], torch.zeros_like(index))

    return fetch


def test_summaries_are_those_of_the_steps_that_are_there():
    inputs = torch.randn(5, 7, 2, generator=torch.Generator().manual_seed(0)).round()
    lengths = torch.tensor([7, 3, 1, 5, 2])
    found = summaries_of(data_of(inputs, lengths)(torch.arange(5)), SERIES.kind)
    for row, n in zip(range(5), lengths.tolist(), strict=True):
        own = inputs[row, :n].double()
        runs = [max(len(list(run)) for _, run in groupby(c)) for c in own.T.tolist()]
        expected = torch.cat([own.mean(0), own.std(0, unbiased=False), torch.tensor(runs)])
        torch.testing.assert_close(found[row], expected)
    assert found[:, 4:].max() > 2
    one_step = summaries_of(data_of(inputs[:, :1])(torch.arange(5)), SERIES.kind)
    assert torch.equal(one_step[:, 4:], torch.ones(5, 2).double())
    assert names_of_summaries(SERIES) == [
        *("mean of channel heat", "mean of channel noise"),
        *("spread of channel heat", "spread of channel noise"),
        *(f"longest run of one value in channel {name}" for name in ("heat", "noise")),
    ]


def test_an_image_is_one_channel_and_a_text_none():
    image = DataSpec(Kind.IMAGE, 4, 2)
    inputs = torch.rand(3, 4, 4, generator=torch.Generator().manual_seed(1))
    found = summaries_of(data_of(inputs)(torch.arange(3)), image.kind)
    torch.testing.assert_close(found[:, 0], inputs.flatten(1).double().mean(1))
    # All of it, however wide.
    wide = torch.rand(2, 3, 130, generator=torch.Generator().manual_seed(1))
    found = summaries_of(data_of(wide)(torch.arange(2)), Kind.IMAGE)
    torch.testing.assert_close(found[:, 0], wide.flatten(1).double().mean(1))
    assert names_of_summaries(image) == ["brightness", "contrast"]
    text = DataSpec(Kind.TOKENS, 1, 2, token_names=("a", "b"))
    tokens = data_of(torch.zeros(3, 4).long())(torch.arange(3))
    assert summaries_of(tokens, text.kind).shape == (3, 0)
    assert names_of_summaries(text) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda x: x, ""),
        (lambda x: x + torch.tensor([3.0, 0]), "mean of channel heat above"),
        (lambda x: x * 0.2, "spread of channel heat below"),
        # A twentieth of the samples is no shift of the whole.
        (lambda x: torch.cat([x[:20] + 9, x[20:]]), ""),
    ],
)
def test_a_shift_is_told_by_channel_and_direction(change, told):
    g = torch.Generator().manual_seed(2)
    inputs = torch.randn(1000, 12, 2, generator=g)
    inputs[600:] = change(inputs[600:])
    found = shifted(SERIES, data_of(inputs), torch.arange(600), torch.arange(600, 1000), "test")
    assert told in found
    assert bool(found) == bool(told)


def test_values_far_from_zero_are_told_in_as_many_digits_as_they_differ_by():
    g = torch.Generator().manual_seed(2)
    inputs = 101325 + 200 * torch.randn(1000, 12, 2, generator=g)
    inputs[600:, :, 1] += 300
    told = shifted(SERIES, data_of(inputs), torch.arange(600), torch.arange(600, 1000), "test")
    limit, here, there, share = re.search(
        r"mean of channel noise above (\S+) \(median (\S+), of training (\S+)\) in (\d+)%", told
    ).groups()
    means = inputs[..., 1].double().mean(1)
    assert float(here) == pytest.approx(float(means[600:].median()), abs=10)
    assert float(there) == pytest.approx(float(means[:600].median()), abs=10)
    above = (means > float(limit)).double()
    assert float(above[600:].mean()) == pytest.approx(int(share) / 100, abs=0.02)
    assert float(above[:600].mean()) == pytest.approx(0.01, abs=0.01)


def test_what_sets_the_samples_of_a_column_apart_is_told_with_shares():
    g = torch.Generator().manual_seed(3)
    inputs = torch.randn(1000, 12, 2, generator=g)
    # Training has a few of them, too.
    odd = torch.cat([torch.arange(18), torch.arange(600, 700)])
    inputs[odd, 3:11, 1] = 0
    found = Pattern(
        *("group", "site 5", torch.arange(600, 650), torch.arange(600, 700), 0.5, 0.0, 0.002),
        {"column": "site", "value": "5"},
        torch.arange(18),
    )
    told = unlike_inside(SERIES, data_of(inputs), torch.arange(600), found)
    runs = summaries_of(data_of(inputs)(torch.arange(600)), SERIES.kind)[:, 5]
    limit = float(runs.quantile(0.95))
    own = float((runs > limit).double().mean())
    run = f"longest run of one value in channel noise above {limit:.3g} (median 8, of training 1)"
    assert told.startswith("Unlike training: ")
    assert f"{run} in 100% of its samples ({own:.1%} of training)" in told
    assert "heat" not in told
    # Of an edit that has a size, that says it.
    edit = replace(found, kind="edit", parameters={"edit": "offset_1-1", "from": 0.0, "to": 1.0})
    assert unlike_inside(SERIES, data_of(inputs), torch.arange(600), edit) == ""
    dead = replace(found, kind="edit", parameters={"edit": "dead_1-1", "from": 0.0, "to": 1.0})
    assert unlike_inside(SERIES, data_of(inputs), torch.arange(600), dead) == told


def test_renamed_classes_are_told_where_far_more_would_be_right():
    names = Names(("a", "b", "c"))
    cycle = torch.tensor([[0, 10, 0], [0, 1, 9], [10, 0, 0]])
    assert renumbered(cycle, names, "test").startswith(
        "If a were b and b were c and c were a, 97% of test would be right instead of 3%"
    )
    # Bad as it is, no other numbering does much better; and one that is right is left alone.
    one_answer, few = torch.tensor([[20, 0], [75, 5]]), torch.tensor([[0, 0, 1]] + 2 * [[0, 0, 0]])
    bad = (torch.full((3, 3), 5), cycle.flip(1) + 5, one_answer, few)
    for other in (10 * torch.eye(3).long(), *bad):
        assert renumbered(other, names, "test") == ""


@pytest.mark.parametrize(
    ("split", "training", "told"),
    [
        (0.8, 0.82, "About as many training samples are wrong"),
        (0.8, 1.0, "Nearly all training samples without"),
        # Neither; and hardly anything fails.
        (0.8, 0.92, ""),
        (0.98, 1.0, ""),
        (0.98, 0.98, ""),
    ],
)
def test_what_was_not_learnt_is_told_from_what_is_new(split, training, told):
    def right(share, n=500):
        return traces_of([0] * n, [0] * round(share * n) + [1] * (n - round(share * n)))

    found = learnt_told(right(split), right(training), "test")
    assert found.startswith(told)
    assert bool(found) == bool(told)


def test_a_split_is_behind_by_three_standard_errors():
    def right(share, n):
        return traces_of([0] * n, [0] * round(share * n) + [1] * (n - round(share * n)))

    assert is_behind(right(0.7, 100), right(1, 500))
    assert not is_behind(right(0.98, 100), right(1, 500))
    assert not is_behind(right(1, 100), right(0.7, 500))
    # One sample says nothing.
    assert not is_behind(right(0, 1), right(1, 500))


@pytest.mark.parametrize(
    ("label", "predicted", "asks"),
    [
        # Half of each class are right; as many of unequal classes, and all of the rare one.
        ([0] * 100 + [1] * 100, [0, 1] * 100, True),
        ([0] * 190 + [1] * 10, [0] * 160 + [1] * 40, False),
        ([0] * 190 + [1] * 10, [0] * 200, True),
        # Of one class nothing is known.
        ([0] * 200, [0, 1] * 100, False),
    ],
)
def test_a_split_that_is_answered_as_by_chance_is_asked_about(label, predicted, asks):
    training = traces_of([0, 1] * 200, [0, 1] * 200)
    alike = SimpleNamespace(spec=SERIES, fetch=data_of(torch.zeros(600, 3, 2)))
    found = unlike_training(alike, training, traces_of(label, predicted), "test")
    assert len(found) == asks
    assert not asks or found[0].startswith("test is answered as by chance (")
