"""From reduced states to an abstract model and the traces of every split."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor

from rnnrepair.abstraction.clustering import Clustering, fit_clustering
from rnnrepair.abstraction.collect import Collected
from rnnrepair.abstraction.last_states import LastStates
from rnnrepair.abstraction.matching import match_states
from rnnrepair.abstraction.mixture import Mixture, count_distinct, fit_mixture
from rnnrepair.abstraction.model import AbstractModel
from rnnrepair.abstraction.reduced import ReducedStates
from rnnrepair.abstraction.selection import Candidate, Selection, choose
from rnnrepair.abstraction.stability import Stability, count_predictions
from rnnrepair.errors import ConfigurationError
from rnnrepair.protocols import Split
from rnnrepair.seeding import derive_seed, torch_generator
from rnnrepair.settings import NOT_EMPTY, Count, Share, Size, at_least, check_settings, one_of
from rnnrepair.traces import Traces

log = logging.getLogger(__name__)

# One state tells nothing apart. Studies may list it, as the least there is to compare with.
NumStates = Annotated[int, at_least(2)]


@dataclass(frozen=True)
class AbstractionSettings:
    """How hidden states are grouped.

    Attributes:
        n_components: K, or several K to choose from.
        selection: rule for several K, see ``Selection``.
        stability_threshold: mean stability that the ``stability`` rule asks for.
        clustering: how states are grouped, see ``Clustering``; only ``gmm`` starts from the last
            epoch's states.
        reduction_dims: principal components kept.
        fit_sequences: sequences of the fit split that the PCA sees (None: all, a second pass).
        fit_states: states that the mixture is fitted on.
        max_iter: EM iterations at most.
        tol: EM stops when the mean log-likelihood gains less.
        seed: of the sample and the mixture.
    """

    n_components: NumStates | Annotated[Sequence[NumStates], NOT_EMPTY] = 43
    selection: Annotated[str, one_of(Selection)] = Selection.BIC
    stability_threshold: Share = 0.72
    clustering: Annotated[str, one_of(Clustering)] = Clustering.GMM
    reduction_dims: Count = 10
    fit_sequences: Count | None = 2048
    fit_states: Annotated[int, at_least(2)] = 20_000
    max_iter: Count = 100
    tol: Size = 1e-3
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be fitted.

        Raises:
            SettingsError: names every value that is out of range or contradicts another one.
        """
        check_settings(AbstractionSettings, vars(self), _few_enough, _choosable)

    @property
    def sizes(self) -> list[int]:
        """Every K that is tried."""
        return _listed(self.n_components)


def _listed(n_components: int | Sequence[int]) -> list[int]:
    return [n_components] if isinstance(n_components, int) else list(n_components)


def _few_enough(n_components: int | Sequence[int], fit_states: int) -> str | None:
    if max(_listed(n_components)) <= fit_states:
        return None
    return (
        f"{max(_listed(n_components))} are more than the hidden states that they are fitted on "
        f"(fit_states={fit_states}): lower the one or raise the other"
    )


def _choosable(selection: str, clustering: str, n_components: int | Sequence[int]) -> str | None:
    chosen = len(_listed(n_components)) > 1 and selection == Selection.BIC
    if not chosen or Clustering(clustering).has_likelihood:
        return None
    return (
        f"bic cannot choose, since clustering={clustering} has no likelihood: take stability, or "
        "one n_components"
    )


@dataclass(frozen=True)
class Abstraction:
    """The abstract model of one epoch and what it makes of every split.

    Attributes:
        model: the abstract model.
        traces: by split; ``fit`` holds the original sequences first, then the injected ones.
        candidates: every K that was tried, judged on ``val``.
        bic: of the chosen mixture on its fitting sample.
        drift: share of sample steps whose state has changed since the last analysed epoch.
        sample_state: (n,) int64 states of the sample steps, the memory for the next epoch.
        ends: reduced states that the sequences of all splits end in.
    """

    model: AbstractModel
    traces: Mapping[Split, Traces]
    candidates: list[Candidate]
    bic: float
    drift: float | None
    sample_state: Tensor
    ends: LastStates

    @property
    def stability(self) -> Stability:
        """Stability on the training traces."""
        return self.model.stability


def pca_sample(fit_index: Tensor, settings: AbstractionSettings) -> Tensor:
    """Return the indices of the fit sequences that the PCA sees, the same in every epoch."""
    wanted = settings.fit_sequences
    if wanted is None or wanted >= len(fit_index):
        return fit_index
    generator = torch_generator(settings.seed, "pca sample")
    return fit_index[torch.randperm(len(fit_index), generator=generator)[:wanted]]


