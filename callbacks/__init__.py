"""Lightning glue: thin callbacks, every number comes from a pure function in ``rnnrepair``."""

from rnnrepair.callbacks.anchor import Anchor
from rnnrepair.callbacks.base_checkpoint import BaseCheckpoint
from rnnrepair.callbacks.calendar import Calendar
from rnnrepair.callbacks.chain import repair_chain
from rnnrepair.callbacks.epoch_seed import EpochSeed
from rnnrepair.callbacks.epoch_timer import EpochTimer
from rnnrepair.callbacks.final_average import FinalAverage
from rnnrepair.callbacks.from_scratch import FromScratch
from rnnrepair.callbacks.influence_analysis import InfluenceAnalysis
from rnnrepair.callbacks.label_or_task import LabelOrTask
from rnnrepair.callbacks.repair_injection import RepairInjection
from rnnrepair.callbacks.repair_report import RepairReport
from rnnrepair.callbacks.state_abstraction import StateAbstraction
from rnnrepair.callbacks.study_network import study_network
from rnnrepair.callbacks.study_runner import StudyRunner, run_studies
from rnnrepair.callbacks.target_curve import TargetCurve
from rnnrepair.callbacks.trace_collector import TraceCollector
from rnnrepair.callbacks.training_dynamics import TrainingDynamicsRecorder
from rnnrepair.callbacks.trajectory_recorder import TrajectoryRecorder

__all__ = [
    "Anchor",
    "BaseCheckpoint",
    "Calendar",
    "EpochSeed",
    "EpochTimer",
    "FinalAverage",
    "FromScratch",
    "InfluenceAnalysis",
    "LabelOrTask",
    "RepairInjection",
    "RepairReport",
    "StateAbstraction",
    "StudyRunner",
    "TargetCurve",
    "TraceCollector",
    "TrainingDynamicsRecorder",
    "TrajectoryRecorder",
    "repair_chain",
    "run_studies",
    "study_network",
]
