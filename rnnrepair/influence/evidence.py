"""The training samples behind failures, by the role that they play."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from safetensors.torch import save_file
from torch import Tensor

from rnnrepair.atomic import write_file
from rnnrepair.errors import ConfigurationError
from rnnrepair.influence.contexts import ContextIndex, Contexts
from rnnrepair.influence.method import Scorer
from rnnrepair.influence.moved_last import moved_last
from rnnrepair.influence.ranking import Ranking
from rnnrepair.influence.role import Role
from rnnrepair.influence.segments import responsible_segment, responsible_step
from rnnrepair.influence.step_tokens import token_at, tokens_in
from rnnrepair.influence.usable import usable_parents
from rnnrepair.influence.view import TrainingView
from rnnrepair.traces import Traces

T = TypeVar("T")


@dataclass(frozen=True)
class Neighbours:
    """Training samples of M failures, most influential first.

    Attributes:
        index: (M, top) int64 sample indices, -1 where there are no more.
        distance: (M, top) float32, infinite there.
    """

    index: Tensor
    distance: Tensor


@dataclass(frozen=True)
class Evidence:
    """What is known of M failures; a role is None where nobody has asked for it.

    Attributes:
        failures: their traces.
        step: (M,) int64, see ``responsible_step``.
        segment: (M, 2) int64, see ``responsible_segment``.
        nearest: see ``Role``, as the other five.
        parents: correctly classified original samples of the true label; all originals of that
            label where none is.
        opponents: correctly classified original samples of the predicted label.
        contexts: samples of the true label that come to where each failure goes wrong.
        random_contexts: the same, drawn at random.
        holders: original samples that hold the token at the responsible step.
    """

    failures: Traces
    step: Tensor
    segment: Tensor
    nearest: Neighbours | None = None
    parents: Neighbours | None = None
    opponents: Neighbours | None = None
    contexts: Contexts | None = None
    random_contexts: Contexts | None = None
    holders: Neighbours | None = None

    def __len__(self) -> int:
        return len(self.failures)

    @property
    def contrast(self) -> Tensor | None:
        """(M,) float32 mean distance to the parents minus that to the opponents.

        Above 0 where the failure is more like the latter, NaN where there are none of either. None
        where one of them was not looked for.
        """
        if self.parents is None or self.opponents is None:
            return None
        return _mean(self.parents.distance) - _mean(self.opponents.distance)

    def select(self, rows: Tensor) -> "Evidence":
        """Return what is known of some of the failures."""
        return Evidence(
            self.failures.select(rows),
            self.step[rows],
            self.segment[rows],
            *(_rows(getattr(self, role), rows) for role in _ROLES),
        )

    def without(self, index: Tensor) -> "Evidence":
        """Return the same without the (n,) samples with these indices; others move up."""
        samples = (_spared(getattr(self, role), index) for role in _ROLES)
        return Evidence(self.failures, self.step, self.segment, *samples)

    def save(self, path: Path) -> None:
        """Write the tables as one safetensors file; loading it runs no code."""
        tensors = {
            "failure": self.failures.index,
            "label": self.failures.label,
            "predicted": self.failures.final_prediction,
            "step": self.step,
            "segment": self.segment,
        }
        for role in Role:
            samples = getattr(self, role)
            if samples is not None:
                tensors |= {f"{role}_{part}": tensor for part, tensor in vars(samples).items()}
        with write_file(path) as draft:
            save_file({name: t.contiguous() for name, t in tensors.items()}, draft)


# In the order of the fields.
_ROLES = (
    Role.NEAREST,
    Role.PARENTS,
    Role.OPPONENTS,
    Role.CONTEXTS,
    Role.RANDOM_CONTEXTS,
    Role.HOLDERS,
)


def find_evidence(
    scorer: Scorer,
    view: TrainingView,
    failures: Traces,
    roles: Collection[Role],
    top: int = 20,
    seed: int = 0,
) -> Evidence:
    """Find the training samples behind failures.

    Args:
        scorer: of the samples of the view.
        view: the training data.
        failures: M traces.
        roles: what is looked for.
        top: samples a failure and role.
        seed: of the order of equally good contexts, and of random ones.

    Raises:
        ConfigurationError: contexts or holders are looked for, and the traces hold no tokens.
    """
    step = responsible_step(failures)
    nearest = parents = opponents = holders = None
    if Role.NEAREST in roles:
        nearest = _neighbours(view, scorer.rank(failures, top))
    label, correct = view.traces.label, view.traces.correct
    if Role.PARENTS in roles:
        usable = view.original & usable_parents(label, correct & view.original)
        parents = _of_label(scorer, view, failures, failures.label, usable, top)
    if Role.OPPONENTS in roles:
        usable = view.original & correct
        opponents = _of_label(scorer, view, failures, failures.final_prediction, usable, top)
    if Role.HOLDERS in roles:
        holders = _holding(scorer, view, failures, token_at(failures, step), top)
    contexts = random_contexts = None
    if Role.CONTEXTS in roles or Role.RANDOM_CONTEXTS in roles:
        near, drawn = ContextIndex(view.traces, seed).nearest_and_drawn(
            failures, step, top, view.original, failures.label
        )
        contexts = near if Role.CONTEXTS in roles else None
        random_contexts = drawn if Role.RANDOM_CONTEXTS in roles else None
    segment = responsible_segment(failures, view.model.confidence)
    return Evidence(
        failures=failures,
        step=step,
        segment=segment,
        nearest=nearest,
        parents=parents,
        opponents=opponents,
        contexts=contexts,
        random_contexts=random_contexts,
        holders=holders,
    )


def found(samples: T | None, role: Role) -> T:
    """Return the samples of a role that is needed.

    Raises:
        ConfigurationError: nobody has looked for them.
    """
    if samples is None:
        raise ConfigurationError(
            f"Needed are {role}, which were not looked for: a strategy names the roles that it "
            "reads in `needs`, a program in find_evidence(roles=...)."
        )
    return samples


def _rows(samples: T | None, rows: Tensor) -> T | None:
    """Return the samples of some failures."""
    if samples is None:
        return None
    return type(samples)(*(part[rows] for part in vars(samples).values()))


def _spared(samples: T | None, index: Tensor) -> T | None:
    """Return the samples that are not among (n,) indices, before places without one."""
    if samples is None:
        return None
    parts: list[Tensor] = list(vars(samples).values())
    return type(samples)(*moved_last(torch.isin(parts[0], index), *parts))


def _neighbours(view: TrainingView, ranking: Ranking) -> Neighbours:
    """Turn rows of the training traces into sample indices."""
    index = torch.where(ranking.row >= 0, view.traces.index[ranking.row], -1)
    return Neighbours(index, ranking.distance)


def _of_label(
    scorer: Scorer, view: TrainingView, failures: Traces, wanted: Tensor, usable: Tensor, top: int
) -> Neighbours:
    """Rank, for each failure, usable samples of the label that it wants.

    Args:
        scorer: of the samples of the view.
        view: the training data.
        failures: M traces.
        wanted: (M,) classes.
        usable: (N,) bool.
        top: samples a failure.
    """
    row = torch.full((len(failures), top), -1)
    distance = torch.full((len(failures), top), torch.inf)
    for c in wanted.unique():
        chosen = wanted == c
        ranking = scorer.rank(failures.select(chosen), top, usable & (view.traces.label == c))
        row[chosen], distance[chosen] = ranking.row, ranking.distance
    return _neighbours(view, Ranking(row, distance))


def _holding(
    scorer: Scorer, view: TrainingView, failures: Traces, wanted: Tensor, top: int
) -> Neighbours:
    """Rank, for each failure, original samples that hold the token that it wants.

    Args:
        scorer: of the samples of the view.
        view: the training data.
        failures: M traces.
        wanted: (M,) tokens.
        top: samples a failure.
    """
    row = torch.full((len(failures), top), -1)
    distance = torch.full((len(failures), top), torch.inf)
    token = tokens_in(view.traces)
    owner = torch.arange(len(view.traces)).repeat_interleave(view.traces.lengths)
    for word in wanted.unique():
        usable = torch.zeros_like(view.original)
        usable[owner[token == word]] = True
        chosen = wanted == word
        ranking = scorer.rank(failures.select(chosen), top, usable & view.original)
        row[chosen], distance[chosen] = ranking.row, ranking.distance
    return _neighbours(view, Ranking(row, distance))


def _mean(distance: Tensor) -> Tensor:
    """Return (M,) mean of the finite distances (M, top), NaN where there are none."""
    finite = distance.isfinite()
    return torch.where(finite, distance, 0).sum(1) / finite.sum(1)
