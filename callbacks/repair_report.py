"""Tests the unrepaired and the repaired network and tells people what happened."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import pytorch_lightning as pl
from typing_extensions import override

from rnnrepair.callbacks.analysis import (
    AnalysisCallback,
    log,
    on_device,
    output_folder,
    upstream,
)
from rnnrepair.callbacks.base_checkpoint import BaseCheckpoint
from rnnrepair.callbacks.influence_analysis import InfluenceAnalysis
from rnnrepair.callbacks.pattern_outcome import found_patterns
from rnnrepair.callbacks.repair_effort import effort_of, seconds_of
from rnnrepair.callbacks.repair_injection import RepairInjection
from rnnrepair.callbacks.report_notes import (
    behind_notes,
    ended_notes,
    found_notes,
    rounds_left,
    unfinished_notes,
)
from rnnrepair.callbacks.state_abstraction import StateAbstraction
from rnnrepair.callbacks.trace_collector import TraceCollector, repairable_data
from rnnrepair.callbacks.unrepaired import Unrepaired
from rnnrepair.callbacks.wandb.tables import log_tables
from rnnrepair.callbacks.way_between import way_between
from rnnrepair.network import Predictions
from rnnrepair.protocols import (
    RepairableData,
    corrections_of,
    groups_of_samples,
    labels_of_samples,
    names_of_samples,
)
from rnnrepair.record import (
    SUSPECTS,
    AnalysedEpoch,
    Contrast,
    Interpolation,
    Repair,
    RunRecord,
    SplitAnswers,
    numbers_of,
    shown_roles,
    summary_of,
    write_curve,
    write_summary,
    write_suspects,
)
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
        self._unrepaired: Unrepaired | None = None
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
        if accuracy is not None and self._unrepaired is None and not trainer.sanity_checking:
            self._val_accuracies.append(float(accuracy))

    @override
    def analyse(self, trainer: pl.Trainer, pl_module: pl.LightningModule, epoch: int) -> None:
        """Remember the unrepaired network's predictions, and what this round has done."""
        if self._unrepaired is None:
            answers = self._predict(trainer)
            for note in self._found_notes(repairable_data(trainer), answers["val"]):
                log.warning("%s", note)
            for predicted in answers.values():
                SplitAnswers.of(predicted, predicted)  # refused now, not once training has ended
            found = Unrepaired(answers)
            self._unrepaired = found.seen_by(trainer, self, self.max_cards, self.seed)
        self._history.append(self._row(trainer, epoch))

    def _found_notes(self, data: RepairableData, val: Predictions) -> tuple[str, ...]:
        return found_notes(data, val, self._val_accuracies, self.monitor, self.base_length)

    def _predict(self, trainer: pl.Trainer) -> dict[str, Predictions]:
        network, data = upstream(trainer, TraceCollector, self).network, repairable_data(trainer)
        return {split: network.predict(data.loader(split)) for split in (*SPLITS, *data.more_tests)}

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
        if self._unrepaired is None:
            log.warning(
                "No epoch was analysed, so there is nothing to report: training ended after %d "
                "epochs, before its first analysis, due after %d (max_epochs=%s; early stopping "
                "and limits of the trainer end it sooner).",
                trainer.current_epoch,
                upstream(trainer, TraceCollector, self).calendar.start,
                trainer.max_epochs,
            )
            return
        data, ledger = repairable_data(trainer), upstream(trainer, RepairInjection, self).ledger
        with on_device(trainer, pl_module):
            repair = self._repair(trainer, pl_module, self._unrepaired)
        record = self._record(trainer, repair, self._unrepaired)
        record.save(self._folder)
        write_summary(record, self._folder)
        if repair.interpolation is not None:
            write_curve(repair.interpolation, self._folder)
        suspects, names = self._unrepaired.suspects, names_of_samples(data)
        path = self._folder / SUSPECTS
        if not write_suspects(suspects, Names.of(data.spec), names, path):
            log.info("%s has been filled in, and stays as it is.", path)
        page = write_page(self._folder, data)
        write_pattern_figure(self._folder, data)
        print_summary(record, data)
        left = rounds_left(upstream(trainer, RepairInjection, self).campaign, self.monitor)
        if left is not None:
            log.info("%s", left)
        print_failures(repair, data)
        log.info("Report: %s", page)
        self.summary = summary_of(record)
        self.log_metrics(trainer, numbers_of(self.summary))
        log_tables(trainer, repair, ledger, data)

    def _record(self, trainer: pl.Trainer, repair: Repair, unrepaired: Unrepaired) -> RunRecord:
        injection, data = upstream(trainer, RepairInjection, self), repairable_data(trainer)
        strategy, said = injection.called, corrections_of(data)
        names = Names.of(data.spec)
        ended = ended_notes(
            repair.answers["val"],
            injection.strategy.given_up,
            injection.ledger,
            self.monitor,
            self._folder,
            [names.of_class(c) for c in range(data.spec.n_classes)],
        )
        unfinished = unfinished_notes(
            injection.ledger,
            trainer.current_epoch,
            upstream(trainer, TraceCollector, self).calendar.start,
            starts_anew=injection.strategy.starts_anew,
        )
        behind = behind_notes(repair.answers["val"], repair.answers["test"])
        ended = (*injection.strategy.notes, *unfinished, *ended, *behind)
        for note in ended:
            log.warning("%s", note)
        return RunRecord(
            experiment=self.experiment,
            seed=self.seed,
            strategy=strategy,
            arm=self.arm or strategy,
            contrasts=self.contrasts,
            notes=(*self.notes, *self._found_notes(data, unrepaired.answers["val"]), *ended),
            network=upstream(trainer, TraceCollector, self).network.describe(),
            source=data.source,
            sizes={split: len(data.indices(split)) for split in ("fit", *repair.answers)},
            repair=repair,
            monitor=self.monitor.value,
            class_sizes=self._class_sizes,
            corrections=None if said is None else said.plain(),
            class_names=tuple(data.spec.class_names),
        )

    def _repair(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, unrepaired: Unrepaired
    ) -> Repair:
        injection = upstream(trainer, RepairInjection, self)
        before, after = unrepaired.answers, self._predict(trainer)
        groups = groups_of_samples(repairable_data(trainer))
        answers = {s: SplitAnswers.of(before[s], after[s], groups) for s in after}
        suspects = tuple(suspect for suspect in unrepaired.suspects if not suspect.explained)
        way = way_between(trainer, pl_module, self, before, after) if self.interpolate else None
        return Repair(
            trained_on=injection.trains_on_repair,
            history=tuple(self._history),
            answers=answers,
            targets=unrepaired.targets,
            failures=unrepaired.failures_with(injection.ledger),
            effort=effort_of(trainer, injection),
            seconds=seconds_of(trainer, self, self._total_seconds()),
            epochs=trainer.current_epoch,
            suspects=suspects[: self.max_cards],
            n_suspects=len(suspects),
            shared=unrepaired.shared,
            n_far=unrepaired.n_far,
            patterns=found_patterns(trainer, self, answers),
            interpolation=None if way is None else Interpolation.of(way, self.monitor),
        )

    def _total_seconds(self) -> float:
        return self._earlier_seconds + time.perf_counter() - self._start

    @override
    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {
            "unrepaired": None if self._unrepaired is None else self._unrepaired.plain,
            "history": [asdict(row) for row in self._history],
            "val_accuracies": self._val_accuracies,
            "total_seconds": self._total_seconds(),
        }

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        unrepaired = state_dict["unrepaired"]
        self._unrepaired = None if unrepaired is None else Unrepaired.of_plain(unrepaired)
        self._history = [AnalysedEpoch(**row) for row in state_dict["history"]]
        self._val_accuracies = state_dict["val_accuracies"]
        self._earlier_seconds = state_dict["total_seconds"]


def _class_sizes(data: RepairableData) -> tuple[int, ...]:
    """Return how many training samples each class has."""
    label = labels_of_samples(data, data.indices("fit"))
    return tuple(label.bincount(minlength=data.spec.n_classes).tolist())
