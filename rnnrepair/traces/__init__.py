"""Traces: what every sequence does to the network, step by step."""

from rnnrepair.traces.hidden import HiddenBatch, device_of, evaluating, hidden_states
from rnnrepair.traces.runs import merge_runs
from rnnrepair.traces.traces import Traces

__all__ = [
    "HiddenBatch",
    "Traces",
    "device_of",
    "evaluating",
    "hidden_states",
    "merge_runs",
]
