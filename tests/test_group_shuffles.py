from dataclasses import replace

import pytest
import torch

from rnnrepair.patterns import (
    GroupPatterns,
    PatternContext,
    few_groups_told,
    find,
    find_patterns,
)
from rnnrepair.patterns.chance import Chance
from rnnrepair.patterns.excess import Excess
from rnnrepair.patterns.group_shuffles import failing_together, shuffled_groups
from tests.planted_patterns import images_with, in_another_order

COLUMNS = [GroupPatterns(columns_only=True)]
RECORDINGS, N = 120, 5000


@pytest.fixture(autouse=True)
def no_difficulty(monkeypatch):
    """Columns are compared within classes alone, so how hard samples are has no say: no seconds."""
    monkeypatch.setattr(find, "difficulty", lambda context: torch.zeros(len(context)))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def recordings(seed, broken=None):
    """Windows of recordings that are misread more or less often, by devices that say nothing.

    Args:
        seed: of all that is drawn.
        broken: share of the windows of device 2 that fail, in place of what they would.
    """
    torch.manual_seed(seed)
    context, _ = images_with(None)
    group = torch.arange(N) % RECORDINGS
    often = torch.distributions.Beta(0.3, 3.0).sample((RECORDINGS,))
    device = torch.randint(6, (RECORDINGS,))
    if broken is not None:
        often = torch.where(device == 2, broken, 0.3 * often)
    failed = torch.rand(N) < often[group]
    columns = {"device": [f"d{device[i % RECORDINGS]}" for i in range(N)]}
    return replace(context, failed=failed[context.index], columns=columns), group


def test_columns_of_recordings_are_no_pattern_where_whole_recordings_fail():
    named, apart = [], 0
    for seed in range(4):
        context, group = recordings(seed)
        apart += len(find_patterns(context, COLUMNS))
        named += find_patterns(replace(context, groups=group), COLUMNS)
    assert apart >= 2
    assert named == []


def test_a_device_whose_recordings_fail_is_still_named_in_any_order():
    context, group = recordings(1, broken=0.3)
    context = replace(context, groups=group)
    (pattern,) = find_patterns(context, COLUMNS)
    assert pattern.description == "device d2"
    (same,) = find_patterns(in_another_order(context), COLUMNS)
    assert same.p == pattern.p
    assert torch.equal(same.members, pattern.members)


def test_copies_of_one_sample_are_one_failure():
    context, _ = images_with(None)
    copies, others = context.index[:12], context.index[12:24]
    failed = context.failed.clone()
    failed[:12], failed[12:24] = True, False
    has = torch.zeros(N, dtype=torch.bool)
    has[torch.cat([copies, others])] = True
    columns = {"site": ["here" if of else "there" for of in has.tolist()]}
    context = replace(context, failed=failed, columns=columns)
    assert [pattern.description for pattern in find_patterns(context, COLUMNS)] == ["site here"]
    groups = torch.arange(N)
    groups[copies] = int(copies[0])
    assert find_patterns(replace(context, groups=groups), COLUMNS) == []
    # Twelve that fail each by itself are a pattern whatever other samples are copies.
    groups = torch.arange(N)
    groups[context.index[500:512]] = 7
    found = find_patterns(replace(context, groups=groups), COLUMNS)
    assert [pattern.description for pattern in found] == ["site here"]


def test_shuffled_flags_fail_as_often_as_samples_of_their_kind_and_together_as_groups_do():
    group = torch.arange(3000) // 10
    stratum = torch.arange(3000) % 2
    often = torch.where(torch.rand(300, generator=generator()) < 0.2, 0.7, 0.05)[group]
    failed = torch.rand(3000, generator=generator(1)) < often * (1 + stratum) / 2
    rate = torch.stack([failed[stratum == s].float().mean() for s in (0, 1)])[stratum]
    flags = shuffled_groups(failed, rate, group, 400, generator(2))
    for s in (0, 1):
        of = stratum == s
        assert float(flags[of].mean()) == pytest.approx(float(rate[of][0]), rel=0.05)
    together = failing_together(failed, rate, group)
    after = [failing_together(column > 0, rate, group) for column in flags.T]
    assert together > 0.2
    assert sum(after) / len(after) == pytest.approx(together, rel=0.15)
    # No group keeps its own failures.
    own = torch.stack([flags[group == g].mean() for g in range(300)])
    assert float(own.std()) < 0.05