def sample_steps(n_steps: int, settings: AbstractionSettings) -> Tensor:
    """Return the ascending positions of the steps that the mixture is fitted on.

    They are the same in every epoch: that is what makes warm start and matching possible.
    """
    if n_steps <= settings.fit_states:
        return torch.arange(n_steps)
    generator = torch_generator(settings.seed, "mixture sample")
    return torch.randperm(n_steps, generator=generator)[: settings.fit_states].sort().values


def abstract(
    collected: Collected,
    settings: AbstractionSettings,
    n_original: int,
    previous_state: Tensor | None = None,
) -> Abstraction:
    """Fit a mixture for every K, choose one on ``val``, and trace every split with it.

    Where there are fewer different states than K, there is a state for each of them.

    Args:
        collected: of ``fit`` and of further splits; ``val`` is needed for a choice.
        settings: see ``AbstractionSettings``.
        n_original: number of fit sequences that were there from the start (not injected).
        previous_state: ``sample_state`` of the last analysed epoch.

    Raises:
        ConfigurationError: there is no ``val`` split to choose on.
    """
    states, n_classes = collected.states, collected.n_classes
    fit = states["fit"]
    positions = sample_steps(int(fit.offsets[n_original]), settings)
    sample = fit.vector[positions]
    mixtures = [
        _fit_matched(sample, n_components, settings, previous_state)
        for n_components in _possible(sample, settings)
    ]
    chosen, candidates = 0, []
    if len(mixtures) > 1:
        candidates = [_judge(m, states.get("val"), n_classes) for m, _ in mixtures]
        chosen = choose(candidates, Selection(settings.selection), settings.stability_threshold)
    mixture, drift = mixtures[chosen]
    traces = {split: s.traces(mixture, n_classes) for split, s in states.items()}
    counts = count_predictions(traces["fit"].code, mixture.n_components, n_classes)
    return Abstraction(
        AbstractModel(collected.reduction, mixture, counts),
        traces,
        candidates,
        mixture.bic(sample),
        drift,
        traces["fit"].state[positions].long(),
        LastStates.of(states.values()),
    )


def _possible(sample: Tensor, settings: AbstractionSettings) -> list[int]:
    """Return every K, none above the number of different states in the (n, k) sample.

    A network that has collapsed, or short sequences of few values, must not end a run.
    """
    wanted = max(settings.sizes)
    if settings.clustering == Clustering.MEAN_SHIFT:  # finds a number of its own
        return settings.sizes
    n_distinct = count_distinct(sample, wanted)
    if n_distinct < wanted:
        log.warning(
            "n_components=%d, but only %d of the %d hidden states that the abstraction is fitted "
            "on are different: it has as many states. Lower n_components; has the network "
            "collapsed?",
            wanted,
            n_distinct,
            len(sample),
        )
    return list(dict.fromkeys(min(k, n_distinct) for k in settings.sizes))


def _fit_matched(
    sample: Tensor,
    n_components: int,
    settings: AbstractionSettings,
    previous_state: Tensor | None,
) -> tuple[Mixture, float | None]:
    """Fit one mixture, started from and renumbered to the last epoch's states."""
    n_previous = 0 if previous_state is None else int(previous_state.max()) + 1
    seed = derive_seed(settings.seed, "mixture", n_components)
    if settings.clustering == Clustering.GMM:
        warm = previous_state is not None and n_previous <= n_components
        mixture = fit_mixture(
            sample,
            n_components,
            seed,
            previous_state=previous_state if warm else None,
            max_iter=settings.max_iter,
            tol=settings.tol,
        )
    else:
        mixture = fit_clustering(
            settings.clustering, sample, n_components, seed, settings.max_iter, settings.tol
        )
    n_components = mixture.n_components
    if previous_state is None:
        return mixture, None
    new_id, drift = match_states(
        previous_state, mixture.assign(sample), max(n_previous, n_components), n_components
    )
    return mixture.renumbered(new_id), drift


def _judge(mixture: Mixture, val: ReducedStates | None, n_classes: int) -> Candidate:
    if val is None:
        raise ConfigurationError(
            "n_components is a list, so K is chosen on the val split, but the data have none: give "
            "them one (val_share > 0), or a single n_components."
        )
    code = val.traces(mixture, n_classes).code
    stability = Stability.of(count_predictions(code, mixture.n_components, n_classes))
    return Candidate(mixture.n_components, mixture.bic(val.vector), stability.mean)
