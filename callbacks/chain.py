"""The chain of a repair, for programs of one's own."""

from pathlib import Path
from typing import Any

from pytorch_lightning import Callback

from rnnrepair.abstraction import AbstractionSettings
from rnnrepair.callbacks.anchor import Anchor
from rnnrepair.callbacks.base_checkpoint import BaseCheckpoint
from rnnrepair.callbacks.calendar import Calendar
from rnnrepair.callbacks.epoch_timer import EpochTimer
from rnnrepair.callbacks.from_scratch import FromScratch
from rnnrepair.callbacks.influence_analysis import InfluenceAnalysis
from rnnrepair.callbacks.repair_injection import RepairInjection
from rnnrepair.callbacks.repair_report import RepairReport
from rnnrepair.callbacks.state_abstraction import StateAbstraction
from rnnrepair.callbacks.trace_collector import TraceCollector
from rnnrepair.callbacks.training_dynamics import TrainingDynamicsRecorder
from rnnrepair.edits import EditFamily
from rnnrepair.errors import ConfigurationError
from rnnrepair.influence import InfluenceMethod
from rnnrepair.network.calls import Call
from rnnrepair.repair import RepairStrategy
from rnnrepair.scores import Monitor


def repair_chain(
    *,
    start_epoch: int,
    rounds: int = 8,
    every_n_epochs: int = 1,
    strategy: RepairStrategy | None = None,
    edit: EditFamily | None = None,
    budget: int = 10,
    settings: AbstractionSettings | None = None,
    method: InfluenceMethod | None = None,
    tap: str | None = None,
    call: Call | None = None,
    experiment: str = "",
    output_dir: str | None = None,
    monitor: str = Monitor.ACCURACY,
    anchor: float = 0.0,
    interpolate: bool = False,
    seed: int = 0,
    arm: str | None = None,
    **injection: Any,
) -> list[Callback]:
    """Return the callbacks that record, analyse, repair and report, in their order.

    Args:
        start_epoch: completed epochs before the first round.
        rounds: of repair.
        every_n_epochs: epochs between rounds.
        strategy: makes the samples; ``GuidedRepair`` where None.
        edit: family of edits that keep the labels of the data; needed by strategies that edit.
        budget: samples per failure of the unrepaired network and round.
        settings: how hidden states are grouped.
        method: finds the training samples behind failures; ``StateSimilarity`` where None.
        tap: name of the layer whose outputs are the states; found where None.
        call: calls the network with a batch; found where None.
        experiment: name of the run, for its summary.
        output_dir: gets summary.json, report.html and the rest; the trainer's root where None.
        monitor: the score on val that decides when the repair stops, see ``Monitor``.
        anchor: weight of the term that holds the network near the unrepaired one, see ``Anchor``.
        interpolate: see ``RepairReport``. For this and for an anchor ``output_dir`` must be given,
            and keeps the unrepaired network in ``checkpoints/base.ckpt``.
        seed: of edits and parents; runs are compared by it.
        arm: what the run is called where runs are compared; the strategy's name where None.
        **injection: see ``RepairInjection`` (patience, max_share ...).

    Raises:
        ConfigurationError: there is no ``output_dir`` to keep the unrepaired network in.

    Returns:
        Callbacks for ``pl.Trainer(callbacks=...)``, which must also be told
        ``reload_dataloaders_every_n_epochs=1``, or it never sees the injected samples.
    """
    base = [_base(output_dir, start_epoch)] if interpolate or anchor else []
    end = start_epoch + (rounds - 1) * every_n_epochs
    calendar = Calendar(start_epoch, every_n_epochs, end)
    return [
        TrainingDynamicsRecorder(),
        *base,
        *([Anchor(anchor)] if anchor else []),
        TraceCollector(calendar, tap, call),
        StateAbstraction(settings, output_dir),
        InfluenceAnalysis(method, output_dir=output_dir),
        RepairInjection(
            strategy,
            edit,
            budget,
            rounds=rounds,
            output_dir=output_dir,
            monitor=monitor,
            seed=seed,
            **injection,
        ),
        *([FromScratch()] if strategy is not None and strategy.starts_anew else []),
        EpochTimer(),
        RepairReport(
            experiment,
            seed,
            output_dir,
            arm=arm,
            monitor=monitor,
            interpolate=interpolate,
        ),
    ]


def _base(output_dir: str | None, start_epoch: int) -> BaseCheckpoint:
    if output_dir is None:
        raise ConfigurationError(
            "output_dir: expected a folder, which keeps the unrepaired network, got None: give "
            "one, such as output_dir='outputs/own'."
        )
    return BaseCheckpoint(Path(output_dir).resolve() / "checkpoints" / "base.ckpt", start_epoch)
