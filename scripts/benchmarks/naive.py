"""The ranking as it was published: for every query all features, padded, repeated, compared.

Source: RNNRepair equation 3 and its code; numpy in double precision, as there.
"""

import numpy as np
import torch
from torch import Tensor

from rnnrepair.traces import Traces

Features = np.ndarray


def feature_rows(traces: Traces, confidence: Tensor) -> Features:
    """Return (S, 2 + C) rows [ID, step label, C_q] of all steps, IDs from 1."""
    state = traces.state.long()
    return np.column_stack(
        [state.numpy() + 1, traces.prediction.numpy(), confidence[state].numpy()]
    ).astype(np.float64)


def pad(features: Features, traces: Traces, n_steps: int) -> np.ndarray:
    """Return (N, T, 2 + C), zero rows on padding."""
    mask = (torch.arange(n_steps) < traces.lengths[:, None]).numpy()
    padded = np.zeros((*mask.shape, features.shape[1]))
    padded[mask] = features
    return padded


def pad_both(
    train: Traces, train_features: Features, query: Traces, query_features: Features
) -> tuple[np.ndarray, np.ndarray]:
    """Return both sides padded to the longest of all."""
    n_steps = int(max(train.lengths.max(), query.lengths.max()))
    return pad(train_features, train, n_steps), pad(query_features, query, n_steps)


def paper(
    train: Traces, train_features: Features, query: Traces, query_features: Features
) -> tuple[np.ndarray, np.ndarray]:
    """Return the (N,) distances of all training traces to one query, and their order."""
    rows, goal = pad_both(train, train_features, query, query_features)
    for padded in (rows, goal):
        padded[..., 0] = (padded[..., 0] + 1) / (train.n_states + 2)
        padded[..., 1] = (padded[..., 1] + 1) / (train.n_classes + 1)
    distance = np.abs(rows - np.repeat(goal, len(train), axis=0)).mean(axis=(1, 2))
    return distance, np.argsort(distance)


def aligned(
    train: Traces, train_features: Features, query: Traces, query_features: Features
) -> tuple[np.ndarray, np.ndarray]:
    """Return the same for the aligned distance of traces of one length (images)."""
    rows, goal = pad_both(train, train_features, query, query_features)
    step = (rows[..., :2] != goal[..., :2]).sum(-1) + np.abs(rows - goal)[..., 2:].sum(-1) / 2
    distance = step.mean(1) / 3
    return distance, np.argsort(distance)
