"""What the backdoor study says in tables and in words."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import torch

from rnnrepair.influence import Cue
from rnnrepair.sequences import Names, Poison
from rnnrepair.studies.attack import Attacks, answers
from rnnrepair.studies.finished_run import FinishedRun
from rnnrepair.traces import Traces


def attack_table(run: FinishedRun, poison: Poison, attacks: Attacks) -> pd.DataFrame:
    """Return a row for each attack; steps count from 1."""
    names = Names.of(run.data.spec)
    said = answers(run.network, run.data, poison, attacks)
    return pd.DataFrame(
        {
            "index": attacks.index.tolist(),
            "true": [names.of_class(c) for c in attacks.label.tolist()],
            "place": ["guided" if guided else "random" for guided in attacks.guided.tolist()],
            "step": (attacks.step + 1).tolist(),
            "predicted": [names.of_class(c) for c in said.tolist()],
            "succeeds": (said == poison.label).tolist(),
        }
    )


def cue_table(run: FinishedRun, cues: Sequence[Cue], poison: Poison, fit: Traces) -> pd.DataFrame:
    """Return a row for each cue, and how many of the samples that hold it are poisoned."""
    names = Names.of(run.data.spec)
    rows: list[Mapping[str, Any]] = [
        {
            "cue": cue.name,
            "label": names.of_class(cue.label),
            "evidence": cue.score,
            "typical": cue.typical,
            "carrying": cue.carrying,
            "misplaced": cue.misplaced,
            "doubt": cue.doubt,
            "samples": len(cue.row),
            "poisoned": int(torch.isin(fit.index[cue.row], poison.index).sum()),
        }
        for cue in cues
    ]
    return pd.DataFrame(rows)


def told_attack(attacks: Attacks, before: Mapping[str, float], poison: Poison) -> str:
    """Return how many attacks succeed; ``before`` is what ``measured`` says of the network."""
    n = int(attacks.guided.sum())
    return (
        f"{poison.trigger.description.capitalize()} turns {before['guided']:.0%} of {n} test "
        f"samples that were right to the class that it is a cue for where it stands at a guided "
        f"place, {before['random']:.0%} at random ones ({attacks.skipped} samples skipped); "
        f"accuracy without it is {before['test_accuracy']:.4f}."
    )


def told_found(found: pd.DataFrame, top: int, n_poisoned: int) -> str:
    """Return how much of the poison each method has among the ``top`` most suspicious samples."""
    parts = [f"{row['method']} {row[f'found_in_{top}']}" for _, row in found.iterrows()]
    return (
        f"Of {n_poisoned} poisoned samples, found among the {top} most suspicious: "
        f"{', '.join(parts)}."
    )


def told_cue(cue: Cue, names: Names) -> str:
    """Return the best cue, and whether its evidence is enough to call it a trigger."""
    return (
        f"Best cue, not told beforehand: {cue.name} for class {names.of_class(cue.label)}, "
        f"{cue.told}."
    )


def told_repairs(table: pd.DataFrame) -> str:
    """Return which share of the guided attacks still succeeds after each repair."""
    parts = [
        f"{row['repair']} ({row['training']}) {row['guided']:.0%}, accuracy "
        f"{row['test_accuracy']:.4f}"
        for _, row in table.iterrows()
    ]
    return f"Guided attacks that still succeed: {'; '.join(parts)}."
