"""Runs for the tests of the comparison: as files, and in memory."""

import numpy as np
import torch

from rnnrepair.network import Predictions
from rnnrepair.record import Contrast, Interpolation, SplitAnswers
from rnnrepair.repair import Curve
from rnnrepair.runs.comparison import Runs
from rnnrepair.runs.comparison.runs import SUMMARY_METRICS, About, Answers, Run
from rnnrepair.scores import Monitor
from tests.records import answers_of, effort_of, record_of, repair_of


def predictions(label, right):
    """Return classes (of three) that are right where asked for."""
    return np.where(right, label, (label + 1) % 3)


def write_run(
    folder,
    strategy,
    seed,
    before,
    after,
    /,
    *,
    rare=None,
    between=None,
    index=None,
    label=None,
    group=None,
    share=0.5,
    **told,
):
    """Write the record of a run whose test items are right as given; return its folder.

    ``share`` of the failures on the repair split are repaired, None where there are none;
    ``between`` says which items the network halfway gets right, which is the best on val.
    """
    before, after = np.array(before, bool), np.array(after, bool)
    index = np.arange(len(before)) if index is None else np.array(index)
    label = index % 3 if label is None else np.array(label)
    items = (index, label, predictions(label, before), predictions(label, after))
    answers = {
        "repair": repaired(share),
        "val": repaired(0.5),
        "test": SplitAnswers(
            *map(torch.from_numpy, items), None if group is None else torch.tensor(group)
        ),
    }
    if rare is not None:
        answers["test_rare"] = SplitAnswers(*(torch.from_numpy(a[np.array(rare)]) for a in items))
    effort = {"injected": 0 if strategy == "none" else 10, "steps": 100}
    effort = {name: told.pop(name, value) for name, value in effort.items()}
    about = {
        "strategy": strategy,
        "arm": strategy,
        "seed": seed,
        "sizes": {"fit": 20, "test": len(before)},
    }
    contrasts = tuple(Contrast(**named) for named in told.pop("contrasts", ()))
    run = folder / f"{strategy}-{seed}"
    way = None if between is None else halfway(answers, np.array(between, bool), rare)
    repair = repair_of(answers, effort=effort_of(**effort), interpolation=way)
    record_of(repair, contrasts=contrasts, **about | told).save(run)
    return run


def halfway(answers, right, rare=None):
    """Return the way of a network that is best on val halfway, where test is right as given."""
    label = answers["test"].label.numpy()
    middle = {"val": answers["val"].label, "test": torch.from_numpy(predictions(label, right))}
    if rare is not None:
        middle["test_rare"] = middle["test"][rare]
    curve = {
        split: tuple(
            Predictions(answers[split].index, answers[split].label, predicted)
            for predicted in (answers[split].before, middle[split], answers[split].after)
        )
        for split in middle
    }
    return Interpolation.of(Curve((0.0, 0.5, 1.0), curve), Monitor.ACCURACY)


def repaired(share):
    """Return answers of which a share of the failures is repaired; none fails where None."""
    right = round(100 * (share or 0))
    before = [0 if share is None else 1] * 100
    return answers_of([0] * 100, before, [0] * right + before[right:])


def runs_of(right, *, contrasts=(), values=None, indices=None, groups=None):
    """Return runs from {(arm, seed): (before, after)}, each (N,) bool.

    ``values`` has numbers of the summary by run, ``indices`` the items by seed, ``groups`` those
    of all items.
    """
    runs = []
    for (arm, seed), (before, after) in right.items():
        index = np.arange(len(before)) if indices is None else indices[seed]
        answered = np.array(before, bool), np.array(after, bool)
        answers = Answers(index, index % 3, *answered, groups)
        told = dict.fromkeys(SUMMARY_METRICS, float("nan"))
        told |= {"injected": 10.0, "steps": 100.0} | (values or {}).get((arm, seed), {})
        about = About("toy", {"source": "toy"}, tuple(Contrast(*c) for c in contrasts))
        runs.append(Run(arm, seed, about, f"base {seed}", told, {"test": answers}))
    return Runs(runs)


def random_right(rng, arms, seeds, n_items, accuracy=0.7):
    """Return {(arm, seed): (before, after)}; before is the same in all arms of a seed."""
    before = {seed: rng.random(n_items) < accuracy for seed in seeds}
    return {
        (arm, seed): (before[seed], rng.random(n_items) < accuracy)
        for seed in seeds
        for arm in arms
    }


def row(table, **where):
    """Return the one row in which columns have these values."""
    for column, value in where.items():
        table = table[table[column] == value]
    assert len(table) == 1
    return table.iloc[0]
