"""Traces of sequences that are not in the data set: the candidates of a repair."""

from collections.abc import Iterator
from dataclasses import replace

import torch

from rnnrepair.abstraction import AbstractModel, ReducedStates
from rnnrepair.network import TracedNetwork
from rnnrepair.sequences import SequenceBatch
from rnnrepair.traces import Traces

JUDGE_BATCH = 500


def trace_inputs(network: TracedNetwork, model: AbstractModel, candidates: SequenceBatch) -> Traces:
    """Return the traces of n candidates; their index is their row, their label 0."""

    def batches() -> Iterator[SequenceBatch]:
        for rows in torch.arange(len(candidates)).split(JUDGE_BATCH):
            yield replace(candidates.rows(rows), index=rows, label=torch.zeros_like(rows))

    reduced = ReducedStates.collect(
        network.steps(batches(), model.reduction.to(network.device)), model.n_classes
    )
    return reduced.traces(model.mixture, model.n_classes)
