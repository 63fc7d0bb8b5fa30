"""One interface for influence: which training samples stand behind each failure."""

from dataclasses import replace
from typing import Protocol

import torch
from torch import Tensor

from rnnrepair.abstraction import AbstractModel
from rnnrepair.errors import ConfigurationError
from rnnrepair.influence.contexts import ContextIndex
from rnnrepair.influence.distance import Distance, step_distance
from rnnrepair.influence.ranking import Ranking, TraceIndex, rank_by_label
from rnnrepair.influence.result import Influence
from rnnrepair.influence.segments import responsible_step
from rnnrepair.influence.transitions import TransitionIndex
from rnnrepair.influence.usable import usable_sources
from rnnrepair.sequences import EVERY_KIND, Kind
from rnnrepair.traces import Traces


class InfluenceMethod(Protocol):
    """Anything that finds training samples behind failures.

    Attributes:
        name: for messages.
        fits: kinds of data that it reads.
        finds: optional fields of ``Influence`` that it fills.
    """

    name: str
    fits: frozenset[Kind]
    finds: frozenset[str]

    def __call__(
        self,
        model: AbstractModel,
        fit: Traces,
        failures: Traces,
        n_original: int | None = None,
    ) -> Influence:
        """Return the influential samples of every failure.

        Args:
            model: the abstract model that made the traces.
            fit: N training traces, original samples first, then injected ones.
            failures: M traces.
            n_original: number of original samples, the only ones that may be sources: an edit of
                an edit could drift out of the limits that keep its label. None: all of them.
        """
        ...


def _indices(traces: Traces, ranking: Ranking) -> Tensor:
    return torch.where(ranking.row >= 0, traces.index[ranking.row], -1)


def _influence(fit: Traces, failures: Traces, nearest: Ranking, sources: Ranking) -> Influence:
    """Turn rows of the training traces into sample indices."""
    return Influence(
        failures,
        _indices(fit, nearest),
        nearest.distance,
        _indices(fit, sources),
        sources.distance,
    )


def _original(fit: Traces, n_original: int | None) -> Tensor:
    """(N,) bool: samples that were not injected."""
    return torch.arange(len(fit)) < (len(fit) if n_original is None else n_original)


def _sources(fit: Traces, n_original: int | None) -> Tensor:
    """(N,) bool: original samples that may be sources, see ``usable_sources``."""
    original = _original(fit, n_original)
    return original & usable_sources(fit.label, fit.correct & original)


def _checked(top: int) -> int:
    if top < 1:
        raise ConfigurationError(f"influence.top must be at least 1, got {top}.")
    return top


class TraceSimilarity:
    """Influence as similarity of temporal features (RNNRepair equation 3)."""

    name = "similarity"
    fits = EVERY_KIND
    finds: frozenset[str] = frozenset()

    def __init__(self, distance: str = "aligned", top: int = 20, seed: int = 0) -> None:
        """Keep the settings.

        Args:
            distance: ``aligned`` or ``paper``, see ``step_distance``.
            top: samples kept per failure.
            seed: of the order of ties.

        Raises:
            ConfigurationError: unknown distance, or ``top`` below 1.
        """
        if distance not in list(Distance):
            raise ConfigurationError(
                f"influence.distance must be one of {[d.value for d in Distance]}, got "
                f"{distance!r}."
            )
        self.distance = Distance(distance)
        self.top = _checked(top)
        self.seed = seed

    def __call__(
        self,
        model: AbstractModel,
        fit: Traces,
        failures: Traces,
        n_original: int | None = None,
    ) -> Influence:
        """Rank all training traces for all failures (see ``InfluenceMethod``)."""
        return self.ranked(self.index(model, fit, failures), failures, n_original)

    def index(self, model: AbstractModel, fit: Traces, failures: Traces) -> TraceIndex:
        """Prepare training traces for ranking by the failures."""
        longest = int(failures.lengths.max()) if len(failures) else 1
        return TraceIndex(fit, step_distance(model, self.distance), longest, self.seed)

    def ranked(self, index: TraceIndex, failures: Traces, n_original: int | None) -> Influence:
        """Rank indexed training traces for all failures."""
        fit = index.traces
        nearest = index.rank(failures, self.top)
        usable = _sources(fit, n_original)
        sources = rank_by_label(index, failures, failures.label, self.top, usable)
        return _influence(fit, failures, nearest, sources)


