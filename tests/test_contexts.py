"""Contexts by numbers agree with brute force; renumbering of states changes nothing."""

from dataclasses import replace

import pytest
import torch

from rnnrepair.errors import ConfigurationError
from rnnrepair.influence import ContextIndex, tie_order

TOP = 12
# Responsible steps of the seven failures: the first of all, the last, and some between.
STEP = torch.tensor([0, 8, 12, 3, 7, 0, 10])


def with_tokens(traces, n_tokens=4, seed=0):
    g = torch.Generator().manual_seed(seed)
    n_steps = int(traces.offsets[-1])
    return replace(traces, token=torch.randint(n_tokens, (n_steps,), generator=g).int())


@pytest.fixture
def small(make_traces):
    """Few states, classes and tokens, so that long common runs occur."""
    g = torch.Generator().manual_seed(1)
    lengths = torch.randint(1, 20, (300,), generator=g).tolist()
    fit = with_tokens(make_traces(lengths, n_states=2, n_classes=2), 2)
    failures = with_tokens(make_traces([1, 9, 13, 6, 12, 3, 11], 2, 2, seed=5), 2, seed=5)
    return fit, failures


def steps(traces, row):
    """Return the transitions of a trace as tuples (code before, token, code)."""
    own = slice(int(traces.offsets[row]), int(traces.offsets[row + 1]))
    code = traces.code[own].tolist()
    return list(zip(["start", *code], traces.token[own].tolist(), code, strict=False))


def candidates(fit, failures, m, step, allowed, label):
    """Every (row, position, run) of one failure, by comparing everything."""
    context = steps(failures, m)[: int(step[m])]
    found = []
    for row in range(len(fit)):
        if not allowed[row] or fit.label[row] != label[m]:
            continue
        own = steps(fit, row)
        best = None
        for p in range(len(own)):
            run = 0
            while run < min(p + 1, len(context)) and own[p - run] == context[-1 - run]:
                run += 1
            if run and (best is None or run > best[0]):
                best = (run, p)
        if best is None and not context:
            best = (0, -1)
        if best is None:
            visits = [p for p in range(len(own)) if own[p][2] == context[-1][2]]
            best = (0, visits[0]) if visits else None
        if best is not None:
            found.append((row, best[1], best[0]))
    return found


def brute_force(fit, failures, step, allowed, label, top):
    """For each failure the best (sample, position, run)."""
    turn = tie_order(fit.index, 0).argsort().tolist()
    result = []
    for m in range(len(failures)):
        found = candidates(fit, failures, m, step, allowed, label)
        found.sort(key=lambda one: (-one[2], turn[one[0]]))
        result.append([(int(fit.index[row]), p, run) for row, p, run in found[:top]])
    return result


def as_lists(contexts):
    rows = zip(
        contexts.sample.tolist(), contexts.position.tolist(), contexts.run.tolist(), strict=True
    )
    return [[(s, p, r) for s, p, r in zip(*row, strict=True) if s >= 0] for row in rows]


def test_contexts_agree_with_brute_force(small):
    fit, failures = small
    allowed = torch.arange(len(fit)) % 5 > 0
    found = as_lists(ContextIndex(fit).nearest(failures, STEP, TOP, allowed, failures.label))
    assert found == brute_force(fit, failures, STEP, allowed, failures.label, TOP)
    # The case is worth its name: runs of several tokens occur, and samples without a common one.
    runs = [r for row in found for _, _, r in row]
    assert max(runs) >= 3
    assert min(runs) == 0


def test_contexts_do_not_depend_on_the_numbering_of_states(small):
    fit, failures = small
    swapped = [replace(t, state=1 - t.state) for t in small]
    allowed = torch.ones(len(fit), dtype=torch.bool)
    arguments = (STEP, TOP, allowed, failures.label)
    assert as_lists(ContextIndex(fit).nearest(failures, *arguments)) == as_lists(
        ContextIndex(swapped[0]).nearest(swapped[1], *arguments)
    )


