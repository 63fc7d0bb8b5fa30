"""Runs for the tests of the comparison: as files, and in memory."""

import json

import numpy as np

from rnnrepair.report.comparison import Contrast, ItemPredictions, Runs, write_items
from rnnrepair.report.comparison.runs import About, Answers, Run


def predictions(label, right):
    """Return classes (of three) that are right where asked for."""
    return np.where(right, label, (label + 1) % 3)


def write_run(
    folder, strategy, seed, before, after, /, *, rare=None, index=None, label=None, **summary
):
    """Write a run whose test items are right as given; return its folder."""
    before, after = np.array(before, bool), np.array(after, bool)
    index = np.arange(len(before)) if index is None else np.array(index)
    label = index % 3 if label is None else np.array(label)
    items = ItemPredictions(index, label, predictions(label, before), predictions(label, after))
    splits = {"test": items}
    if rare is not None:
        places = np.array(rare)
        splits["test_rare"] = ItemPredictions(*(a[places] for a in items.arrays().values()))
    told = {
        "experiment": "mnist_repair",
        "strategy": strategy,
        "seed": seed,
        "data": {"source": "folder", "fit": 20, "test": len(before)},
        "injected": 0 if strategy == "none" else 10,
        "steps": 100,
        "after": {"repaired_share": 0.5},
    }
    run = folder / f"{strategy}-{seed}"
    run.mkdir(parents=True)
    write_items(run / "items.npz", splits)
    (run / "summary.json").write_text(json.dumps(told | summary))
    return run


def runs_of(right, *, contrasts=(), values=None, indices=None):
    """Return runs from {(arm, seed): (before, after)}, each (N,) bool.

    ``values`` has numbers of the summary by run, ``indices`` the items by seed.
    """
    runs = []
    for (arm, seed), (before, after) in right.items():
        index = np.arange(len(before)) if indices is None else indices[seed]
        answers = Answers(index, index % 3, np.array(before, bool), np.array(after, bool))
        told = dict.fromkeys(("repaired_share", "targets_share", "targets_right"), float("nan"))
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
