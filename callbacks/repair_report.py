"""Tests the unrepaired and the repaired network and tells people what happened."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from typing_extensions import override

from rnnrepair.callbacks.analysis import AnalysisCallback, log, output_folder, upstream
from rnnrepair.callbacks.epoch_timer import EpochTimer
from rnnrepair.callbacks.influence_analysis import InfluenceAnalysis
from rnnrepair.callbacks.repair_injection import RepairInjection
from rnnrepair.callbacks.report_inputs import failure_cards, names_of, shown_roles
from rnnrepair.callbacks.state_abstraction import StateAbstraction
from rnnrepair.callbacks.trace_collector import TraceCollector, repairable_data
from rnnrepair.callbacks.wandb.tables import log_tables
from rnnrepair.network import Predictions
from rnnrepair.repair import Outcome
from rnnrepair.report import (
    FailureCard,
    print_failures,
    print_summary,
    write_report,
    write_summary,
)
from rnnrepair.report.comparison import ITEMS_FILE, ItemPredictions, write_items

SPLITS = ("repair", "val", "test")


class RepairReport(AnalysisCallback):
    """Predicts every split before the first repair and after training, and writes the results.

    ``summary.json`` for programs, ``report.html`` and a table on the terminal for people. The
    test split is predicted, never used for a choice.
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
        """
        super().__init__()
        self.experiment = experiment
        self.seed = seed
        self.output_dir = output_dir
        self.max_cards = max_cards
        self.arm = arm
        self.contrasts = [dict(contrast) for contrast in contrasts]
        self.notes = tuple(notes)
        self.summary: dict[str, Any] = {}
        self._before: dict[str, Predictions] = {}
        self._targets = torch.empty(0, dtype=torch.int64)
        self._cards: list[FailureCard] = []
        self._history: list[dict[str, float]] = []
        self._start = time.perf_counter()
        self._earlier_seconds = 0.0
        self._folder = Path()

    @override
    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        super().setup(trainer, pl_module, stage)
        if stage == "fit":
            kind = repairable_data(trainer).spec.kind
            upstream(trainer, InfluenceAnalysis, self).look_for(shown_roles(kind))
            self._folder = output_folder(trainer, self.output_dir)
            self._start = time.perf_counter()

    @override
    def analyse(self, trainer: pl.Trainer, pl_module: pl.LightningModule, epoch: int) -> None:
        """Remember the unrepaired network's predictions, and what this round has done."""
        if not self._before:
            self._before = self._predict(trainer)
            evidence = upstream(trainer, InfluenceAnalysis, self).evidence
            if evidence is not None:
                self._targets = evidence.failures.index
            self._cards = failure_cards(trainer, self, self.max_cards)
        self._history.append(self._row(trainer, epoch))

    def _predict(self, trainer: pl.Trainer) -> dict[str, Predictions]:
        network, data = upstream(trainer, TraceCollector, self).network, repairable_data(trainer)
        return {
            split: network.predict(data.trace_dataloader(split))
            for split in (*SPLITS, *data.more_tests)
        }

    def _row(self, trainer: pl.Trainer, epoch: int) -> dict[str, float]:
        abstraction = upstream(trainer, StateAbstraction, self).abstraction
        injection = upstream(trainer, RepairInjection, self)
        return {
            "epoch": epoch,
            "val_accuracy": abstraction.traces["val"].accuracy,
            "repair_accuracy": abstraction.traces["repair"].accuracy,
            "failures": float(upstream(trainer, InfluenceAnalysis, self).n_failures),
            "injected": float(len(injection.ledger)),
            "n_components": float(abstraction.model.n_states),
            "stability": abstraction.stability.mean,
            "n_empty": float(abstraction.stability.n_empty),
            "drift": float("nan") if abstraction.drift is None else abstraction.drift,
        }

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
        after = self._predict(trainer)
        names = names_of(repairable_data(trainer))
        outcomes = {split: Outcome.of(self._before[split], after[split]) for split in after}
        self.summary = self._summarise(trainer, outcomes)
        targets = after["repair"].correct[torch.isin(after["repair"].index, self._targets)]
        self.summary["before"]["targets"] = len(targets)
        self.summary["after"]["targets_share"] = (
            float(targets.double().mean()) if len(targets) else None
        )
        write_summary(self.summary, self._folder / "summary.json")
        write_items(
            self._folder / ITEMS_FILE,
            {
                split: _items(self._before[split], after[split])
                for split in after
                if split not in {"repair", "val"}
            },
        )
        write_report(
            self._folder / "report.html",
            self.summary,
            self._history,
            self._cards,
            {split: (self._before[split], after[split]) for split in SPLITS},
            names,
        )
        print_summary(self.summary)
        print_failures(self._cards, after["repair"], names)
        self.log_metrics(trainer, _final_metrics(self.summary, outcomes))
        log_tables(trainer, upstream(trainer, RepairInjection, self).ledger, self._cards, names)

    def _summarise(self, trainer: pl.Trainer, outcomes: Mapping[str, Outcome]) -> dict[str, Any]:
        injection = upstream(trainer, RepairInjection, self)
        timers = [c for c in trainer.callbacks if isinstance(c, EpochTimer)]  # type: ignore[attr-defined]
        data = repairable_data(trainer)
        test, repair, val = outcomes["test"], outcomes["repair"], outcomes["val"]
        sizes = {split: len(data.split_index(split)) for split in ("fit", *outcomes)}
        summary: dict[str, Any] = {
            "experiment": self.experiment,
            "seed": self.seed,
            "strategy": injection.called,
            "arm": self.arm or injection.called,
            "contrasts": self.contrasts,
            "notes": list(self.notes),
            "network": upstream(trainer, TraceCollector, self).network.describe(),
            # Then accuracy on the repair split says nothing about the repair.
            "repair_trained_on": injection.trains_on_repair,
            "data": {"source": data.source, **sizes},
            # From the history: a run resumed after its last analysis has no abstraction.
            "n_components": int(self._history[-1]["n_components"]),
            "stability": self._history[-1]["stability"],
            "before": {
                "test_accuracy": test.before,
                "repair_accuracy": repair.before,
                "val_accuracy": val.before,
                "repair_failures": repair.failures_before,
                "test_failures": test.failures_before,
                "val_failures": val.failures_before,
            },
            "after": {
                "test_accuracy": test.after,
                "repair_accuracy": repair.after,
                "val_accuracy": val.after,
                "repaired_share": repair.repaired_share,
                "test_repaired_share": test.repaired_share,
                "val_repaired_share": val.repaired_share,
                "newly_broken": test.newly_broken,
            },
            "injected": len(injection.ledger),
            # Injected samples whose parents have nothing in common with their failures.
            "without_context": sum(row.context == 0 for row in injection.ledger),
            # Of the network that is reported: one that was trained anew owes nothing to the base.
            "steps": trainer.global_step - (injection.anew_step or 0),
            "budget": injection.campaign.budget,
            "judged": injection.judged,
            "rounds": injection.campaign.rounds_made,
            "stop_reason": injection.campaign.stop_reason.value,
            "time_s": {
                "fit": sum(sum(t.epoch_seconds) for t in timers),
                "collect": upstream(trainer, TraceCollector, self).seconds,
                "abstract": upstream(trainer, StateAbstraction, self).seconds,
                "influence": upstream(trainer, InfluenceAnalysis, self).seconds,
                "generate": injection.seconds,
                "total": self._earlier_seconds + time.perf_counter() - self._start,
            },
            "epoch_time_s": timers[0].mean_epoch_s if timers else None,
        }
        for split in data.more_tests:
            summary["before"][f"{split}_accuracy"] = outcomes[split].before
            summary["after"][f"{split}_accuracy"] = outcomes[split].after
        return summary

    @override
    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {
            "before": {split: vars(p).copy() for split, p in self._before.items()},
            "targets": self._targets,
            "cards": [card.as_state() for card in self._cards],
            "history": [dict(row) for row in self._history],
            "total_seconds": self._earlier_seconds + time.perf_counter() - self._start,
        }

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self._before = {
            split: Predictions(**fields) for split, fields in state_dict["before"].items()
        }
        self._targets = state_dict["targets"]
        self._cards = [FailureCard(**fields) for fields in state_dict["cards"]]
        self._history = [dict(row) for row in state_dict["history"]]
        self._earlier_seconds = state_dict["total_seconds"]


def _items(before: Predictions, after: Predictions) -> ItemPredictions:
    tensors = (before.index, before.label, before.predicted, after.predicted)
    return ItemPredictions(*(tensor.numpy() for tensor in tensors))


def _final_metrics(summary: dict[str, Any], outcomes: Mapping[str, Outcome]) -> dict[str, float]:
    metrics = {f"time/{name}_s": float(value) for name, value in summary["time_s"].items()}
    for split, outcome in outcomes.items():
        metrics[f"{split}/accuracy_before"] = outcome.before
        metrics[f"{split}/accuracy_after"] = outcome.after
        metrics[f"repair/{split}_newly_broken"] = float(outcome.newly_broken)
        if outcome.repaired_share is not None:
            metrics[f"repair/{split}_repaired_share"] = outcome.repaired_share
    return metrics
