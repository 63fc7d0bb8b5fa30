"""Traces of sequences that are not in the data set: the candidates of a repair."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from rnnrepair.abstraction import AbstractModel, ReducedStates
from rnnrepair.sequences import RecurrentOutput, SequenceBatch
from rnnrepair.traces import Traces, hidden_states

JUDGE_BATCH = 500


def trace_inputs(
    trace: Callable[[SequenceBatch], RecurrentOutput],
    model: AbstractModel,
    inputs: Tensor,
    lengths: Tensor,
    device: torch.device,
) -> Traces:
    """Return the traces of (n, T, F) inputs; their index is their row, their label 0."""

    def batches() -> Iterator[SequenceBatch]:
        for rows in torch.arange(len(inputs)).split(JUDGE_BATCH):
            yield SequenceBatch(rows, inputs[rows], lengths[rows], torch.zeros_like(rows))

    stream = hidden_states(trace, batches(), device)
    reduced = ReducedStates.collect(stream, model.reduction, model.n_classes)
    return reduced.traces(model.mixture, model.n_classes)