class SegmentInfluence:
    """Similarity, and the training samples that come to where each failure goes wrong.

    Source: RNNRepair section 4.4; the contrast is ours.
    """

    name = "segment"
    fits = frozenset({Kind.TOKENS})
    finds = frozenset({"contexts", "drawn", "opposites", "contrast"})

    def __init__(self, distance: str = "aligned", top: int = 20, seed: int = 0) -> None:
        """Keep the settings.

        Args:
            distance: see ``TraceSimilarity``.
            top: samples kept per failure, of each kind.
            seed: of the order of ties, and of the random samples.
        """
        self.similarity = TraceSimilarity(distance, top, seed)
        self.top = top
        self.seed = seed

    def __call__(
        self,
        model: AbstractModel,
        fit: Traces,
        failures: Traces,
        n_original: int | None = None,
    ) -> Influence:
        """Rank training traces and their contexts for all failures (see ``InfluenceMethod``).

        Raises:
            ConfigurationError: the traces hold no tokens.
        """
        contexts = ContextIndex(fit, self.seed)
        index = self.similarity.index(model, fit, failures)
        influence = self.similarity.ranked(index, failures, n_original)
        originals = _original(fit, n_original)
        opposites = rank_by_label(
            index, failures, failures.final_prediction, self.top, fit.correct & originals
        )
        nearest, drawn = contexts.nearest_and_drawn(
            failures, responsible_step(failures), self.top, originals, failures.label
        )
        return replace(
            influence,
            contexts=nearest,
            drawn=drawn,
            opposites=_indices(fit, opposites),
            contrast=_mean_distance(influence.source_distance) - _mean_distance(opposites.distance),
        )


def _mean_distance(distance: Tensor) -> Tensor:
    """Return (M,) mean of the finite distances (M, top), NaN where there are none."""
    finite = distance.isfinite()
    return torch.where(finite, distance, 0).sum(1) / finite.sum(1)


class TransitionOverlap:
    """Influence as the share of a failure's transitions that a training sample takes too."""

    name = "overlap"
    fits = EVERY_KIND
    finds: frozenset[str] = frozenset()

    def __init__(self, top: int = 20, seed: int = 0) -> None:
        """Keep the settings.

        Args:
            top: samples kept per failure.
            seed: of the order of ties.

        Raises:
            ConfigurationError: ``top`` below 1.
        """
        self.top = _checked(top)
        self.seed = seed

    def __call__(
        self,
        model: AbstractModel,
        fit: Traces,
        failures: Traces,
        n_original: int | None = None,
    ) -> Influence:
        """Rank all training traces for all failures (see ``InfluenceMethod``)."""
        nearest = TransitionIndex.build(fit, self.seed).rank(failures, self.top)
        usable = _sources(fit, n_original)
        row = torch.full_like(nearest.row, -1)
        distance = torch.full(row.shape, torch.inf)
        for label in failures.label.unique():
            chosen = failures.label == label
            rows = (usable & (fit.label == label)).nonzero()[:, 0]
            if len(rows) == 0:
                continue
            index = TransitionIndex.build(fit.select(rows), self.seed)
            ranking = index.rank(failures.select(chosen), self.top)
            row[chosen] = torch.where(ranking.row >= 0, rows[ranking.row], -1)
            distance[chosen] = ranking.distance
        return _influence(fit, failures, nearest, Ranking(row, distance))
