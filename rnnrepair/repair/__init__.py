"""Repair: new training samples made from the influential ones, and what they change."""

from rnnrepair.repair.contrast import ContrastRepair
from rnnrepair.repair.controls import FailureRepair, InfluenceRepair, NoRepair, RandomRepair
from rnnrepair.repair.edits import IDENTITY, Edit, Mutation
from rnnrepair.repair.graft import Pick, graft, grafted, marked, proposal_of
from rnnrepair.repair.guided import GuidedRepair
from rnnrepair.repair.image_mutation import ImageMutation
from rnnrepair.repair.judge import trace_inputs
from rnnrepair.repair.ledger import LedgerRow, ledger_rows, read_ledger, write_ledger
from rnnrepair.repair.outcome import Outcome, Predictions, predict
from rnnrepair.repair.proposal import Proposal, RepairContext, RepairStrategy
from rnnrepair.repair.rounds import StopReason, reason_to_stop
from rnnrepair.repair.segment_controls import (
    InsertionRepair,
    RandomContextRepair,
    RandomSampleRepair,
)
from rnnrepair.repair.series_mutation import SeriesMutation
from rnnrepair.repair.token_mutation import TokenMutation

__all__ = [
    "IDENTITY",
    "ContrastRepair",
    "Edit",
    "FailureRepair",
    "GuidedRepair",
    "ImageMutation",
    "InfluenceRepair",
    "InsertionRepair",
    "LedgerRow",
    "Mutation",
    "NoRepair",
    "Outcome",
    "Pick",
    "Predictions",
    "Proposal",
    "RandomContextRepair",
    "RandomRepair",
    "RandomSampleRepair",
    "RepairContext",
    "RepairStrategy",
    "SeriesMutation",
    "StopReason",
    "TokenMutation",
    "graft",
    "grafted",
    "ledger_rows",
    "marked",
    "predict",
    "proposal_of",
    "read_ledger",
    "reason_to_stop",
    "trace_inputs",
    "write_ledger",
]
