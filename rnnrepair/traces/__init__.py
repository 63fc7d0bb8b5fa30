"""Traces: what every sequence does to the network, step by step."""

from rnnrepair.traces.batch import RecurrentOutput, SequenceBatch
from rnnrepair.traces.hidden import HiddenBatch, device_of, evaluating, hidden_states
from rnnrepair.traces.runs import merge_runs
from rnnrepair.traces.traces import Traces, smallest_int, steps_of

__all__ = [
    "HiddenBatch",
    "RecurrentOutput",
    "SequenceBatch",
    "Traces",
    "device_of",
    "evaluating",
    "hidden_states",
    "merge_runs",
    "smallest_int",
    "steps_of",
]
