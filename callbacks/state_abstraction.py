"""Groups hidden states into abstract states and traces every split."""

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from lightning_fabric.utilities.exceptions import MisconfigurationException
from torch import Tensor
from typing_extensions import override

from rnnrepair.abstraction import Abstraction, AbstractionSettings, abstract, abstraction_metrics
from rnnrepair.callbacks.analysis import AnalysisCallback, log, output_folder, upstream
from rnnrepair.callbacks.trace_collector import TraceCollector, repairable_data
from rnnrepair.protocols import Split
from rnnrepair.traces import Traces

SPLITS: tuple[Split, ...] = ("fit", "repair", "val")
# Hidden states of an abstract state, below which it is warned of their number.
FEWEST_EACH = 10
# Share of what guessing gets right, below which answers are probably read the wrong way round.
WORSE_THAN = 0.5


class StateAbstraction(AnalysisCallback):
    """Fits reduction and mixture, and keeps the abstraction of the last analysed epoch."""

    reads = (TraceCollector,)

    def __init__(
        self,
        settings: AbstractionSettings | None = None,
        output_dir: str | None = None,
        save: bool = True,
    ) -> None:
        """Choose how states are grouped.

        Args:
            settings: see ``AbstractionSettings``.
            output_dir: of the run; the trainer's root where None.
            save: write the abstraction and the traces of every analysed epoch.
        """
        super().__init__()
        self.settings = settings or AbstractionSettings()
        self.output_dir = output_dir
        self.save = save
        self._folder = Path()
        self._abstraction: Abstraction | None = None
        self._sample_state: Tensor | None = None

    def made_with(self) -> dict[str, Any]:
        """Return what may not change once a network is analysed."""
        return {"settings": self.settings}

    @property
    def abstraction(self) -> Abstraction:
        """The abstraction of the last analysed epoch."""
        if self._abstraction is None:
            raise MisconfigurationException("StateAbstraction has not analysed an epoch yet.")
        return self._abstraction

    @override
    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        super().setup(trainer, pl_module, stage)
        if stage != "fit":
            return
        if self.save:
            self._folder = output_folder(trainer, self.output_dir) / "analysis"
        data = repairable_data(trainer)
        n_fit, max_steps = len(data.indices("fit")), data.spec.max_steps
        if max_steps is not None:
            _tell_if_too_many(max(self.settings.sizes), n_fit, max_steps)

    @override
    def analyse(self, trainer: pl.Trainer, pl_module: pl.LightningModule, epoch: int) -> None:
        n_original = len(repairable_data(trainer).indices("fit"))
        collector = upstream(trainer, TraceCollector, self)
        collected = collector.collect(trainer, SPLITS, self.settings, epoch)
        with self.timed():
            self._abstraction = abstract(collected, self.settings, n_original, self._sample_state)
            self._sample_state = self._abstraction.sample_state
            if self.save:
                self._write(self._folder / f"epoch={epoch:03d}")
        self.log_metrics(trainer, abstraction_metrics(self._abstraction))
        _tell_if_below_chance(self._abstraction.traces["fit"])

    def _write(self, folder: Path) -> None:
        self.abstraction.model.save(folder / "abstraction.safetensors")
        for split, traces in self.abstraction.traces.items():
            traces.save(folder / "traces" / split)
        log.debug("abstraction and traces written to %s", folder)

    @override
    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"sample_state": self._sample_state}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self._sample_state = state_dict["sample_state"]


def _tell_if_too_many(n_components: int, n_fit: int, max_steps: int) -> None:
    """Warn, before any training, of abstract states that next to no hidden states are left for.

    Args:
        n_components: abstract states.
        n_fit: sequences of the fit split.
        max_steps: steps of the longest.
    """
    most = n_fit * max_steps
    if most < FEWEST_EACH * n_components:
        log.warning(
            "n_components=%d abstract states for %d sequences of at most %d steps: %.1f hidden "
            "states for each at most, so that they tell sequences apart and have nothing in "
            "common. Lower n_components (%d would leave %d each).",
            n_components,
            n_fit,
            max_steps,
            most / n_components,
            max(2, most // FEWEST_EACH),
            FEWEST_EACH,
        )


def _tell_if_below_chance(fit: Traces) -> None:
    """Warn where a trained network is right far less often than a guess would be."""
    if fit.accuracy < WORSE_THAN / fit.n_classes:
        log.warning(
            "The network is right on %.1f %% of its own training data, far less than a guess. Is "
            "its answer the class with the largest output? Else give TraceCollector(call=...) a "
            "function that returns logits, such as -distances.",
            100 * fit.accuracy,
        )
