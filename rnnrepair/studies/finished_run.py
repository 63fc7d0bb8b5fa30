"""What a study gets: a trained network with its data, and everything that was computed of them."""

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace

import torch
from torch import Tensor

from rnnrepair.abstraction import (
    Abstraction,
    AbstractionSettings,
    AbstractModel,
    Clustering,
    Collected,
    LastStates,
    Mixture,
    ReducedStates,
    Reduction,
    abstract,
    check_distinct,
    collect_splits,
    count_predictions,
    fit_clustering,
    sample_steps,
)
from rnnrepair.errors import ConfigurationError
from rnnrepair.influence import Need, TrainingDynamics, TrainingView, Trajectory, held_out_of
from rnnrepair.network import TracedNetwork
from rnnrepair.progress import Progress, silent
from rnnrepair.protocols import (
    RepairableData,
    Split,
    checked_labels,
    columns_of_samples,
    groups_of_samples,
)
from rnnrepair.seeding import derive_seed, torch_generator
from rnnrepair.studies.training import Train
from rnnrepair.traces import Traces

# Name of the network that training ends with.
LAST = "last"
# What studies look at; the failures of `repair` are no business of theirs.
SPLITS: tuple[Split, ...] = ("fit", "val", "test")
_RECORDERS = {Need.DYNAMICS: "TrainingDynamicsRecorder", Need.TRAJECTORY: "TrajectoryRecorder"}


