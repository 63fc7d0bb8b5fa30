"""Gathers what the report shows of single failures."""

import pytorch_lightning as pl
import torch
from pytorch_lightning import Callback

from callbacks.analysis import upstream
from callbacks.influence_analysis import InfluenceAnalysis
from callbacks.repair_injection import RepairInjection
from callbacks.trace_collector import repairable_data
from rnnrepair.influence import responsible_step
from rnnrepair.report import FailureCard

SHOWN = 8


def failure_cards(trainer: pl.Trainer, reader: Callback, at_most: int) -> list[FailureCard]:
    """Return a card for each of the first failures of the round that was just made."""
    influence = upstream(trainer, InfluenceAnalysis, reader).influence
    if influence is None:
        return []
    data = repairable_data(trainer)
    ledger = upstream(trainer, RepairInjection, reader).ledger
    failures, step = influence.failures, responsible_step(influence.failures)
    cards = []
    for row in range(min(at_most, len(failures))):
        index = failures.index[row : row + 1]
        found = influence.nearest[row, :SHOWN]
        found = found[found >= 0]
        nearest = data.fetch(found)
        new_id = [entry.new_id for entry in ledger if entry.failure_id == int(index)][:SHOWN]
        one = failures.select(torch.tensor([row]))
        cards.append(
            FailureCard(
                index=int(index),
                label=int(one.label),
                predicted=int(one.final_prediction),
                inputs=data.fetch(index).inputs[0].clone(),
                states=one.state.long(),
                predictions=one.prediction.long(),
                step=int(step[row]),
                nearest=nearest.inputs,
                nearest_label=nearest.label,
                nearest_distance=influence.nearest_distance[row, : len(found)].clone(),
                injected=data.fetch(torch.tensor(new_id, dtype=torch.int64)).inputs,
            )
        )
    return cards
