"""Tests the unrepaired and the repaired network and tells people what happened."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import pytorch_lightning as pl
import torch
from typing_extensions import override

from rnnrepair.callbacks.analysis import AnalysisCallback, log, output_folder, upstream
from rnnrepair.callbacks.base_checkpoint import BaseCheckpoint
from rnnrepair.callbacks.epoch_timer import EpochTimer
from rnnrepair.callbacks.influence_analysis import InfluenceAnalysis
from rnnrepair.callbacks.pattern_outcome import found_patterns
from rnnrepair.callbacks.repair_effort import effort_of
from rnnrepair.callbacks.repair_injection import RepairInjection
from rnnrepair.callbacks.report_notes import ended_notes, found_notes
from rnnrepair.callbacks.state_abstraction import StateAbstraction
from rnnrepair.callbacks.trace_collector import TraceCollector, repairable_data
from rnnrepair.callbacks.wandb.tables import log_tables
from rnnrepair.influence import SharedValue
from rnnrepair.network import Predictions
from rnnrepair.protocols import (
    RepairableData,
    Split,
    corrections_of,
    labels_of_samples,
    names_of_samples,
)
from rnnrepair.record import (
    AnalysedEpoch,
    Contrast,
    Failure,
    Interpolation,
    Repair,
    RunRecord,
    Seconds,
    SplitAnswers,
    Suspect,
    gather_failures,
    gather_suspects,
    numbers_of,
    shown_roles,
    summary_of,
    with_evidence,
    write_curve,
    write_summary,
    write_suspects,
)
from rnnrepair.repair import LedgerRow, StopReason, curve_of
from rnnrepair.report import print_failures, print_summary, write_page, write_pattern_figure
from rnnrepair.scores import Monitor, unequal_classes
from rnnrepair.sequences import Names
from rnnrepair.settings import check_settings, one_of

SPLITS = ("repair", "val", "test")


class RepairReport(AnalysisCallback):
    """Predicts every split before the first repair and after training, and writes the record.

    All else is made of the record: ``summary.json`` for programs, ``report.html`` and a table on
    the terminal for people. The test split is predicted, never used for a choice.
    """

    reads = (TraceCollector, StateAbstraction, InfluenceAnalysis, RepairInjection)

    def __init__(
        self,
        experiment: str = "",
        seed: int = 0,
        output_dir: str | None = None,
        max_cards: int = 24,
        arm: str | None = None,
        contrasts: Sequence[Mapping[str, str]] = (),
        notes: tuple[str, ...] = (),
        monitor: Annotated[str, one_of(Monitor)] = Monitor.ACCURACY,
        base_length: str = "start_epoch",
        interpolate: bool = False,
    ) -> None:
        """Choose what is reported.

        Args:
            experiment: name of the run, for the summary.
            seed: of the run, for the summary.
            output_dir: of the run; the trainer's root where None.
            max_cards: failures shown with their samples.
            arm: what the run is called where runs are compared; the strategy's name where None.
            contrasts: the comparisons that are named in advance, for the summary: mappings with
                the arms ``of`` and ``against``, and the ``metric``.
            notes: warnings that must stand in every output, such as a leaking protocol.
            monitor: the score that chooses on val, see ``Monitor``.
            base_length: what a user raises to train longer before the first repair, for a hint.
            interpolate: look, once training has ended, at the networks between the unrepaired and
                the final one too (``rnnrepair.repair.interpolated``); seven passes over val and
                the test splits. The trainer needs a ``BaseCheckpoint``.

        Raises:
            SettingsError: no such score.
        """
        check_settings(RepairReport, locals())
        super().__init__()
        self.experiment = experiment
        self.seed = seed
        self.output_dir = output_dir
        self.max_cards = max_cards
        self.arm = arm
        self.contrasts = tuple(Contrast(**contrast) for contrast in contrasts)
        self.notes = tuple(notes)
        self.monitor = Monitor(monitor)
        self.base_length = base_length
        self.interpolate = interpolate
        self.summary: dict[str, Any] = {}
        # On val after each epoch before the first repair, where the network logs it.
        self._val_accuracies: list[float] = []
        self._before: dict[str, Predictions] = {}
        self._targets = torch.empty(0, dtype=torch.int64)
        self._failures: tuple[Failure, ...] = ()
        self._suspects: tuple[Suspect, ...] = ()
        self._shared: tuple[SharedValue, ...] = ()
        self._n_far = 0
        self._class_sizes: tuple[int, ...] = ()
        self._history: list[AnalysedEpoch] = []
        self._start = time.perf_counter()
        self._earlier_seconds = 0.0
        self._folder = Path()

    @override
    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        super().setup(trainer, pl_module, stage)
        if stage == "fit":
            data = repairable_data(trainer)
            upstream(trainer, InfluenceAnalysis, self).look_for(shown_roles(data.spec.kind))
            self._class_sizes = _class_sizes(data)
            names = Names.of(data.spec)
            called = [names.of_class(c) for c in range(data.spec.n_classes)]
            hint = unequal_classes(self._class_sizes, called)
            if hint is not None and self.monitor == Monitor.ACCURACY:
                log.warning("%s", hint)
            self._folder = output_folder(trainer, self.output_dir)
            self._start = time.perf_counter()
            if self.interpolate:
                upstream(trainer, BaseCheckpoint, self)

    @override
    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        super().on_fit_start(trainer, pl_module)
        last = trainer.max_epochs
        if last is not None and 0 <= last <= self._loaded_epochs and self._loaded_epochs:
            log.warning(
                "Nothing is left to train: the checkpoint has made %d epochs (max_epochs=%d), so "
                "only the report is written again. Raise max_epochs to train longer; for further "
                "rounds of repair begin anew with more rounds.",
                self._loaded_epochs,
                last,
            )

    @override
    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.interpolate:
            upstream(trainer, BaseCheckpoint, self).check_kept(trainer, "interpolate")

    @override
    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        accuracy = trainer.callback_metrics.get("val/accuracy")
        if accuracy is not None and not self._before and not trainer.sanity_checking:
            self._val_accuracies.append(float(accuracy))

    @override
    def analyse(self, trainer: pl.Trainer, pl_module: pl.LightningModule, epoch: int) -> None:
        """Remember the unrepaired network's predictions, and what this round has done."""
        if not self._before:
            self._before = self._predict(trainer)
            for note in self._found_notes(repairable_data(trainer)):
                log.warning("%s", note)
            for predicted in self._before.values():
                SplitAnswers.of(predicted, predicted)  # refused now, not once training has ended
            self._remember_failures(trainer)
            self._remember_suspects(trainer)
        self._history.append(self._row(trainer, epoch))

    def _found_notes(self, data: RepairableData) -> tuple[str, ...]:
        val = self._before["val"]
        return found_notes(data, val, self._val_accuracies, self.monitor, self.base_length)

    def _remember_failures(self, trainer: pl.Trainer) -> None:
        evidence = upstream(trainer, InfluenceAnalysis, self).evidence
        if evidence is None:
            return
        # Labels as they were when the samples were found: a round may have changed some since.
        fit = upstream(trainer, InfluenceAnalysis, self).view.traces
        self._targets = evidence.failures.index
        self._failures = gather_failures(
            evidence,
            upstream(trainer, RepairInjection, self).ledger,
            lambda index: fit.label[torch.searchsorted(fit.index, index)],
            self.max_cards,
        )

    def _remember_suspects(self, trainer: pl.Trainer) -> None:
        source = upstream(trainer, InfluenceAnalysis, self)
        with self.timed():
            suspicion = source.suspicion()
            suspects = gather_suspects(
                suspicion, source.view, source.evidence, source.doubt(trainer)
            )
            shown = with_evidence(suspects, source.view, self.max_cards, self.seed)
        self._suspects = tuple(shown)
        self._shared, self._n_far = suspicion.shared, suspicion.n_far
        for value in self._shared:
            log.warning("%s.", value.told)

    def _predict(self, trainer: pl.Trainer) -> dict[str, Predictions]:
        network, data = upstream(trainer, TraceCollector, self).network, repairable_data(trainer)
        return {split: network.predict(data.loader(split)) for split in (*SPLITS, *data.more_tests)}

    def _interpolated(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        after: Mapping[Split, Predictions],
    ) -> Interpolation | None:
        """Return the way to the final network where it is asked for; ``after`` are its answers."""
        if not self.interpolate:
            return None
        network, data = upstream(trainer, TraceCollector, self).network, repairable_data(trainer)
        wanted = [split for split in after if split != "repair"]  # in the end it is trained on
        curve = curve_of(
            pl_module,
            upstream(trainer, BaseCheckpoint, self).weights(),
            lambda split: network.predict(data.loader(split)),
            {split: self._before[split] for split in wanted},
            {split: after[split] for split in wanted},
        )
        return Interpolation.of(curve, self.monitor)

    def _row(self, trainer: pl.Trainer, epoch: int) -> AnalysedEpoch:
        abstraction = upstream(trainer, StateAbstraction, self).abstraction
        return AnalysedEpoch(
            epoch=epoch,
            val_accuracy=abstraction.traces["val"].accuracy,
            repair_accuracy=abstraction.traces["repair"].accuracy,
            failures=upstream(trainer, InfluenceAnalysis, self).n_failures,
            injected=upstream(trainer, RepairInjection, self).n_injected,
            n_components=abstraction.model.n_states,
            stability=abstraction.stability.mean,
            n_empty=abstraction.stability.n_empty,
            drift=abstraction.drift,
        )

    @override
    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not self._before:
            log.warning(
                "No epoch was analysed, so there is nothing to report: training ended before "
                "its first analysis, due after %d epochs (max_epochs=%s).",
                upstream(trainer, TraceCollector, self).calendar.start,
                trainer.max_epochs,
            )
            return
        data, ledger = repairable_data(trainer), upstream(trainer, RepairInjection, self).ledger
        repair = self._repair(trainer, pl_module)
        record = self._record(trainer, repair)
        record.save(self._folder)
        write_summary(record, self._folder)
        if repair.interpolation is not None:
            write_curve(repair.interpolation, self._folder)
        write_suspects(self._suspects, Names.of(data.spec), names_of_samples(data), self._folder)
        page = write_page(self._folder, data)
        write_pattern_figure(self._folder, data)
        print_summary(record, data)
        self._tell_rounds_left(trainer)
        print_failures(repair, data)
        log.info("Report: %s", page)
        self.summary = summary_of(record)
        self.log_metrics(trainer, numbers_of(self.summary))
        log_tables(trainer, repair, ledger, data)

    def _tell_rounds_left(self, trainer: pl.Trainer) -> None:
        """Say which limit ended a repair before its last round, and what would move it."""
        campaign = upstream(trainer, RepairInjection, self).campaign
        reason = campaign.stop_reason
        if campaign.rounds_made >= campaign.rounds:
            return
        if reason == StopReason.NO_GAIN_ON_VAL and not campaign.was_rising:
            best, *_, last = campaign.since_best
            log.info(
                "%d of %d rounds were made: %s on val %s over the last %d, so more of them would "
                "not help.",
                campaign.rounds_made,
                campaign.rounds,
                self.monitor.value,
                f"fell from {best:.4f} to {last:.4f}" if last < best else f"stayed at {best:.4f}",
                len(campaign.since_best) - 1,
            )
        elif reason.advice:
            log.info(
                "%d of %d rounds were made: %s. For more, %s.",
                campaign.rounds_made,
                campaign.rounds,
                reason.message,
                reason.advice,
            )

    def _record(self, trainer: pl.Trainer, repair: Repair) -> RunRecord:
        injection, data = upstream(trainer, RepairInjection, self), repairable_data(trainer)
        strategy, said = injection.called, corrections_of(data)
        ended = ended_notes(
            *(repair.answers["val"], injection.strategy.given_up, injection.ledger),
            *(self.monitor, self._folder),
        )
        for note in ended:
            log.warning("%s", note)
        return RunRecord(
            experiment=self.experiment,
            seed=self.seed,
            strategy=strategy,
            arm=self.arm or strategy,
            contrasts=self.contrasts,
            notes=(*self.notes, *self._found_notes(data), *ended),
            network=upstream(trainer, TraceCollector, self).network.describe(),
            source=data.source,
            sizes={split: len(data.indices(split)) for split in ("fit", *repair.answers)},
            repair=repair,
            monitor=self.monitor.value,
            class_sizes=self._class_sizes,
            corrections=None if said is None else said.plain(),
            class_names=tuple(data.spec.class_names),
        )

    def _repair(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> Repair:
        injection = upstream(trainer, RepairInjection, self)
        after = self._predict(trainer)
        answers = {split: SplitAnswers.of(self._before[split], after[split]) for split in after}
        return Repair(
            trained_on=injection.trains_on_repair,
            history=tuple(self._history),
            answers=answers,
            targets=self._targets,
            failures=tuple(_with_what_holds(f, injection.ledger) for f in self._failures),
            effort=effort_of(trainer, injection),
            seconds=self._seconds(trainer),
            epochs=trainer.current_epoch,
            suspects=self._suspects[: self.max_cards],
            n_suspects=len(self._suspects),
            shared=self._shared,
            n_far=self._n_far,
            patterns=found_patterns(trainer, self, answers),
            interpolation=self._interpolated(trainer, pl_module, after),
        )

    def _seconds(self, trainer: pl.Trainer) -> Seconds:
        timers = [c for c in trainer.callbacks if isinstance(c, EpochTimer)]  # type: ignore[attr-defined]
        return Seconds(
            fit=sum(sum(t.epoch_seconds) for t in timers),
            collect=upstream(trainer, TraceCollector, self).seconds,
            abstract=upstream(trainer, StateAbstraction, self).seconds,
            influence=upstream(trainer, InfluenceAnalysis, self).seconds,
            generate=upstream(trainer, RepairInjection, self).seconds,
            total=self._total_seconds(),
            epoch=timers[0].mean_epoch_s if timers else None,
        )

    def _total_seconds(self) -> float:
        return self._earlier_seconds + time.perf_counter() - self._start

    @override
    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {
            "before": {
                split: {"index": p.index, "label": p.label, "predicted": p.predicted}
                for split, p in self._before.items()
            },
            "targets": self._targets,
            "failures": [failure.plain() for failure in self._failures],
            "suspects": [suspect.plain() for suspect in self._suspects],
            "shared": [value.plain() for value in self._shared],
            "n_far": self._n_far,
            "history": [asdict(row) for row in self._history],
            "val_accuracies": self._val_accuracies,
            "total_seconds": self._total_seconds(),
        }

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self._before = {
            split: Predictions(**fields) for split, fields in state_dict["before"].items()
        }
        self._targets = state_dict["targets"]
        self._failures = tuple(Failure.of_plain(told) for told in state_dict["failures"])
        # A base training that an earlier version has left in the cache does not know them.
        self._suspects = tuple(Suspect.of_plain(told) for told in state_dict.get("suspects", ()))
        self._shared = tuple(SharedValue.of_plain(told) for told in state_dict.get("shared", ()))
        self._n_far = state_dict.get("n_far", 0)
        self._history = [AnalysedEpoch(**row) for row in state_dict["history"]]
        self._val_accuracies = state_dict.get("val_accuracies", [])
        self._earlier_seconds = state_dict["total_seconds"]


def _with_what_holds(failure: Failure, ledger: Sequence[LedgerRow]) -> Failure:
    """Leave out samples of the first round that were taken back; later ones have their numbers."""
    first = {row.new_id for row in ledger if row.injected and row.round == 1}
    held = tuple(sample for sample in failure.injected if sample.index in first)
    return replace(failure, injected=held)


def _class_sizes(data: RepairableData) -> tuple[int, ...]:
    """Return how many training samples each class has."""
    label = labels_of_samples(data, data.indices("fit"))
    return tuple(label.bincount(minlength=data.spec.n_classes).tolist())
