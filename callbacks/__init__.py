"""Lightning glue: thin callbacks, every number comes from a pure function in ``rnnrepair``."""

from callbacks.base_checkpoint import BaseCheckpoint
from callbacks.epoch_seed import EpochSeed
from callbacks.epoch_timer import EpochTimer
from callbacks.from_scratch import FromScratch
from callbacks.influence_analysis import InfluenceAnalysis
from callbacks.repair_injection import RepairInjection
from callbacks.repair_report import RepairReport
from callbacks.state_abstraction import StateAbstraction
from callbacks.study_runner import StudyRunner, run_studies
from callbacks.target_curve import TargetCurve
from callbacks.trace_collector import TraceCollector

__all__ = [
    "BaseCheckpoint",
    "EpochSeed",
    "EpochTimer",
    "FromScratch",
    "InfluenceAnalysis",
    "RepairInjection",
    "RepairReport",
    "StateAbstraction",
    "StudyRunner",
    "TargetCurve",
    "TraceCollector",
    "run_studies",
]
