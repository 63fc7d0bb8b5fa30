"""Finds the training samples behind each failure of the repair split."""

from collections.abc import Collection
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException
from typing_extensions import override

from rnnrepair.callbacks.analysis import AnalysisCallback, log, output_folder, upstream
from rnnrepair.callbacks.state_abstraction import StateAbstraction
from rnnrepair.callbacks.trace_collector import TraceCollector, repairable_data
from rnnrepair.callbacks.training_dynamics import TrainingDynamicsRecorder, dynamics_of
from rnnrepair.callbacks.trajectory_recorder import steps_recorder_of, trajectory_of
from rnnrepair.influence import (
    Evidence,
    InfluenceMethod,
    LabelDoubt,
    Need,
    Role,
    StateSimilarity,
    Suspicion,
    TrainingView,
    check_method,
    doubt_labels,
    find_evidence,
    held_out_of,
    influence_metrics,
    never_right,
    ranked_labels,
    responsible_step,
    suspect_labels,
    tie_order,
)
from rnnrepair.protocols import checked_labels, columns_of_samples, groups_of_samples
from rnnrepair.sequences import DataSpec, Names
from rnnrepair.settings import Count, Share, check_settings
from rnnrepair.traces import Traces


class InfluenceAnalysis(AnalysisCallback):
    """Ranks all training samples for all failures.

    Failures come in random order, fixed for the run: data come sorted, and the first failures are
    those that get a sample more where a budget does not suffice for all, or are looked at alone.
    """

    reads = (TraceCollector, StateAbstraction)

    def __init__(
        self,
        method: InfluenceMethod | None = None,
        top: Count = 20,
        max_failures: Count = 1000,
        with_context: bool = False,
        suspecting: InfluenceMethod | None = None,
        suspected: Share = 0.1,
        seed: int = 0,
        output_dir: str | None = None,
    ) -> None:
        """Choose the method.

        Args:
            method: see ``rnnrepair.influence.InfluenceMethod``; ``StateSimilarity`` where None.
            top: samples kept per failure, of each role.
            max_failures: failures looked at; bounds the time of an early, bad network. Where labels
                are cleaned all are: those that are not looked at would stay wrong.
            with_context: whether failures that go wrong at their first step, where nothing has
                been read before, are left out (published protocols).
            suspecting: calls labels of training samples suspect; all evidence together
                (``suspect_labels``) where None, which needs no ``suspected``.
            suspected: share of the training samples that ``suspecting`` calls so.
            seed: of the order of the failures, and of equally good and random contexts.
            output_dir: of the run, gets the tables of every analysed epoch; none are written
                where None.

        Raises:
            SettingsError: ``top`` or ``max_failures`` below 1.
            MisconfigurationException: ``method`` is a name or a class.
        """
        check_settings(InfluenceAnalysis, locals())
        if method is not None and (isinstance(method, type) or not hasattr(method, "fit")):
            raise MisconfigurationException(
                f"method: expected an object, got {method!r}: from rnnrepair.influence import one, "
                "such as StateSimilarity, and give method=StateSimilarity()."
            )
        super().__init__()
        self.method = method or StateSimilarity()
        self.top = top
        self.max_failures = max_failures
        self.with_context = with_context
        self.suspecting = suspecting
        self.suspected = suspected
        self.seed = seed
        self.roles = {Role.NEAREST}
        self._every_failure = False
        self.evidence: Evidence | None = None
        self._view: TrainingView | None = None
        self._suspicion: Suspicion | None = None
        self._doubt: LabelDoubt | None = None
        self.n_failures = 0
        self.output_dir = output_dir
        self._told_of_limit = False

    def made_with(self) -> dict[str, Any]:
        """Return what may not change once a network is analysed."""
        suspecting = self.suspecting and {
            "suspecting": self.suspecting,
            "suspected": self.suspected,
        }
        return {
            "method": self.method,
            "top": self.top,
            "max_failures": self.max_failures,
            "with_context": self.with_context,
            "seed": self.seed,
            **(suspecting or {}),
        }

    def look_for(self, roles: Collection[Role], *, every_failure: bool = False) -> None:
        """Look for samples of these roles too; asked for by what reads them, in its ``setup``.

        Args:
            roles: of training samples.
            every_failure: whether more than ``max_failures`` are looked at.
        """
        self.roles |= set(roles)
        self._every_failure |= every_failure

    @override
    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        super().setup(trainer, pl_module, stage)
        if stage != "fit":
            return
        data, network = repairable_data(trainer), upstream(trainer, TraceCollector, self).network
        for method in (self.method, self.suspecting):
            if method is not None:
                check_method(method, network, data, self._missing(trainer, pl_module, method))

    def _missing(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, method: InfluenceMethod
    ) -> dict[Need, str]:
        """Return what the view of the training data will not hold, where a method asks for it."""
        missing: dict[Need, str] = {}
        if Need.DYNAMICS in method.needs:
            recorder = upstream(trainer, TrainingDynamicsRecorder, self)
            reason = recorder.why_not(trainer, pl_module)
            if reason is not None:
                missing[Need.DYNAMICS] = reason
        if steps_recorder_of(trainer) is None:
            missing[Need.TRAJECTORY] = (
                "nobody records the steps of the training: add TrajectoryRecorder() to its "
                "callbacks."
            )
        return missing

    @override
    def analyse(self, trainer: pl.Trainer, pl_module: pl.LightningModule, epoch: int) -> None:
        abstraction = upstream(trainer, StateAbstraction, self).abstraction
        with self.timed():
            repair = abstraction.traces["repair"]
            failures = repair.select(~repair.correct)
            if self.with_context:
                failures = failures.select(responsible_step(failures) > 0)
            self.n_failures = len(failures)
            failures = failures.select(tie_order(failures.index, self.seed))
            if self.n_failures > self.max_failures and not self._every_failure:
                if not self._told_of_limit:
                    log.warning(
                        "%d failures of the repair split, at most %d are looked at in a round "
                        "(max_failures).",
                        self.n_failures,
                        self.max_failures,
                    )
                self._told_of_limit = True
                failures = failures.select(torch.arange(self.max_failures))
            self._view, self._suspicion, self._doubt = self._training_view(trainer), None, None
            self.evidence = None
            if len(failures):
                self.evidence = self._evidence(trainer, self._view, failures)
        metrics = {"influence/failures": float(self.n_failures)}
        if self.evidence is not None and self.output_dir is not None:
            folder = output_folder(trainer, self.output_dir) / "analysis"
            self.evidence.save(folder / f"epoch={epoch:03d}" / "influence.safetensors")
        if self.evidence is not None:
            metrics |= influence_metrics(self.evidence, abstraction.traces["fit"])
        self.log_metrics(trainer, metrics)

    @property
    def view(self) -> TrainingView:
        """The training data, as the network of the last analysed epoch sees them."""
        if self._view is None:
            raise MisconfigurationException("InfluenceAnalysis has analysed no epoch yet.")
        return self._view

    def suspicion(self) -> Suspicion:
        """Return how suspicious the labels of training samples are, found when first asked for."""
        if self._suspicion is None:
            with self.timed():
                self._suspicion = (
                    suspect_labels(self.view, self.seed)
                    if self.suspecting is None
                    else ranked_labels(self.view, self.suspecting, self.suspected, self.seed)
                )
        return self._suspicion

    def doubt(self, trainer: pl.Trainer) -> LabelDoubt | None:
        """Return whether labels of the failures are suspect, None where there are none."""
        if self._doubt is None and self.evidence is not None:
            suspicion, failures = self.suspicion(), self.evidence.failures
            # Some of the failures stand for as large a part of the split.
            n_looked_at = len(repairable_data(trainer).indices("repair"))
            among = n_looked_at * len(failures) / max(self.n_failures, 1)
            with self.timed():
                self._doubt = doubt_labels(
                    self.view, failures, suspicion, seed=self.seed, among=among
                )
        return self._doubt

    def _training_view(self, trainer: pl.Trainer) -> TrainingView:
        abstraction = upstream(trainer, StateAbstraction, self).abstraction
        data, network = repairable_data(trainer), upstream(trainer, TraceCollector, self).network
        n_original, fit = len(data.indices("fit")), abstraction.traces["fit"]
        return TrainingView(
            fit,
            abstraction.model,
            n_original,
            network,
            data.fetch,
            ends=abstraction.ends,
            dynamics=dynamics_of(trainer),
            trajectory=trajectory_of(trainer),
            columns=columns_of_samples(data),
            groups=groups_of_samples(data),
            checked=checked_labels(data),
            held_out=held_out_of(abstraction.traces),
            scale=data.spec.scale,
        )

    def _evidence(self, trainer: pl.Trainer, view: TrainingView, failures: Traces) -> Evidence:
        originals = view.traces.between(0, view.n_original)
        _tell_never_right(originals, failures, repairable_data(trainer).spec)
        scorer = self.method.fit(view)
        return find_evidence(scorer, view, failures, self.roles, self.top, self.seed)


def _tell_never_right(originals: Traces, failures: Traces, spec: DataSpec) -> None:
    """Say which classes of the failures have no training sample that is right."""
    never = never_right(originals.label, originals.correct)
    concerned = never[torch.isin(never, failures.label)].tolist()
    if concerned:
        names = Names.of(spec)
        log.warning(
            "No training sample of class %s is classified correctly: where samples are made from "
            "training samples of the class, these are all of them.",
            ", ".join(names.of_class(c) for c in concerned),
        )
