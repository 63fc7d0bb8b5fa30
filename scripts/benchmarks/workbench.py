"""What the measures share: the data, a trained network, its failures and its analysis."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytorch_lightning as pl
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig
from torch import Tensor
from torch.nn.functional import cross_entropy

from rnnrepair.abstraction import (
    Abstraction,
    AbstractModel,
    abstract,
    collect,
    pca_sample,
)
from rnnrepair.callbacks import EpochTimer
from rnnrepair.callbacks.analysis import AnalysisCallback
from rnnrepair.datamodules import Augmentation, MNISTRowsDataModule
from rnnrepair.errors import ConfigurationError
from rnnrepair.influence import Evidence, Role, TrainingView, find_evidence
from rnnrepair.models import SequenceClassifier
from rnnrepair.network import TracedNetwork, verified
from rnnrepair.sequences import SequenceBatch

FULL_SIZE = 60_000
# Callbacks of the analysis, in their order; the others belong to every training.
CHAIN = ("trace_collector", "state_abstraction", "influence_analysis", "repair_injection")


@dataclass(frozen=True)
class Analysed:
    """Result of one analysis with the seconds of its stages.

    Attributes:
        network: the view of it.
        abstraction: its traces ``fit`` are all training sequences, ``repair`` the failures.
        evidence: of the failures.
        seconds: of ``collect`` (network, reduction), ``abstract`` (mixture, assignment) and
            ``influence`` (index, ranking).
    """

    network: TracedNetwork
    abstraction: Abstraction
    evidence: Evidence
    seconds: dict[str, float]

    @property
    def model(self) -> AbstractModel:
        """The abstract model."""
        return self.abstraction.model

    @property
    def total_s(self) -> float:
        """Seconds of the whole analysis."""
        return sum(self.seconds.values())


class Workbench:
    """A network trained for a few hundred steps, and what it gets wrong."""

    def __init__(self, cfg: DictConfig) -> None:
        """Load the data, train, and find the failures.

        Raises:
            ConfigurationError: the trained network has no failures.
        """
        self.cfg = cfg
        self.options = cfg.benchmark
        self.datamodule: MNISTRowsDataModule = instantiate(cfg.datamodule, _convert_="all")
        self.datamodule.setup()
        sizes = self.datamodule.sizes()
        self.n_train = sum(sizes.values()) - sizes["test"]
        # Everything but the test set: for the user all of it is training data.
        self.train_index = torch.arange(self.n_train)
        self.model = self.make_model()
        train_bare(
            self.model,
            self.training_batch(),
            cfg.datamodule.batch_size,
            self.options.network_steps,
        )
        self.model.eval()
        self.failures = self._find_failures()[: self.options.failures]
        if len(self.failures) == 0:
            raise ConfigurationError("No failures to explain: lower benchmark.network_steps.")

    @property
    def is_full(self) -> bool:
        """Whether these are the data that the targets were set for."""
        return self.n_train == FULL_SIZE

    def make_model(self) -> SequenceClassifier:
        """Return an untrained network."""
        return instantiate(self.cfg.model, _convert_="all")

    def training_batch(self) -> SequenceBatch:
        """Return the whole fit split as one batch."""
        return self.datamodule.fetch(self.datamodule.indices("fit"))

    def batches(self, index: Tensor) -> Iterator[SequenceBatch]:
        """Yield these sequences in evaluation batches."""
        for part in index.split(self.cfg.datamodule.eval_batch_size):
            yield self.datamodule.fetch(part)

    def network(self) -> TracedNetwork:
        """Return the view of the network, verified."""
        return verified(self.model, self.datamodule)

    def _find_failures(self) -> Tensor:
        found = self.network().predict(self.batches(self.datamodule.indices("test")))
        return found.index[~found.correct]

    def analyse(self) -> Analysed:
        """Explain the failures by all training sequences, with the configured settings."""
        settings = instantiate(self.cfg.abstraction, _convert_="all")
        clock = [time.perf_counter()]
        network = self.network()
        collected = collect(
            network,
            self.batches(pca_sample(self.train_index, settings)),
            {"fit": self.batches(self.train_index), "repair": self.batches(self.failures)},
            settings.reduction_dims,
        )
        clock.append(time.perf_counter())
        abstraction = abstract(collected, settings, self.n_train)
        clock.append(time.perf_counter())
        traces = abstraction.traces
        fetch = self.datamodule.fetch
        view = TrainingView(
            traces["fit"], abstraction.model, self.n_train, network, fetch, ends=abstraction.ends
        )
        scorer = instantiate(self.cfg.influence.method, _convert_="all").fit(view)
        roles = (Role.NEAREST, Role.PARENTS)
        evidence = find_evidence(scorer, view, traces["repair"], roles, self.cfg.influence.top)
        clock.append(time.perf_counter())
        names = ("collect", "abstract", "influence")
        seconds = {n: b - a for n, a, b in zip(names, clock, clock[1:], strict=False)}
        return Analysed(network, abstraction, evidence, seconds)

    def trainer_s(self, *, share: float = 0.0) -> float:
        """Return the seconds of ``training_steps`` steps in the batches of the Trainer.

        Args:
            share: of every batch that is augmented.
        """
        augmentation = self.datamodule.augmentation
        self.datamodule.augmentation = Augmentation(share, augmentation.edits)
        trainer = make_trainer(self.cfg, [], limit_train_batches=self.options.training_steps)
        try:
            trainer.fit(self.make_model(), self.datamodule)
        finally:
            self.datamodule.augmentation = augmentation
        timer = next(c for c in trainer.callbacks if isinstance(c, EpochTimer))
        return timer.epoch_seconds[0]

    def timed_samples(self) -> int:
        """Return the samples of a timed training."""
        wanted = self.options.training_steps * self.cfg.datamodule.batch_size
        return min(wanted, len(self.datamodule.indices("fit")))


def make_trainer(
    cfg: DictConfig,
    analysis: list[pl.Callback],
    *,
    limit_train_batches: int,
    without: Sequence[str] = (),
    **options: Any,
) -> pl.Trainer:
    """Return the configured trainer with its loggers and its callbacks, ``analysis`` at the end.

    Its own callbacks are those that every training has; the chain of the analysis is left out.

    Args:
        cfg: composed configuration.
        analysis: further callbacks.
        limit_train_batches: steps of an epoch, at most.
        without: names of callbacks of every training that are left out.
        **options: of the ``Trainer``, in the place of the configured ones.
    """
    made = [
        instantiate(config, _convert_="all")
        for name, config in cfg.callbacks.items()
        if name not in without and (name != "progress_bar" or cfg.trainer.enable_progress_bar)
    ]
    own = [callback for callback in made if not isinstance(callback, AnalysisCallback)]
    loggers = [instantiate(c, _convert_="all") for c in (cfg.get("logger") or {}).values()]
    return instantiate(
        cfg.trainer,
        callbacks=own + analysis,
        logger=loggers,
        limit_train_batches=limit_train_batches,
        _convert_="all",
        **options,
    )


def train_bare(
    model: SequenceClassifier, data: SequenceBatch, batch_size: int, n_steps: int
) -> float:
    """Train by a plain PyTorch loop over tensors and return its seconds."""
    parameters = [*model.rnn.parameters(), *model.head.parameters()]
    optimizer = model.make_optimizer(parameters)
    model.train()
    done = 0
    start = time.perf_counter()
    while done < n_steps:
        for rows in torch.randperm(len(data)).split(batch_size)[: n_steps - done]:
            optimizer.zero_grad()
            hidden, _ = model.rnn(data.inputs[rows])
            loss = cross_entropy(model.head(hidden[:, -1]), data.label[rows])
            loss.backward()
            optimizer.step()
            done += 1
    return time.perf_counter() - start
