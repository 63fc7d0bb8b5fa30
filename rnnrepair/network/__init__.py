"""Networks: the one view of a module that every analysis goes through."""

from rnnrepair.network.answers import AnswerInTraining, decoded
from rnnrepair.network.cells import LayerStates, run_cells
from rnnrepair.network.evaluating import device_of, evaluating
from rnnrepair.network.logits import logits_of, margin_of
from rnnrepair.network.predictions import Predictions
from rnnrepair.network.prefixes import Readout
from rnnrepair.network.stream import HiddenBatch, hidden_batch
from rnnrepair.network.traced import TracedNetwork, TracingModule
from rnnrepair.network.verified import verified

__all__ = [
    "AnswerInTraining",
    "HiddenBatch",
    "LayerStates",
    "Predictions",
    "Readout",
    "TracedNetwork",
    "TracingModule",
    "decoded",
    "device_of",
    "evaluating",
    "hidden_batch",
    "logits_of",
    "margin_of",
    "run_cells",
    "verified",
]
