"""Step budgets to epochs, and the learning rate over them."""

import pytest
import torch
from omegaconf import OmegaConf

from rnnrepair.callbacks.launch.check import overruled_steps
from rnnrepair.errors import ConfigurationError
from rnnrepair.models import staged_rates
from rnnrepair.runs import Schedule, still_rising

STEPS = {"base_steps": 100, "round_steps": 10, "final_steps": 20, "rounds": 3}


@pytest.mark.parametrize(
    ("steps_per_epoch", "epochs"),
    [
        (10, (10, 1, 2)),
        (9, (12, 2, 3)),  # never fewer steps than asked for
        (100, (1, 1, 1)),
        (1000, (1, 1, 1)),  # at least one epoch each
        (1, (100, 10, 20)),
    ],
)
def test_schedule_has_at_least_the_steps_when_epochs_are_whole(steps_per_epoch, epochs):
    s = Schedule.from_steps(**STEPS, steps_per_epoch=steps_per_epoch)
    assert (s.base_epochs, s.round_epochs, s.final_epochs) == epochs
    base, per_round, final = epochs
    # The first round is made when the base is done, each later one a round's epochs later.
    rounds_made_at = [base + i * per_round for i in range(3)]
    assert s.last_analysis == rounds_made_at[-1]
    assert s.total_epochs == rounds_made_at[-1] + per_round + final


def test_schedule_has_no_final_phase_when_it_has_no_steps():
    s = Schedule.from_steps(**{**STEPS, "final_steps": 0, "rounds": 1}, steps_per_epoch=10)
    assert (s.final_epochs, s.total_epochs, s.last_analysis) == (0, 11, 10)


@pytest.mark.parametrize(
    ("name", "value", "key"),
    [
        ("base_steps", 0, "base_steps: expected"),
        ("round_steps", 0, "round_steps: expected"),
        ("final_steps", -1, "final_steps: expected"),
        ("rounds", 0, "rounds: expected"),
    ],
)
def test_schedule_names_the_key_when_a_budget_is_out_of_range(name, value, key):
    with pytest.raises(ConfigurationError, match=key):
        Schedule.from_steps(**{**STEPS, name: value}, steps_per_epoch=10)


def rates(total, final, epochs, state=None):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.8)
    scheduler = staged_rates(optimizer, 1, total, final_epochs=final, final_factor=0.25)
    if state is not None:
        optimizer.load_state_dict(state[0])
        scheduler.load_state_dict(state[1])
    seen = []
    for _ in range(epochs):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return seen, (optimizer.state_dict(), scheduler.state_dict())


@pytest.mark.parametrize(("final", "low"), [(0, 0), (2, 2), (5, 5)])
def test_rate_is_low_in_the_final_epochs_only(final, low):
    assert rates(5, final, 5)[0] == pytest.approx([0.8] * (5 - low) + [0.2] * low)


def test_base_training_can_be_continued_by_a_run_of_another_length():
    _, state = rates(5, 1, 3)
    assert rates(8, 2, 5, state)[0] == pytest.approx([0.8, 0.8, 0.8, 0.2, 0.2])


def test_every_stage_has_its_own_rate():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = staged_rates(optimizer, 3, 7, 1, 0.2, 0.5, 2, 0.1)
    seen = []
    for _ in range(7):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert seen == pytest.approx([1, 1, 0.2, 0.5, 0.5, 0.1, 0.1])


@pytest.mark.parametrize(
    ("accuracies", "n", "rising"),
    [
        ([0.5, 0.55, 0.6, 0.65, 0.7, 0.75], 400, True),
        ([0.5, 0.55, 0.6, 0.65, 0.7, 0.75], 15, False),  # within the chance of 15 samples
        ([0.5, 0.7, 0.75, 0.75, 0.74, 0.76], 400, False),
        ([0.9, 0.5, 0.5, 0.5, 0.6, 0.7], 400, False),  # it has been better before
        ([0.5, 0.9], 400, False),  # two looks have no last third
        ([0.0, 0.5, 1.0], 1, True),  # a score of 1 has no spread
        ([], 400, False),
    ],
)
def test_a_curve_rises_when_its_last_third_is_better_beyond_chance(accuracies, n, rising):
    assert still_rising(accuracies, n) is rising


def test_a_flat_curve_is_rarely_called_rising():
    torch.manual_seed(0)
    draws = torch.distributions.Binomial(200, torch.full((2000, 12), 0.8)).sample() / 200
    assert sum(still_rising(curve, 200) for curve in draws.tolist()) < 0.1 * len(draws)


def configured(base_epochs):
    told = {"base": base_epochs, "round": None, "final": 1}
    steps = {f"{stage}_steps": 100 for stage in told}
    return OmegaConf.create(
        {"schedule": steps | {f"{stage}_epochs": epochs for stage, epochs in told.items()}}
    )


def test_steps_that_epochs_overrule_are_refused_where_a_user_has_written_them():
    (told,) = overruled_steps(configured(7), {"schedule.base_steps", "schedule.round_steps"})
    assert told.startswith("schedule.base_steps=100")
    assert "schedule.base_epochs=null" in told
    assert not overruled_steps(configured(7), {"schedule.base_epochs"})  # the default of steps
    assert not overruled_steps(configured(None), {"schedule.base_steps"})
