"""How far scores of training samples agree with retraining, and with each other."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from scipy import stats
from torch import Tensor
from torch.nn.functional import cross_entropy

from rnnrepair.network import TracedNetwork, logits_of
from rnnrepair.protocols import RepairableData


@dataclass(frozen=True)
class Halves:
    """Trainings on m halves of N samples.

    Attributes:
        member: (m, N) bool.
        loss: (M, m) of the failures, after each.
    """

    member: Tensor
    loss: Tensor


def extremes(scores: Tensor, order: Tensor, top: int, *, highest: bool = True) -> Tensor:
    """Return the (M, top) rows of highest or of lowest scores (M, N), ties in an order (N,)."""
    place = scores[:, order].argsort(dim=1, descending=highest, stable=True)[:, :top]
    return order[place]


def overlaps(of: Tensor, exact: Tensor, label: Tensor) -> pd.DataFrame:
    """Return which share of (M, k) samples is among (M, k) others.

    Columns: overlap; chance, that of samples drawn at random with the labels that the former have.

    Args:
        of: rows of training samples.
        exact: the same, of what they are compared with.
        label: (N,) of all training samples.
    """
    n_classes = int(label.max()) + 1
    size = label.bincount(minlength=n_classes).clamp_min(1).double()
    rows = []
    for here, there in zip(of, exact, strict=True):
        counts = [label[rows_].bincount(minlength=n_classes).double() for rows_ in (here, there)]
        chance = float((counts[0] * counts[1] / size).sum()) / len(here)
        overlap = float(torch.isin(here, there).double().mean())
        rows.append({"overlap": overlap, "chance": chance})
    return pd.DataFrame(rows)


def correlations(scores: Tensor, halves: Halves) -> np.ndarray:
    """Return (M,) rank correlations of summed scores and losses; 0 where sums do not differ.

    Args:
        scores: (M, N), above 0 where a sample raises the loss.
        halves: that networks were trained on.
    """
    predicted = (scores.double() @ halves.member.double().T).numpy()
    found = [
        stats.spearmanr(own, loss).statistic if np.ptp(own) > 0 and np.ptp(loss) > 0 else 0.0
        for own, loss in zip(predicted, halves.loss.numpy(), strict=True)
    ]
    return np.array(found)


def losses(network: TracedNetwork, data: RepairableData, index: Tensor) -> Tensor:
    """Return the (n,) cross entropies of some sequences, in their order."""
    logits = logits_of(network, data.fetch, index).double()
    return cross_entropy(logits, data.fetch(index).label, reduction="none")
