"""Finds the training samples behind each failure of the repair split."""

import pytorch_lightning as pl
import torch
from typing_extensions import override

from rnnrepair.callbacks.analysis import AnalysisCallback, log, output_folder, upstream
from rnnrepair.callbacks.state_abstraction import StateAbstraction
from rnnrepair.callbacks.trace_collector import repairable_data
from rnnrepair.influence import (
    Influence,
    InfluenceMethod,
    TraceSimilarity,
    responsible_step,
    tie_order,
)
from rnnrepair.sequences import check_fits
from rnnrepair.settings import Count, check_settings
from rnnrepair.traces import Traces


class InfluenceAnalysis(AnalysisCallback):
    """Ranks all training traces for all failures, in one batched operation.

    Failures come in random order, fixed for the run: data come sorted, and the first failures are
    those that get a sample more where a budget does not suffice for all, or are looked at alone.
    """

    reads = (StateAbstraction,)

    def __init__(
        self,
        method: InfluenceMethod | None = None,
        max_failures: Count = 1000,
        with_context: bool = False,
        seed: int = 0,
        output_dir: str | None = None,
    ) -> None:
        """Choose the method.

        Args:
            method: see ``rnnrepair.influence.method``; ``TraceSimilarity`` where None.
            max_failures: failures looked at; bounds the time of an early, bad network.
            with_context: whether failures that go wrong at their first step, where nothing has
                been read before, are left out (published protocols).
            seed: of the order of the failures.
            output_dir: of the run, gets the tables of every analysed epoch; none are written
                where None.

        Raises:
            SettingsError: ``max_failures`` below 1.
        """
        check_settings(InfluenceAnalysis, locals())
        super().__init__()
        self.method = method or TraceSimilarity()
        self.max_failures = max_failures
        self.with_context = with_context
        self.seed = seed
        self.influence: Influence | None = None
        self.n_failures = 0
        self.output_dir = output_dir

    @override
    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        super().setup(trainer, pl_module, stage)
        if stage == "fit":
            check_fits([("method", self.method)], repairable_data(trainer).spec)

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
            if self.n_failures > self.max_failures:
                log.warning(
                    "%d failures of the repair split, %d of them are looked at (max_failures).",
                    self.n_failures,
                    self.max_failures,
                )
                failures = failures.select(torch.arange(self.max_failures))
            fit = abstraction.traces["fit"]
            self.influence = None
            if len(failures):
                n_original = len(repairable_data(trainer).split_index("fit"))
                self.influence = self.method(abstraction.model, fit, failures, n_original)
        metrics = {"influence/failures": float(self.n_failures)}
        if self.influence is not None and self.output_dir is not None:
            folder = output_folder(trainer, self.output_dir) / "analysis"
            self.influence.save(folder / f"epoch={epoch:03d}" / "influence.safetensors")
        if self.influence is not None:
            metrics |= influence_metrics(self.influence, fit)
        self.log_metrics(trainer, metrics)


def influence_metrics(influence: Influence, fit: Traces) -> dict[str, float]:
    """Return the shares of the nearest samples that carry the true and the predicted label."""
    label_of = torch.full((int(fit.index.max()) + 1,), -1)
    label_of[fit.index] = fit.label
    known = influence.nearest >= 0
    label = torch.where(known, label_of[influence.nearest], -1)
    failures = influence.failures
    true = (label == failures.label[:, None]).double().sum() / known.sum()
    predicted = (label == failures.final_prediction[:, None]).double().sum() / known.sum()
    metrics = {
        "influence/true_label_share": float(true),
        "influence/predicted_label_share": float(predicted),
        "influence/nearest_distance": float(influence.nearest_distance[:, 0].mean()),
    }
    if influence.contrast is not None:
        metrics["influence/contrast"] = float(influence.contrast.nanmean())
    return metrics