def test_drawn_samples_are_candidates_at_the_place_of_their_own_longest_run(small):
    fit, failures = small
    allowed = torch.arange(len(fit)) % 5 > 0
    arguments = (failures, STEP, 8, allowed, failures.label)
    drawn = as_lists(ContextIndex(fit, 3).drawn(*arguments))
    both = ContextIndex(fit, 3).nearest_and_drawn(*arguments)
    assert as_lists(both[0]) == as_lists(ContextIndex(fit, 3).nearest(*arguments))
    assert as_lists(both[1]) == drawn
    runs = []
    for m, own in enumerate(drawn):
        possible = {
            int(fit.index[row]): (p, run)
            for row, p, run in candidates(fit, failures, m, STEP, allowed, failures.label)
        }
        assert len({s for s, _, _ in own}) == len(own) == min(8, len(possible))
        assert all(possible[s] == (p, run) for s, p, run in own)
        runs += [run for _, _, run in own]
    # The case is worth its name: runs of several tokens, and samples without a common one.
    assert max(runs) >= 3
    assert min(runs) == 0


def test_drawn_samples_depend_on_the_seed_and_on_nothing_that_ranks_them(small):
    fit, failures = small
    everyone = torch.ones(len(fit), dtype=torch.bool)
    rows = torch.arange(7)[STEP > 2]
    some, step = failures.select(rows), STEP[rows]

    def draw(seed):
        return ContextIndex(fit, seed).drawn(some, step, 4, everyone, some.label)

    assert as_lists(draw(3)) == as_lists(draw(3))
    assert as_lists(draw(3)) != as_lists(draw(4))
    every = ContextIndex(fit).nearest(some, step, len(fit), everyone, some.label)
    known = every.sample >= 0
    expected = (every.run * known).sum(1) / known.sum(1)
    found = torch.stack([draw(seed).run for seed in range(150)]).double().mean((0, 2))
    torch.testing.assert_close(found, expected.double(), rtol=0.15, atol=0.05)


def test_equally_long_runs_are_taken_by_chance_and_not_by_row(make_traces):
    """Insertion copies the first few: a file that is sorted must not choose them."""
    one = with_tokens(make_traces([6]))
    fit = replace(
        one.select(torch.zeros(40, dtype=torch.int64)),
        index=torch.arange(40) + 100,
        label=torch.zeros(40, dtype=torch.int64),
    )
    failure = replace(one, label=torch.tensor([0]))
    everyone = torch.ones(40, dtype=torch.bool)
    # Runs of three transitions, and none at all: before the first token.
    for step, run in ((3, 3), (0, 0)):
        picks = []
        for seed in range(300):
            found = ContextIndex(fit, seed).nearest(
                failure, torch.tensor([step]), 5, everyone, failure.label
            )
            assert found.run.tolist() == [[run] * 5]
            assert found.position.tolist() == [[step - 1] * 5]
            picks.append(found.sample[0].tolist())
        assert sum(sorted(pick) == [100, 101, 102, 103, 104] for pick in picks) < 5
        counts = torch.tensor(picks).flatten().bincount(minlength=140)[100:]
        assert (counts - 300 / 8).abs().max() < 6 * (300 * 7 / 64) ** 0.5
        again = ContextIndex(fit, 0).nearest(
            failure, torch.tensor([step]), 5, everyone, failure.label
        )
        assert again.sample[0].tolist() == picks[0]


def test_tokens_that_training_never_saw_match_nothing(small):
    fit, failures = small
    strange = replace(failures, token=torch.full_like(failures.token, 1_000_000))
    allowed = torch.ones(len(fit), dtype=torch.bool)
    found = ContextIndex(fit).nearest(strange, STEP, TOP, allowed, failures.label)
    assert not found.run.any()
    assert (found.sample >= 0).any()


def test_index_takes_few_bytes_a_step(make_traces):
    fit = with_tokens(make_traces([200] * 100, 20, 2), 3000)
    assert ContextIndex(fit).nbytes <= 20 * int(fit.offsets[-1])


def test_features_are_refused(make_traces):
    with pytest.raises(ConfigurationError, match="Words of traces"):
        ContextIndex(make_traces([3, 4]))
