"""Repair: training samples that are made or mended, and what they change."""

from rnnrepair.repair.anchor import KeptAnswers, anchor_term
from rnnrepair.repair.campaign import Campaign
from rnnrepair.repair.clean import CleanLabels
from rnnrepair.repair.clean_from_start import CleanFromStart
from rnnrepair.repair.clean_then import CleanThen
from rnnrepair.repair.contrast import ContrastRepair
from rnnrepair.repair.controls import (
    ClassRepair,
    FailureRepair,
    FitFailureRepair,
    InfluenceRepair,
    MutatedFailureRepair,
    NoRepair,
    RandomRepair,
    TrainOnAll,
)
from rnnrepair.repair.counterfactual import CounterfactualRepair
from rnnrepair.repair.failures_from_start import FailuresFromStart
from rnnrepair.repair.graft import Pick, graft, grafted, marked, part, proposal_of, word
from rnnrepair.repair.group_from_start import GroupFromStart
from rnnrepair.repair.guided import GuidedRepair, HardRepair
from rnnrepair.repair.interpolation import Curve, curve_of, interpolated
from rnnrepair.repair.judge import trace_inputs
from rnnrepair.repair.ledger import (
    LedgerRow,
    ledger_of,
    ledger_rows,
    ledger_text,
    read_ledger,
    rounds_held,
    taken_back,
    write_ledger,
)
from rnnrepair.repair.lost_rounds import lost_by_mending, lost_by_patterns
from rnnrepair.repair.mend import Action, Mend
from rnnrepair.repair.outcome import Outcome
from rnnrepair.repair.pattern import PatternRepair
from rnnrepair.repair.pattern_from_start import PatternFromStart
from rnnrepair.repair.phrase import PhraseRepair, PhrasesFromStart, RandomPhraseRepair
from rnnrepair.repair.proposal import Proposal, RepairContext, Sought
from rnnrepair.repair.propose_for import propose_for
from rnnrepair.repair.rebuild import rebuild
from rnnrepair.repair.segment_controls import (
    InsertionRepair,
    RandomContextRepair,
    RandomSampleRepair,
)
from rnnrepair.repair.stop_reason import StopReason
from rnnrepair.repair.strategy import RepairStrategy
from rnnrepair.repair.teachers import Teachers, write_label_or_task

__all__ = [
    "Action",
    "Campaign",
    "ClassRepair",
    "CleanFromStart",
    "CleanLabels",
    "CleanThen",
    "ContrastRepair",
    "CounterfactualRepair",
    "Curve",
    "FailureRepair",
    "FailuresFromStart",
    "FitFailureRepair",
    "GroupFromStart",
    "GuidedRepair",
    "HardRepair",
    "InfluenceRepair",
    "InsertionRepair",
    "KeptAnswers",
    "LedgerRow",
    "Mend",
    "MutatedFailureRepair",
    "NoRepair",
    "Outcome",
    "PatternFromStart",
    "PatternRepair",
    "PhraseRepair",
    "PhrasesFromStart",
    "Pick",
    "Proposal",
    "RandomContextRepair",
    "RandomPhraseRepair",
    "RandomRepair",
    "RandomSampleRepair",
    "RepairContext",
    "RepairStrategy",
    "Sought",
    "StopReason",
    "Teachers",
    "TrainOnAll",
    "anchor_term",
    "curve_of",
    "graft",
    "grafted",
    "interpolated",
    "ledger_of",
    "ledger_rows",
    "ledger_text",
    "lost_by_mending",
    "lost_by_patterns",
    "marked",
    "part",
    "proposal_of",
    "propose_for",
    "read_ledger",
    "rebuild",
    "rounds_held",
    "taken_back",
    "trace_inputs",
    "word",
    "write_label_or_task",
    "write_ledger",
]