def test_failures_of_one_group_are_given_whole_to_one_of_any_size():
    group = torch.tensor([0] * 12 + [1, 2, 3] + [4] * 5)
    failed = torch.tensor([True] * 12 + [False] * 8)
    rate = torch.full((20,), 0.6)
    flags = shuffled_groups(failed, rate, group, 300, generator())
    for members in (group == 0, group == 4):
        # The group that fails as a whole fails as a whole wherever its failures go.
        share = flags[members].mean(0)
        assert 0.15 < float((share == 1).float().mean()) < 0.3
    assert float(flags[12].mean()) == pytest.approx(0.2, abs=0.07)


def test_correlation_of_groups_is_that_of_all_pairs():
    group = torch.tensor([0, 0, 0, 1, 1, 2, 2, 2, 3])
    failed = torch.tensor([1, 1, 0, 0, 0, 1, 1, 1, 0]) > 0
    rate = torch.tensor([0.5, 0.4, 0.3, 0.5, 0.2, 0.6, 0.5, 0.1, 0.3])
    beyond, spread = failed.double() - rate, (rate * (1 - rate)).sqrt()
    pairs = [(i, j) for i in range(9) for j in range(9) if i != j and group[i] == group[j]]
    expected = sum(float(beyond[i] * beyond[j]) for i, j in pairs)
    expected /= sum(float(spread[i] * spread[j]) for i, j in pairs)
    assert failing_together(failed, rate, group) == pytest.approx(expected)
    assert failing_together(failed, rate, torch.arange(9)) == 0
    assert failing_together(torch.tensor([True, False]), rate[:2], torch.zeros(2).long()) == 0


def test_samples_that_stand_alone_are_shuffled_as_without_groups():
    failed = torch.rand(200, generator=generator()) < 0.2
    stratum, inside = torch.arange(200) % 4, torch.rand(5, 200, generator=generator(3)) < 0.3
    given = failed, stratum, 20
    plain = Chance(*given, generator(1))
    alone = Chance(*given, generator(1), torch.arange(200) * 3)
    assert torch.equal(plain.shuffled, alone.shuffled)
    assert torch.equal(plain.of(inside), alone.of(inside))
    # What does not count has no say in which samples stand alone.
    stratum = torch.where(torch.arange(200) < 100, stratum, -1)
    halves = Chance(failed, stratum, 20, generator(1), torch.arange(200) % 100)
    assert torch.equal(halves.shuffled, Chance(failed, stratum, 20, generator(1)).shuffled)


def test_candidates_of_groups_and_of_single_samples_are_on_one_scale():
    torch.manual_seed(0)
    group = torch.arange(3000) // 10
    failed = torch.rand(3000) < torch.distributions.Beta(0.5, 2.0).sample((300,))[group]
    stratum = torch.zeros(3000, dtype=torch.int64)
    # A fifth of the groups, their complement, and a fifth of all samples.
    whole, apart = group % 5 == 0, torch.rand(3000) < 0.2
    inside = torch.stack([whole, ~whole, apart])
    by_group = Chance(failed, stratum, 2000, generator(1), group)
    spread = by_group.scaled(inside.float(), by_group.shuffled).std(1)
    assert spread[:2].tolist() == pytest.approx([1, 1], abs=0.15)
    # Pairs beyond their share have less to do with one another: at most, this is cautious.
    assert 0.3 < float(spread[2]) <= 1.05
    apart_from_groups = Excess(failed, stratum)
    both = torch.stack(
        [
            chance.scaled(inside.float(), by_group.shuffled).std(1)
            for chance in (by_group, apart_from_groups)
        ]
    )
    assert float(both[1, 0]) > 1.5


@pytest.mark.parametrize(
    ("n_failures", "n_apart", "told"), [(30, 30, False), (30, 3, True), (300, 25, False)]
)
def test_failures_of_few_groups_are_told(n_failures, n_apart, told):
    assert (f"of {n_apart} groups" in few_groups_told(n_failures, n_apart)) is told


def test_groups_of_the_data_reach_the_search(make_data, loaded):
    recordings = torch.arange(120) // 5
    data = make_data(replace(loaded, groups=recordings))
    index = data.indices("repair")
    answers = index, data.labels_of(index), torch.ones(len(index), dtype=torch.bool)
    fit = data.indices("fit")
    context = PatternContext.answered(data, (fit, data.labels_of(fit)), answers, 0)
    same = recordings[index][:, None] == recordings[index]
    assert torch.equal(context.group[:, None] == context.group, same)
    assert context.failures_apart() == len(recordings[index].unique()) < len(index)
    assert torch.equal(context.select(torch.tensor([2, 0])).group, context.group[[2, 0]])
