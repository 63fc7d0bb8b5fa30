"""Makes and mends training samples, round by round, and keeps the ledger."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import pytorch_lightning as pl
import torch
from typing_extensions import override

from rnnrepair.callbacks.analysis import AnalysisCallback, log, output_folder, upstream
from rnnrepair.callbacks.influence_analysis import InfluenceAnalysis
from rnnrepair.callbacks.label_or_task import teachers_of
from rnnrepair.callbacks.lost_rounds import take_back_lost
from rnnrepair.callbacks.proposing import proposed, tell_shortage, told_of
from rnnrepair.callbacks.repair_checks import (
    check_begins_anew,
    check_data,
    check_edits,
    check_in_place,
    check_initial,
    check_made,
    check_no_steps_kept,
    check_teachers,
    check_trained_on,
    check_trainer,
    tell_silent_columns,
)
from rnnrepair.callbacks.resumed_rounds import check_rounds_of
from rnnrepair.callbacks.scheduler_check import check_schedulers
from rnnrepair.callbacks.state_abstraction import StateAbstraction
from rnnrepair.callbacks.trace_collector import TraceCollector, repairable_data
from rnnrepair.edits import EditFamily
from rnnrepair.influence import Evidence
from rnnrepair.protocols import columns_of_samples, labels_of_samples, names_of_samples
from rnnrepair.repair import (
    Action,
    Campaign,
    GuidedRepair,
    LedgerRow,
    RepairStrategy,
    StopReason,
    ledger_of,
    ledger_rows,
    ledger_text,
    write_ledger,
)
from rnnrepair.scores import Monitor, Scored, confusion
from rnnrepair.seeding import derive_seed
from rnnrepair.settings import Count, above, check_settings, one_of


class RepairInjection(AnalysisCallback):
    """One round per analysed epoch: propose, change the data, enter into the ledger.

    How much and how often says ``Campaign``. A round that has mended samples is taken back where
    val fell over it, and all rounds that have taught patterns where val fell since the first of
    them (``Campaign.lost``); the network goes on from where it is.
    """

    reads = (TraceCollector, StateAbstraction, InfluenceAnalysis)

    def __init__(
        self,
        strategy: RepairStrategy | None = None,
        edits: EditFamily | None = None,
        budget: Count = 10,
        rounds: Count = 8,
        max_share: Annotated[float, above(0)] = 1.0,
        patience: Count = 3,
        in_place: bool = False,
        release_epoch: int | None = None,
        seed: int = 0,
        called: str | None = None,
        output_dir: str | None = None,
        monitor: Annotated[str, one_of(Monitor)] = Monitor.ACCURACY,
    ) -> None:
        """Choose strategy and budget.

        Args:
            strategy: makes the samples; ``GuidedRepair`` where None.
            edits: family of edits that keep the labels of the data; None for strategies that edit
                nothing.
            budget: samples per failure of the unrepaired network and round.
            rounds: rounds at most.
            max_share: injected samples at most, as a share of the original training samples.
            patience: rounds without a new best score on val that are tolerated.
            in_place: whether samples take the place of their parents instead of standing beside
                them (published protocols).
            release_epoch: completed epochs after which the repair split, which has done its work by
                then, is trained on too; None never trains on it.
            seed: of edits and parents.
            called: what the strategy is called in tables; its own name where None.
            output_dir: of the run; the trainer's root where None.
            monitor: the score on val, see ``Monitor``.

        Raises:
            SettingsError: a value out of range, or a budget that cannot be filled.
            MisconfigurationException: a name in the place of a strategy or of edits.
        """
        check_made(strategy, edits)
        check_settings(RepairInjection, locals())
        super().__init__()
        self.strategy = strategy or GuidedRepair()
        self.called = called or self.strategy.name
        self.campaign = Campaign(budget, rounds, patience, max_samples=0)
        self.strategy.check(budget)
        self.edits = edits
        self.max_share = max_share
        self.in_place = in_place
        self.release_epoch = release_epoch
        self.seed = seed
        self.monitor = Monitor(monitor)
        self.output_dir = output_dir
        self.ledger: list[LedgerRow] = []
        self.judged = 0
        # Failures of the first round that got no samples, because labels at them are in doubt.
        self.withheld = 0
        # Share of the training labels that was wrong at most, before any was mended.
        self.estimated_wrong: float | None = None
        # Optimizer steps and epochs at which training began anew, None where it did not.
        self.anew_step: int | None = None
        self.anew_epoch: int | None = None
        self._ledger_file = Path()

    def made_with(self) -> dict[str, Any]:
        """Return what may not change after an analysis; of rounds see ``check_rounds_of``."""
        return {
            "strategy": self.strategy,
            "edits": self.edits,
            "budget": self.campaign.budget,
            "max_share": self.max_share,
            "patience": self.campaign.patience,
            "in_place": self.in_place,
            "seed": self.seed,
            "monitor": self.monitor,
        }

    @override
    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        super().setup(trainer, pl_module, stage)
        if stage != "fit":
            return
        self.strategy.begin()
        self._ledger_file = output_folder(trainer, self.output_dir) / "ledger.csv"
        analysis = upstream(trainer, InfluenceAnalysis, self)
        every = self.strategy.cleans or self.strategy.takes_all
        analysis.look_for(self.strategy.needs, every_failure=every)
        check_trainer(trainer)
        data = repairable_data(trainer)
        check_data(self.strategy, data, resumes=trainer.ckpt_path is not None)
        check_edits(self.strategy, self.edits, data)
        if self.strategy.finders or self.strategy.cleans:
            check_no_steps_kept(trainer, self.called)
        if self.strategy.finders:
            tell_silent_columns(data)
        training = torch.cat([data.indices("fit"), data.indices("repair")])
        known = columns_of_samples(data), data.spec.token_names
        self.strategy.check_known(*known, training, labels_of_samples(data, training))
        if self.strategy.starts_anew:
            first = upstream(trainer, TraceCollector, self).first_analysis(trainer.max_epochs)
            check_begins_anew(trainer, first, self.called)
        if self.in_place:
            check_in_place(self.strategy, self.release_epoch, self.called)
        if any(callback.n_teachers for callback in teachers_of(trainer)):
            check_teachers(self.strategy, self.called)
        self.campaign.max_samples = int(self.max_share * len(data.indices("fit")))

    @override
    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        super().on_load_checkpoint(trainer, pl_module, checkpoint)
        saved = checkpoint["callbacks"].get(self.state_key)
        if saved is not None:
            calendar = upstream(trainer, TraceCollector, self).calendar
            check_rounds_of(saved, self, calendar, self._loaded_epochs)

    @property
    def _changes_data(self) -> bool:
        return self.strategy.injects or self.strategy.cleans

    @override
    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # In setup nobody knows yet whether training goes on from a checkpoint.
        if trainer.ckpt_path is None:
            collector = upstream(trainer, TraceCollector, self)
            if self._changes_data:
                check_trained_on(trainer, collector)
            if self.strategy.starts_anew:
                check_initial(collector, self.called)
        # After a resume the ledger is what the checkpoint holds, whatever the folder holds.
        self.keep_ledger(self.ledger)
        if pl_module.automatic_optimization and self.analysed_epoch is None:
            first = upstream(trainer, TraceCollector, self).first_analysis(trainer.max_epochs)
            check_schedulers(trainer, first, 1 + self.max_share)
        super().on_fit_start(trainer, pl_module)
        # What edits are drawn is no part of the data module's state.
        self._plan_epoch(trainer, self._loaded_epochs)

    @override
    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        super().on_train_epoch_end(trainer, pl_module)
        epoch = trainer.current_epoch + 1
        # Where the repair stopped before, that was judged already.
        open_ = self._takes_back and self.campaign.stopped is None
        if open_ and epoch == self._end_of_rounds(trainer):
            self._judge_last_round(trainer, epoch)
        self._plan_epoch(trainer, epoch)

    @property
    def _takes_back(self) -> bool:
        if self.strategy.starts_anew:
            return False  # the scores before are of another network
        return self.strategy.cleans or self.strategy.seeks_patterns

    def _end_of_rounds(self, trainer: pl.Trainer) -> int:
        """Return the completed epochs at which nothing is analysed that could judge a round."""
        calendar = upstream(trainer, TraceCollector, self).calendar
        rounds = self.campaign.rounds
        if calendar.end is not None:
            rounds = min(rounds, calendar.rounds_until(calendar.end))
        return calendar.start + rounds * calendar.every

    def _judge_last_round(self, trainer: pl.Trainer, epoch: int) -> None:
        """Take the last round back where val fell over it."""
        network = upstream(trainer, TraceCollector, self).network
        val = network.predict(repairable_data(trainer).loader("val"))
        confused = confusion(val.label, val.predicted)
        take_back_lost(trainer, self, Scored.of(confused, self.monitor), epoch)

    @override
    def analyse(self, trainer: pl.Trainer, pl_module: pl.LightningModule, epoch: int) -> None:
        if self.campaign.stopped is not None:
            return
        source = upstream(trainer, InfluenceAnalysis, self)
        abstraction = upstream(trainer, StateAbstraction, self).abstraction
        # Strategies that look at all failures get the budget of those that do not.
        looked_at = 0 if source.evidence is None else len(source.evidence)
        n_failures = min(looked_at, source.max_failures)
        val = abstraction.traces["val"]
        on_val = Scored.of(confusion(val.label, val.final_prediction), self.monitor)
        took_back = take_back_lost(trainer, self, on_val, epoch)
        wanted = self.campaign.open_round(n_failures, on_val)
        if self.strategy.starts_anew:
            self._begin_anew(trainer, source.evidence, epoch)
        elif wanted is not None:
            with self.timed():
                # What was just taken back is still in the traces, so nothing is made of them.
                evidence = None if took_back else source.evidence
                self._make_round(trainer, evidence, wanted, epoch, took_back=took_back)
        if self.campaign.stopped is not None:
            log.info(
                "Repair stops after %d of %d rounds: %s.",
                self.campaign.rounds_made,
                self.campaign.rounds,
                self.campaign.stopped.message,
            )
        told = {"injected": self.n_injected, "rounds": self.campaign.rounds_made}
        if self.strategy.cleans:
            told["mended"] = self.n_mended
        self.log_metrics(trainer, {f"repair/{name}": float(n) for name, n in told.items()})

    def _begin_anew(self, trainer: pl.Trainer, evidence: Evidence | None, epoch: int) -> None:
        """Let the next epoch begin a training of its own.

        Without failures too: then it makes no more steps than a repair that does nothing.
        """
        if evidence is not None and self._changes_data:
            # What a repair injects by its end is there from the beginning. The epochs of the base
            # have no more steps for it, so half of them at least is left to the originals.
            most = len(repairable_data(trainer).indices("fit")) // 2
            wanted = min(self.campaign.planned_after(self.campaign.rounds), most)
            self._change(trainer, evidence, wanted, epoch)
        if self.strategy.injects and self.n_injected == 0:
            log.warning(
                "Nothing was found to teach the new network: it is trained on all the data."
            )
        self.campaign.stopped = StopReason.TRAINED_ANEW
        self.campaign.rounds_made = 0
        self.anew_step = max(trainer.global_step, self._loaded_step)
        self.anew_epoch = epoch

    def keep_ledger(self, rows: list[LedgerRow]) -> None:
        """Make these rows the ledger, here and in the folder."""
        self.ledger = rows
        write_ledger(rows, self._ledger_file)

    @property
    def n_injected(self) -> int:
        """Samples that were injected and are trained on."""
        return sum(row.injected for row in self.ledger)

    @property
    def n_mended(self) -> int:
        """Samples that are removed, relabelled or drawn less often."""
        return sum(row.holds and not row.injected for row in self.ledger)

    def _make_round(
        self,
        trainer: pl.Trainer,
        evidence: Evidence | None,
        wanted: int,
        epoch: int,
        *,
        took_back: bool,
    ) -> None:
        if evidence is not None and self._changes_data:
            self._change(trainer, evidence, wanted, epoch)
        elif took_back:
            log.info("This round makes nothing: what was undone is still in the traces.")
        elif evidence is None and self.strategy.cleans:
            log.info("Nothing is cleaned in this round: it goes by failures, and there are none.")

    def _change(self, trainer: pl.Trainer, evidence: Evidence, wanted: int, epoch: int) -> None:
        seed = derive_seed(self.seed, "repair", epoch)
        proposal = proposed(trainer, self, evidence, wanted, seed)
        tell_shortage(self, proposal, wanted)
        self.judged += proposal.judged
        if self.campaign.rounds_made == 1:
            self.withheld = proposal.withheld
        if self.strategy.cleans and all(row.action == Action.ADD for row in self.ledger):
            suspicion = upstream(trainer, InfluenceAnalysis, self).suspicion()
            self.estimated_wrong = suspicion.rate
        if len(proposal) == 0 and not proposal.mends:
            return
        data = repairable_data(trainer)
        new_id = data.apply(proposal.changes(in_place=self.in_place))
        model = upstream(trainer, StateAbstraction, self).abstraction.model
        rows = ledger_rows(
            proposal,
            new_id,
            evidence,
            model,
            self.strategy.name,
            epoch,
            seed,
            names_of_samples(data),
            self.campaign.rounds_made,
        )
        self.keep_ledger([*self.ledger, *rows])
        log.info(
            "Round %d: %d samples for %d failures%s.",
            self.campaign.rounds_made,
            len(proposal),
            len(evidence),
            told_of(proposal),
        )

    def _plan_epoch(self, trainer: pl.Trainer, epoch: int) -> None:
        """Choose what the epoch that follows ``epoch`` completed ones trains on."""
        if self.anew_epoch is not None:
            self._train_anew(trainer, epoch - self.anew_epoch)
            return
        released = self.release_epoch is not None and epoch >= self.release_epoch
        if not released and self.campaign.rounds_made == 0:
            return
        data = repairable_data(trainer)
        n_originals = len(data.indices("fit"))
        if self.in_place:
            n_originals -= len({row.parent_id for row in self.ledger if row.injected})
        else:
            n_originals += self.campaign.planned - self.n_injected
        data.train_on(("fit", "repair") if released else ("fit",), n_originals)

    def _train_anew(self, trainer: pl.Trainer, again: int) -> None:
        """Make the next epoch as long as that of a repair is, on the fit and the repair split.

        Training that began anew makes the epochs of base, rounds and end once more; ``again`` is
        how many of them it has made.
        """
        calendar = replace(upstream(trainer, TraceCollector, self).calendar, end=None)
        data = repairable_data(trainer)
        planned = self.campaign.planned_after(calendar.rounds_until(again))
        n_originals = len(data.indices("fit")) + planned - self.n_injected
        edits = self.strategy.training_edits(self.edits, data.spec)
        data.train_on(("fit", "repair"), n_originals, edits=edits)

    @property
    def trains_on_repair(self) -> bool:
        """Whether the final network is trained on the repair split too."""
        return self.release_epoch is not None or self.anew_epoch is not None

    @override
    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {
            "ledger": ledger_text(self.ledger),
            "campaign": self.campaign.state_dict(),
            "judged": self.judged,
            "withheld": self.withheld,
            "estimated_wrong": self.estimated_wrong,
            "anew_step": self.anew_step,
            "anew_epoch": self.anew_epoch,
            "release_epoch": self.release_epoch,
            "strategy": self.strategy.state_dict(),
        }

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        # A base training is shared by strategies, and no round has been made before it ends.
        if self.analysed_epoch is None:
            return
        self.ledger = ledger_of(state_dict["ledger"])
        self.campaign.load_state_dict(state_dict["campaign"])
        for name in ("judged", "withheld", "estimated_wrong", "anew_step", "anew_epoch"):
            setattr(self, name, state_dict[name])
        self.strategy.load_state_dict(state_dict["strategy"])
