"""What the values of a sequence are like, channel by channel, and what is usual of that."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from rnnrepair.sequences.batch import SequenceBatch
from rnnrepair.sequences.names import Names
from rnnrepair.sequences.spec import DataSpec, Kind

# Training samples that tell what is usual, and channels that are looked at, at most.
LOOKED_AT, CHANNELS = 2000, 64
# Share of the training samples beyond a limit, on either side.
BEYOND = 0.01


def summaries_of(batch: SequenceBatch, kind: Kind) -> Tensor:
    """Return (B, 2 C) float64: the mean of each channel, then its standard deviation.

    An image is one channel. Texts have none.

    Args:
        batch: B sequences.
        kind: of the data.
    """
    if kind == Kind.TOKENS:
        return torch.empty(len(batch), 0, dtype=torch.float64)
    values, mask = batch.inputs.double(), batch.mask[..., None]
    if kind == Kind.IMAGE:
        mask = mask.expand(values.shape).flatten(1)[..., None]
        values = values.flatten(1)[..., None]
    else:
        values = values[..., :CHANNELS]
    values, n = values.masked_fill(~mask, 0), mask.sum(1)
    mean = values.sum(1) / n
    spread = ((values - mean[:, None]).masked_fill(~mask, 0).square().sum(1) / n).sqrt()
    return torch.cat([mean, spread], 1)


def looked_at(index: Tensor) -> Tensor:
    """Return at most ``LOOKED_AT`` of (n,) indices, evenly spread."""
    place = torch.linspace(0, len(index) - 1, min(len(index), LOOKED_AT))
    return index[place.long()]


def names_of_summaries(spec: DataSpec) -> list[str]:
    """Return what the columns of ``summaries_of`` are called."""
    if spec.kind == Kind.TOKENS:
        return []
    if spec.kind == Kind.IMAGE:
        return ["brightness", "contrast"]
    names = Names.of(spec)
    channels = [f"channel {names.of_channel(c)}" for c in range(min(spec.step_width, CHANNELS))]
    return [f"{what} of {channel}" for what in ("mean", "spread") for channel in channels]


@dataclass(frozen=True)
class Usual:
    """What is usual among training samples.

    Attributes:
        names: of K summaries.
        low: (K,) that a hundredth of the training samples is below.
        high: (K,) that a hundredth is above.
        varies: (K,) bool, spreads of channels that are constant in no training sample looked at.
    """

    names: list[str]
    low: Tensor
    high: Tensor
    varies: Tensor

    @classmethod
    def of(cls, spec: DataSpec, fetch: Callable[[Tensor], SequenceBatch], index: Tensor) -> "Usual":
        """Look at training samples.

        Args:
            spec: of the data.
            fetch: indices to sequences.
            index: (n,) of the training samples, one at least.
        """
        values = summaries_of(fetch(looked_at(index)), spec.kind)
        names = names_of_summaries(spec)
        if not names:
            nothing = torch.empty(0, dtype=torch.float64)
            return cls([], nothing, nothing, nothing.bool())
        low, high = (values.quantile(at, 0) for at in (BEYOND, 1 - BEYOND))
        is_spread = torch.arange(len(names)) >= len(names) // 2
        return cls(names, low, high, is_spread & (values > 0).all(0))
