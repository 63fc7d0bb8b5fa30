"""Turns the schedule of a configuration, which is in steps, into epochs."""

import logging

from hydra.utils import instantiate
from omegaconf import DictConfig

from rnnrepair.errors import ConfigurationError
from rnnrepair.runs import Schedule

log = logging.getLogger(__name__)


def plan_epochs(cfg: DictConfig, steps_per_epoch: int) -> None:
    """Turn the step budgets of ``cfg.schedule`` into epochs; epochs that are given stay."""
    plan = cfg.schedule
    budgets = {
        name: (
            plan[f"{name}_steps"]
            if plan[f"{name}_epochs"] is None
            else plan[f"{name}_epochs"] * steps_per_epoch
        )
        for name in ("base", "round", "final")
    }
    schedule = Schedule.from_steps(
        base_steps=budgets["base"],
        round_steps=budgets["round"],
        final_steps=budgets["final"],
        rounds=cfg.repair.rounds,
        steps_per_epoch=steps_per_epoch,
    )
    for name, value in vars(schedule).items():
        if plan[name] is None:
            plan[name] = value
    if plan.final_on_repair and plan.final_epochs:
        plan.release_epoch = plan.total_epochs - plan.final_epochs
        # No failures are drawn from what is trained on.
        last = max(plan.release_epoch - 1, plan.base_epochs)
        plan.last_analysis = min(plan.last_analysis, last)
    strategy = instantiate(cfg.repair.strategies[cfg.repair.strategy])
    # Published protocols name ways to train, which are no strategies.
    if strategy is not None and strategy.starts_anew:
        # All stages once more, with a new network; only the base is analysed.
        plan.anew_epoch = plan.base_epochs
        plan.total_epochs += plan.base_epochs
        plan.last_analysis = plan.base_epochs
    if plan.total_epochs - plan.final_epochs < min(plan.base_epochs, plan.total_epochs):
        raise ConfigurationError(
            f"schedule.total_epochs={plan.total_epochs} leaves {plan.final_epochs} final epochs "
            f"inside the {plan.base_epochs} base epochs: raise schedule.total_epochs, or lower "
            "schedule.base_epochs or schedule.final_epochs."
        )
    if plan.final_average:
        if not plan.final_epochs:
            raise ConfigurationError(
                "schedule.final_average=true averages over the final epochs, and there are none: "
                "raise schedule.final_steps (or schedule.final_epochs) above 0."
            )
        plan.average_epoch = plan.total_epochs - plan.final_epochs
    if not 0 <= plan.settle_epochs <= plan.base_epochs:
        raise ConfigurationError(
            f"schedule.settle_epochs={plan.settle_epochs} must lie in 0 .. {plan.base_epochs}, the "
            "number of base epochs."
        )
    log.info(
        "Schedule: %d base epochs, %d rounds of %d, %d at the end.",
        plan.base_epochs,
        cfg.repair.rounds,
        plan.round_epochs,
        plan.final_epochs,
    )
