"""Traces: what every sequence does to the network, step by step."""

from rnnrepair.traces.runs import merge_runs
from rnnrepair.traces.traces import Traces

__all__ = ["Traces", "merge_runs"]
