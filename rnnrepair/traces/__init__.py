"""Traces: what every sequence does to the network, step by step."""

from rnnrepair.traces.batch import RecurrentOutput, SequenceBatch
from rnnrepair.traces.hidden import HiddenBatch, device_of, evaluating, hidden_states
from rnnrepair.traces.traces import Traces, smallest_int, steps_of

__all__ = [
    "HiddenBatch",
    "RecurrentOutput",
    "SequenceBatch",
    "Traces",
    "device_of",
    "evaluating",
    "hidden_states",
    "smallest_int",
    "steps_of",
]
