"""Asks networks of other seeds whether the failures can be learnt at all."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytorch_lightning as pl
import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException
from torch import Tensor
from typing_extensions import override

from rnnrepair.atomic import write_file
from rnnrepair.callbacks.analysis import AnalysisCallback, log, output_folder, upstream
from rnnrepair.callbacks.base_checkpoint import BaseCheckpoint
from rnnrepair.callbacks.trace_collector import TraceCollector, repairable_data
from rnnrepair.protocols import checked_labels, names_of_samples
from rnnrepair.repair import Teachers, write_label_or_task
from rnnrepair.safe_loading import read_checkpoint
from rnnrepair.seeding import derive_seed
from rnnrepair.sequences import Names
from rnnrepair.settings import at_least, check_settings
from rnnrepair.studies import Retraining, Train


class LabelOrTask(AnalysisCallback):
    """Trains teachers before the first round: what they all fail at, gets no samples.

    A teacher is a network that is trained as the unrepaired one was, with another seed; each costs
    what the base training costs. Runs that share a base training share its teachers.
    """

    reads = (TraceCollector,)

    def __init__(
        self,
        teachers: Annotated[int, at_least(0)] = 0,
        seed: int = 0,
        output_dir: str | None = None,
        train: Train | None = None,
    ) -> None:
        """Choose how many.

        Args:
            teachers: 0 asks nobody.
            seed: of the run, which those of the teachers are derived from.
            output_dir: gets ``label_or_task.csv``; the trainer's root where None.
            train: trains the network again.

        Raises:
            SettingsError: fewer than none.
        """
        check_settings(LabelOrTask, locals())
        super().__init__()
        self.n_teachers = teachers
        self.seed = seed
        self.output_dir = output_dir
        self.train = train
        # Failures of the unrepaired network that all teachers fail at; None before they are asked.
        self.n_found: int | None = None
        self._teachers: Teachers | None = None
        self._checked = torch.empty(0, dtype=torch.int64)

    def made_with(self) -> dict[str, Any]:
        """Return what may not change once a network is analysed."""
        return {"teachers": self.n_teachers}

    @override
    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        super().setup(trainer, pl_module, stage)
        if stage == "fit":
            self._checked = checked_labels(repairable_data(trainer))
        if stage == "fit" and self.n_teachers and self.train is None:
            raise MisconfigurationException(
                f"teachers={self.n_teachers} asks for networks of other seeds, and nobody has said "
                "how they are trained: LabelOrTask(train=...), or teachers=0."
            )

    @override
    def analyse(self, trainer: pl.Trainer, pl_module: pl.LightningModule, epoch: int) -> None:
        if not self.n_teachers or self._teachers is not None:
            return
        with self.timed():
            self._teachers = self._asked(trainer)
            data = repairable_data(trainer)
            self.n_found = write_label_or_task(
                self._teachers,
                upstream(trainer, TraceCollector, self).network.predict(data.loader("repair")),
                Names.of(data.spec),
                names_of_samples(data),
                output_folder(trainer, self.output_dir),
                self._checked,
            )
        log.info(
            "%d failures get no samples: all of %d networks of other seeds fail at them too.",
            self.n_found,
            self.n_teachers,
        )

    def fail_at(self, index: Tensor) -> Tensor:
        """Return (m,) bool: samples of ``repair`` that all teachers fail at; none without them.

        None of those either whose label a person has looked at.
        """
        if self._teachers is None:
            return torch.zeros(len(index), dtype=torch.bool)
        return self._teachers.fail_at(index) & ~torch.isin(index, self._checked)

    def _asked(self, trainer: pl.Trainer) -> Teachers:
        """Return the answers of the teachers, from beside a shared base where they are there."""
        kept = self._kept(trainer)
        if kept is not None and kept.is_file():
            log.info("Answers of %d teachers taken from %s", self.n_teachers, kept)
            return Teachers(**read_checkpoint(kept))
        teachers = self._trained(trainer)
        if kept is not None:
            with write_file(kept) as draft:
                torch.save(vars(teachers), draft)
        return teachers

    def _kept(self, trainer: pl.Trainer) -> Path | None:
        callbacks = trainer.callbacks  # type: ignore[attr-defined]
        shared = [c.shared for c in callbacks if isinstance(c, BaseCheckpoint) and c.shared]
        name = f"{shared[0].stem}-{self.n_teachers}-teachers.pt" if shared else ""
        return shared[0].with_name(name) if shared else None

    def _trained(self, trainer: pl.Trainer) -> Teachers:
        if self.train is None:
            raise AssertionError("setup refuses teachers that nobody can train")
        log.info("Training %d networks of other seeds.", self.n_teachers)
        seeds = [derive_seed(self.seed, "teacher", number) for number in range(self.n_teachers)]
        with _apart(trainer):
            networks = self.train([Retraining(seed=seed) for seed in seeds])
        data = repairable_data(trainer)
        return Teachers.of([network.predict(data.loader("repair")) for network in networks])

    @override
    def state_dict(self) -> dict[str, Any]:
        if self._teachers is None:
            return {}
        return super().state_dict() | {"teachers": vars(self._teachers), "n_found": self.n_found}

    @override
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self._teachers = Teachers(**state_dict["teachers"])
        self.n_found = state_dict["n_found"]


@contextmanager
def _apart(trainer: pl.Trainer) -> Iterator[None]:
    """Let trainings within a training neither know of it nor change what it draws."""
    state = random.getstate(), np.random.get_state()
    data: Any = repairable_data(trainer)
    # It tells the epoch that the run is in, and theirs begin with the first.
    data.trainer = None
    try:
        yield
    finally:
        data.trainer = trainer
        random.setstate(state[0])
        np.random.set_state(state[1])


def teachers_of(trainer: pl.Trainer) -> list[LabelOrTask]:
    """Return who tells of failures that other networks fail at too; none where nobody is listed."""
    callbacks = trainer.callbacks  # type: ignore[attr-defined]
    return [c for c in callbacks if isinstance(c, LabelOrTask)]