@dataclass
class FinishedRun:
    """A network that is trained, and its data; states are collected when first asked for, once.

    Injected samples are left out: a study is about the data as they came.

    Attributes:
        network: that was trained, verified.
        data: set up.
        settings: how hidden states are grouped, where a study does not say otherwise.
        progress: see ``Progress``.
        checkpoint: name of the network; results of different ones are kept apart.
        told: which network it is, for the reader.
        dynamics: what its training has shown of each sample; None where nobody has recorded it.
        trajectory: every step of its training; None where nobody has recorded it.
        recorded: which of the two will be there when training has ended.
        train: trains the network again, on changed data; None where nobody has said how.
    """

    network: TracedNetwork
    data: RepairableData
    settings: AbstractionSettings
    _: KW_ONLY
    progress: Progress = silent
    checkpoint: str = LAST
    told: str = "as training ended"
    dynamics: TrainingDynamics | None = None
    trajectory: Trajectory | None = None
    recorded: frozenset[Need] = frozenset()
    train: Train | None = None
    _collected: Collected | None = None

    def missing(self) -> dict[Need, str]:
        """Return what influence methods cannot be given, each with the reason."""
        there = {Need.DYNAMICS: self.dynamics, Need.TRAJECTORY: self.trajectory}
        return {
            need: f"nobody has recorded the training: list {_RECORDERS[need]} among its callbacks."
            for need, recorded in there.items()
            if recorded is None and need not in self.recorded
        }

    def training_view(self, model: AbstractModel, traces: Mapping[Split, Traces]) -> TrainingView:
        """Return what influence methods read of the training samples.

        Args:
            model: that made the traces, as ``abstraction`` returns it.
            traces: of every split.
        """
        fit = traces["fit"]
        return TrainingView(
            fit,
            model,
            len(fit),
            self.network,
            self.data.fetch,
            dynamics=self.dynamics,
            states=self.states()["fit"],
            ends=LastStates.of(self.states().values()),
            trajectory=self.trajectory,
            columns=columns_of_samples(self.data),
            groups=groups_of_samples(self.data),
            checked=checked_labels(self.data),
            held_out=held_out_of(traces),
            scale=self.data.spec.scale,
        )

    @property
    def n_classes(self) -> int:
        """C."""
        return self.data.spec.n_classes

    def states(self, dims: int | None = None) -> Mapping[Split, ReducedStates]:
        """Return the reduced states of every split: the first ``dims`` principal components.

        The network runs once, for the widest reduction asked for so far: fewer components are a
        part of more. Ask for the widest first.
        """
        return self._of_dims(dims).states

    def reduction(self, dims: int | None = None) -> Reduction:
        """Return the projection that makes ``states(dims)``."""
        return self._of_dims(dims).reduction

    def _of_dims(self, dims: int | None) -> Collected:
        dims = self.settings.reduction_dims if dims is None else dims
        if self._collected is None or not self._collected.reduction.holds(dims):
            self._collected = self._collect(dims)
        return self._collected.narrowed(dims)

    def _collect(self, dims: int) -> Collected:
        fit_index = self.data.indices("fit")
        settings = replace(self.settings, reduction_dims=dims)
        collected = collect_splits(self.network, self.data, SPLITS, settings, self.progress)
        # Injected samples have the highest indices.
        fit = collected.states["fit"].between(0, len(fit_index))
        return replace(collected, states={**collected.states, "fit": fit})

    def mixture(
        self,
        n_components: int,
        dims: int | None = None,
        clustering: str | None = None,
        at_most: int | None = None,
        seed: int | None = None,
    ) -> Mixture:
        """Group the steps as a run does in its first analysed epoch, on the same sample of them.

        Args:
            n_components: K.
            dims: principal components.
            clustering: see ``Clustering``.
            at_most: states that it is fitted on, for clusterings that cannot take the sample.
            seed: of the partition, where it is not the run's.
        """
        settings = self.settings
        sample = self.sample(dims)
        if at_most is not None and at_most < len(sample):
            generator = torch_generator(settings.seed, "smaller sample")
            sample = sample[torch.randperm(len(sample), generator=generator)[:at_most]]
        return fit_clustering(
            settings.clustering if clustering is None else clustering,
            sample,
            n_components,
            derive_seed(settings.seed if seed is None else seed, "mixture", n_components),
            settings.max_iter,
            settings.tol,
        )

    def sample(self, dims: int | None = None) -> Tensor:
        """Return the (n, k) reduced states that abstract states are fitted on."""
        fit = self.states(dims)["fit"]
        return fit.vector[sample_steps(len(fit.vector), self.settings)]

    def check_distinct(
        self, sizes: Sequence[int], key: str, dims: Sequence[int | None] = (None,)
    ) -> None:
        """Refuse a K above the number of different states; before anything is fitted.

        Raises:
            ConfigurationError: names the argument ``key``.
        """
        for n_dims in dims:
            check_distinct(self.sample(n_dims), max(sizes), key)

    def check_sizes(self, sizes: Sequence[int], key: str) -> None:
        """Refuse what ``check_points`` refuses, and any K where the clustering finds its own.

        Raises:
            ConfigurationError: names the argument ``key``.
        """
        if self.settings.clustering == Clustering.MEAN_SHIFT:
            raise ConfigurationError(
                f"{key} says how many states, and clustering=mean_shift finds a number of its own: "
                "choose another clustering (ClusteringComparison compares them all)."
            )
        self.check_points(sizes, key)

    def check_points(self, sizes: Sequence[int], key: str) -> None:
        """Refuse a K above the number of steps that states are fitted on; before any work.

        Raises:
            ConfigurationError: names the argument ``key``.
        """
        if max(sizes) > self.settings.fit_states:
            raise ConfigurationError(
                f"{key} asks for {max(sizes)} states, more than the {self.settings.fit_states} "
                "steps that they are fitted on: lower it, or raise fit_states."
            )

    def chosen(self) -> Abstraction:
        """Return the abstraction that a run with these settings makes in its first epoch."""
        fit = self.states()["fit"]
        return abstract(self._of_dims(None), self.settings, len(fit))

    def abstraction(
        self,
        n_components: int,
        dims: int | None = None,
        clustering: str | None = None,
        at_most: int | None = None,
        seed: int | None = None,
    ) -> tuple[AbstractModel, dict[Split, Traces]]:
        """Return the abstract model of a K, and the traces of every split; see ``mixture``."""
        mixture = self.mixture(n_components, dims, clustering, at_most, seed)
        traces = {
            split: states.traces(mixture, self.n_classes)
            for split, states in self.states(dims).items()
        }
        counts = count_predictions(traces["fit"].code, mixture.n_components, self.n_classes)
        return AbstractModel(self.reduction(dims), mixture, counts), traces
