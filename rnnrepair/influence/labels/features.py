"""Training samples as vectors of their inputs alone, whatever their lengths."""

from collections.abc import Callable

import numpy as np
import torch
from scipy.sparse import csr_array, hstack
from torch import Tensor

from rnnrepair.influence.inputs import tokens_of
from rnnrepair.influence.labels.series_components import FOUND_ON, series_components
from rnnrepair.influence.labels.text_features import of_length_one, text_features
from rnnrepair.influence.labels.vectors import Features
from rnnrepair.influence.static_inputs import StaticInputs
from rnnrepair.sequences import SequenceBatch
from rnnrepair.traces import Traces

# Sequences fetched at a time.
FETCHED = 2000


def input_features(
    traces: Traces,
    fetch: Callable[[Tensor], SequenceBatch],
    seed: int = 0,
    others: Traces | None = None,
    group: Tensor | None = None,
) -> Features:
    """Return N + M vectors: tf-idf of the tokens of a text, principal components of features.

    See ``text_features`` and ``series_components``. Static inputs of a sequence count as much as
    the sequence.

    Args:
        traces: N training samples, one at least.
        fetch: returns the sequences with some indices.
        seed: of the samples that components are found on, and of convolutions.
        others: M samples that are described by what the training samples have in common; none
            where None.
        group: (N,) int64, equal where training samples belong together; None where each stands
            alone.
    """
    every = [traces] if others is None else [traces, others]
    if not fetch(traces.index[:1]).inputs.is_floating_point():
        texts, *further = [tokens_of(of, fetch) for of in every]
        judged = traces.label, traces.n_classes, seed, group
        words = text_features(texts, further[0] if further else None, *judged)
        beside = _static(every, fetch, 1.0)
        return of_length_one(csr_array(hstack([words, beside]))) if beside.shape[1] else words
    components = series_components(traces, fetch, seed, group)
    batches = (fetch(index) for of in every for index in of.index.split(FETCHED))
    found = torch.cat([components.of(batch) for batch in batches]).numpy()
    spread = float(found[: len(traces)].var(0).sum())
    return np.concatenate([found, _static(every, fetch, spread)], 1)


def _static(
    every: list[Traces], fetch: Callable[[Tensor], SequenceBatch], spread: float
) -> np.ndarray:
    """Return (N + M, S) static inputs, see ``StaticInputs``; S is 0 where there are none.

    Args:
        every: traces of N training samples, and of M others.
        fetch: returns the sequences with some indices.
        spread: of the sequences.
    """
    n = sum(map(len, every))
    if not fetch(every[0].index[:1]).static:
        return np.empty((n, 0), dtype=np.float32)
    scale = StaticInputs.of(fetch(every[0].index[:FOUND_ON]), spread)
    batches = (fetch(index) for of in every for index in of.index.split(FETCHED))
    return torch.cat([scale.vectors(batch) for batch in batches]).numpy()
