"""What a model without memory predicts: it sees which steps there are, not their order."""

from collections.abc import Callable

import numpy as np
import torch
from scipy.sparse import csr_array
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from rnnrepair.influence import token_bags, tokens_of
from rnnrepair.protocols import RepairableData
from rnnrepair.seeding import torch_generator
from rnnrepair.sequences import Kind, SequenceBatch
from rnnrepair.traces import Traces

# Sequences fetched at a time.
AT_A_TIME = 2000

Fetch = Callable[[Tensor], SequenceBatch]


def predict_without_order(
    fit: Traces, queries: Traces, data: RepairableData, n_train: int, seed: int
) -> Tensor:
    """Return the (M,) int64 classes that a logistic regression predicts for queries.

    Of tokens it sees how often each occurs; of features their mean, deviation, smallest and largest
    value over the steps.

    Args:
        fit: N training samples.
        queries: M sequences, one at least.
        data: that both are of.
        n_train: training samples that it is fitted on, drawn at random where there are more.
        seed: of the draw.
    """
    order = torch.randperm(len(fit), generator=torch_generator(seed, "simple model"))
    fit = fit.select(order[:n_train].sort().values)
    if len(fit.label.unique()) < 2:
        return fit.label[:1].expand(len(queries))
    of_tokens = data.spec.kind == Kind.TOKENS
    seen = _counts if of_tokens else _summaries
    scaler = StandardScaler(with_mean=not of_tokens)
    model = make_pipeline(scaler, LogisticRegression(max_iter=1000))
    here, there = seen(fit, queries, data.fetch)
    model.fit(here, fit.label.numpy())
    return torch.from_numpy(model.predict(there)).long()


def _counts(fit: Traces, queries: Traces, fetch: Fetch) -> tuple[csr_array, csr_array]:
    """Return (N, V) and (M, V) counts of tokens."""
    texts = [tokens_of(fit, fetch), tokens_of(queries, fetch)]
    n_tokens = 1 + max(int(token.max()) for token, _ in texts)
    here, there = (token_bags(token, offsets, n_tokens) for token, offsets in texts)
    return here, there


def _summaries(fit: Traces, queries: Traces, fetch: Fetch) -> tuple[np.ndarray, np.ndarray]:
    """Return (N, 4 F) and (M, 4 F) summaries of F features."""
    here, there = (
        torch.cat([_summary(fetch(index)) for index in of.index.split(AT_A_TIME)]).numpy()
        for of in (fit, queries)
    )
    return here, there


def _summary(batch: SequenceBatch) -> Tensor:
    """Return (B, 4 F): mean, deviation, smallest and largest value of F features over the steps."""
    real, n_steps = batch.mask[..., None], batch.lengths[:, None]
    mean = batch.inputs.where(real, 0).sum(1) / n_steps
    apart = (batch.inputs - mean[:, None]).where(real, 0)
    return torch.cat(
        [
            mean,
            (apart.square().sum(1) / n_steps).sqrt(),
            batch.inputs.where(real, torch.inf).amin(1),
            batch.inputs.where(real, -torch.inf).amax(1),
        ],
        1,
    )
