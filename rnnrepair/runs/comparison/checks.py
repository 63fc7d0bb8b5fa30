"""What may make a comparison unfair, said beside its tables."""

import pandas as pd

from rnnrepair.runs.comparison.runs import Runs


def unequal_injected(runs: Runs) -> dict[int, dict[str, float]]:
    """Return seed -> arm -> samples injected, where arms that inject got different numbers."""
    return _unequal(runs, "injected", but_zero=True)


def unequal_steps(runs: Runs) -> dict[int, dict[str, float]]:
    """Return seed -> arm -> optimizer steps, where arms made different numbers of them."""
    return _unequal(runs, "steps", but_zero=False)


def _unequal(runs: Runs, value: str, *, but_zero: bool) -> dict[int, dict[str, float]]:
    found = {}
    for seed in runs.seeds:
        values = {run.arm: run.values[value] for run in runs if run.seed == seed}
        told = {arm: v for arm, v in values.items() if not pd.isna(v) and not (but_zero and v == 0)}
        if len(set(told.values())) > 1:
            found[seed] = told
    return found


def lacking_seeds(runs: Runs) -> dict[str, list[int]]:
    """Return, for each arm, the seeds that some other arm has and it lacks."""
    lacking = {arm: sorted(set(runs.seeds) - set(runs.seeds_of(arm))) for arm in runs.arms}
    return {arm: seeds for arm, seeds in lacking.items() if seeds}
