"""Makes repair samples, injects them into the training set and keeps the ledger."""

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.callbacks import ModelCheckpoint
from tqdm import tqdm
from typing_extensions import override

from callbacks.analysis import AnalysisCallback, log, output_folder, upstream
from callbacks.influence_analysis import InfluenceAnalysis
from callbacks.state_abstraction import StateAbstraction
from callbacks.trace_collector import TraceCollector, repairable_data
from rnnrepair.errors import ConfigurationError
from rnnrepair.influence import Influence, step_distance
from rnnrepair.repair import (
    GuidedRepair,
    ImageMutation,
    LedgerRow,
    Mutation,
    NoRepair,
    Proposal,
    RepairContext,
    RepairStrategy,
    StopReason,
    ledger_rows,
    reason_to_stop,
    trace_inputs,
    write_ledger,
)
from rnnrepair.seeding import derive_seed


class RepairInjection(AnalysisCallback):
    """One round per analysed epoch: propose, inject, enter into the ledger.

    A round injects ``budget`` samples per failure of the *unrepaired* network. Later rounds
    spread the same number over the failures that are left, so that every strategy gets the same
    number of samples however well it repairs.
    """

    reads = (TraceCollector, StateAbstraction, InfluenceAnalysis)

    def __init__(
        self,
        strategy: RepairStrategy | None = None,
        mutation: Mutation | None = None,
        budget: int = 10,
        rounds: int = 8,
        max_share: float = 1.0,
        patience: int = 3,
        seed: int = 0,
        start_epoch: int = 1,
        every_n_epochs: int = 1,
        end_epoch: int | None = None,
        output_dir: str | None = None,
    ) -> None:
        """Set up the repair.

        Args:
            strategy: makes the samples; ``GuidedRepair`` where None.
            mutation: family of label-preserving edits; ``ImageMutation`` where None.
            budget: samples per failure of the unrepaired network and round.
            rounds: rounds at most.
            max_share: injected samples at most, as a share of the original training samples.
            patience: rounds without a new best val accuracy that are tolerated.
            seed: of edits and parents.
            start_epoch: completed epochs at the first round.
            every_n_epochs: epochs between rounds.
            end_epoch: completed epochs after which nothing is analysed.
            output_dir: of the run; the trainer's root where None.

        Raises:
            ConfigurationError: a value out of range, or a budget that cannot be filled.
        """
        super().__init__(start_epoch, every_n_epochs, end_epoch)
        for name, value in {"budget": budget, "rounds": rounds, "patience": patience}.items():
            if value < 1:
                raise ConfigurationError(f"repair.{name} must be at least 1, got {value}.")
        if not max_share > 0:
            raise ConfigurationError(f"repair.max_share must be greater than 0, got {max_share}.")
        self.strategy = strategy or GuidedRepair()
        self.strategy.check(budget)
        self.mutation = mutation or ImageMutation()
        self.budget = budget
        self.rounds = rounds
        self.max_share = max_share
        self.patience = patience
        self.seed = seed
        self.output_dir = output_dir
        self.ledger: list[LedgerRow] = []
        self.rounds_made = 0
        self.judged = 0
        self.samples_per_round: int | None = None
        self._stop_reason: StopReason | None = None
        self._val_accuracy: list[float] = []
        self._ledger_file = Path()

    @property
    def stop_reason(self) -> StopReason:
        """Why no more samples are injected (as far as is known now)."""
        if self._stop_reason is not None:
            return self._stop_reason
        done = self.rounds_made >= self.rounds
        return StopReason.ROUNDS_DONE if done else StopReason.TRAINING_ENDED

    @override
    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        super().setup(trainer, pl_module, stage)
        if stage != "fit":
            return
        self._ledger_file = output_folder(trainer, self.output_dir) / "ledger.csv"
        missing = self.strategy.needs - upstream(trainer, InfluenceAnalysis, self).method.finds
        if missing:
            raise MisconfigurationException(
                f"The strategy {self.strategy.name} reads {sorted(missing)}, which the influence "
                "method does not look for: set influence=segment."
            )
        if isinstance(self.strategy, NoRepair):
            return
        _check_trainer(trainer)
        data = repairable_data(trainer)
        self.mutation.check(data.fetch(data.split_index("fit")[:1]).inputs.shape[1:])

    @override
    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # After a resume the ledger is what the checkpoint holds, whatever the folder holds.
        write_ledger(self.ledger, self._ledger_file)
        super().on_fit_start(trainer, pl_module)

    @override
    def analyse(self, trainer: pl.Trainer, pl_module: pl.LightningModule, epoch: int) -> None:
        if self._stop_reason is not None:
            return
        source = upstream(trainer, InfluenceAnalysis, self)
        abstraction = upstream(trainer, StateAbstraction, self).abstraction
        data = repairable_data(trainer)
        room = int(self.max_share * len(data.split_index("fit"))) - len(self.ledger)
        self._val_accuracy.append(abstraction.traces["val"].accuracy)
        self._stop_reason = reason_to_stop(
            n_failures=source.n_failures,
            rounds_made=self.rounds_made,
            rounds=self.rounds,
            room=room,
            val_accuracy=self._val_accuracy,
            patience=self.patience,
        )
        if self._stop_reason is None and source.influence is not None:
            with self.timed():
                self._make_round(trainer, source.influence, room, epoch)
        if self._stop_reason is not None:
            log.info("Repair stops: %s.", self._stop_reason.message)
        self.log_metrics(
            trainer,
            {"repair/injected": float(len(self.ledger)), "repair/rounds": float(self.rounds_made)},
        )

    def _make_round(self, trainer: pl.Trainer, influence: Influence, room: int, epoch: int) -> None:
        if self.samples_per_round is None:
            self.samples_per_round = self.budget * len(influence)
        wanted = min(self.samples_per_round, room)
        seed = derive_seed(self.seed, "repair", epoch)
        proposal = self._propose(trainer, influence, wanted, seed)
        self.rounds_made += 1
        self.judged += proposal.judged
        if isinstance(self.strategy, NoRepair):
            return
        if len(proposal) < wanted:
            log.warning(
                "Strategy %s found %d of %d samples: raise influence.top, or lower repair.budget.",
                self.strategy.name,
                len(proposal),
                wanted,
            )
        if len(proposal) == 0:
            self._stop_reason = StopReason.NO_CANDIDATES
            return
        data = repairable_data(trainer)
        new_id = data.inject(proposal.inputs, proposal.lengths, proposal.label)
        model = upstream(trainer, StateAbstraction, self).abstraction.model
        self.ledger += ledger_rows(
            proposal, new_id, influence, model, self.strategy.name, epoch, seed
        )
        write_ledger(self.ledger, self._ledger_file)
        told = ""
        if proposal.judged:
            n = int(proposal.reproduces.sum())
            told = f", {n} of them reproduce the fault ({proposal.judged} judged)"
        log.info(
            "Round %d: %d samples for %d failures%s.",
            self.rounds_made,
            len(proposal),
            len(influence),
            told,
        )

    def _propose(
        self, trainer: pl.Trainer, influence: Influence, wanted: int, seed: int
    ) -> Proposal:
        collector = upstream(trainer, TraceCollector, self)
        model = upstream(trainer, StateAbstraction, self).abstraction.model
        data = repairable_data(trainer)
        judge = partial(trace_inputs, collector.recurrent.trace, model, device=collector.device)
        context = RepairContext(
            influence=influence,
            originals=data.split_index("fit"),
            fetch=data.fetch,
            judge=collector.judging(judge),
            distance=step_distance(model, "masked"),
            mutation=self.mutation,
            seed=seed,
            progress=partial(
                tqdm, desc="Judging candidates", leave=False, disable=not collector.progress
            ),
        )
        per_failure = -(-wanted // len(influence))
        return self.strategy.propose(context, per_failure).limited(wanted)

    @override
    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {
            "ledger": [asdict(row) for row in self.ledger],
            "rounds_made": self.rounds_made,
            "judged": self.judged,
            "samples_per_round": self.samples_per_round,
            "val_accuracy": list(self._val_accuracy),
            "stop_reason": None if self._stop_reason is None else self._stop_reason.value,
        }

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self.ledger = [LedgerRow(**row) for row in state_dict["ledger"]]
        self.rounds_made = state_dict["rounds_made"]
        self.judged = state_dict["judged"]
        self.samples_per_round = state_dict["samples_per_round"]
        self._val_accuracy = list(state_dict["val_accuracy"])
        reason = state_dict["stop_reason"]
        self._stop_reason = None if reason is None else StopReason(reason)


def _check_trainer(trainer: pl.Trainer) -> None:
    """Refuse the settings under which injected samples or their checkpoints get lost."""
    if trainer.reload_dataloaders_every_n_epochs != 1:  # type: ignore[attr-defined]
        raise MisconfigurationException(
            "RepairInjection adds training samples between epochs, and the trainer would never "
            "see them: set trainer.reload_dataloaders_every_n_epochs=1 (it is "
            f"{trainer.reload_dataloaders_every_n_epochs})."  # type: ignore[attr-defined]
        )
    validates_inside = trainer.check_val_every_n_epoch == 1 and trainer.val_check_interval == 1.0
    for callback in trainer.checkpoint_callbacks:
        late = getattr(callback, "_save_on_train_epoch_end", None)
        if isinstance(callback, ModelCheckpoint) and not late and not validates_inside:
            raise MisconfigurationException(
                "A ModelCheckpoint would save before the repair samples of the epoch are injected, "
                "and a resumed run would lose them: set save_on_train_epoch_end=true in "
                "configs/callbacks/default.yaml."
            )
