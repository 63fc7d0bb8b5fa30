"""What the values of a sequence are like, channel by channel, and what is usual of that."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from rnnrepair.sequences.batch import SequenceBatch
from rnnrepair.sequences.names import Names
from rnnrepair.sequences.spec import DataSpec, Kind
from rnnrepair.sequences.written import written

# Training samples that tell what is usual, and channels that are looked at, at most.
LOOKED_AT, CHANNELS = 2000, 64
# Share of the training samples in which a channel is constant, up to which that is unusual.
SELDOM = 0.2


def summaries_of(batch: SequenceBatch, kind: Kind) -> Tensor:
    """Return (B, K) float64: the mean of each channel, its standard deviation, its longest run.

    A run is of steps in a row with the same reading: it is long where readings are missing or a
    sensor is stuck. An image is one channel without runs. Texts have none.

    Args:
        batch: B sequences.
        kind: of the data.
    """
    if kind == Kind.TOKENS:
        return torch.empty(len(batch), 0, dtype=torch.float64)
    values, mask = _channels_of(batch, kind)
    runs = [_longest_run(values, mask)] if kind == Kind.SERIES else []
    return torch.cat([_means_and_spreads(values, mask), *runs], 1)


def means_and_spreads(batch: SequenceBatch, kind: Kind) -> Tensor:
    """Return the first (B, 2 C) float64 of ``summaries_of``, not of texts."""
    return _means_and_spreads(*_channels_of(batch, kind))


def _channels_of(batch: SequenceBatch, kind: Kind) -> tuple[Tensor, Tensor]:
    """Return (B, T, C) float64 values, and (B, T, 1) bool which are there."""
    values, mask = batch.inputs.double(), batch.mask[..., None]
    if kind == Kind.IMAGE:
        mask = mask.expand(values.shape).flatten(1)[..., None]
        values = values.flatten(1)[..., None]
    else:
        values = values[..., :CHANNELS]
    return values.masked_fill(~mask, 0), mask


def _means_and_spreads(values: Tensor, mask: Tensor) -> Tensor:
    n = mask.sum(1)
    mean = values.sum(1) / n
    spread = ((values - mean[:, None]).masked_fill(~mask, 0).square().sum(1) / n).sqrt()
    # Of a channel that never changes, rounding may leave a little.
    least = values.masked_fill(~mask, torch.inf).amin(1)
    largest = values.masked_fill(~mask, -torch.inf).amax(1)
    return torch.cat([mean, spread.masked_fill(least == largest, 0)], 1)


def _longest_run(values: Tensor, mask: Tensor) -> Tensor:
    """Return (B, C) float64: steps of the longest run of one value.

    Args:
        values: (B, T, C).
        mask: (B, T, 1) bool, real steps.
    """
    goes_on = (values[:, 1:] == values[:, :-1]) & mask[:, 1:] & mask[:, :-1]
    step = torch.arange(1, values.shape[1])[:, None].expand(goes_on.shape)
    # The step at which the run began that each step is of.
    began = torch.where(goes_on, 0, step).cummax(1).values
    so_far = torch.nn.functional.pad(step - began, (0, 0, 1, 0))
    return 1.0 + so_far.amax(1).double()


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
    said = ("mean of", "spread of", "longest run of one value in")
    return [f"{what} {channel}" for what in said for channel in channels]


@dataclass(frozen=True)
class Usual:
    """What is usual among training samples.

    Attributes:
        names: of K summaries.
        values: (n, K) float64 of the training samples looked at.
        constant: (K,) float64, share of them in which a channel is constant, by its spread; NaN of
            other summaries, and where more than ``SELDOM`` are.
    """

    names: list[str]
    values: Tensor
    constant: Tensor

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
        n_channels = 1 if spec.kind == Kind.IMAGE else len(names) // 3
        is_spread = torch.arange(len(names)) // max(n_channels, 1) == 1
        constant = (values == 0).double().mean(0)
        return cls(names, values, constant.where(is_spread & (constant <= SELDOM), torch.nan))

    @cached_property
    def resolution(self) -> list[float]:
        """K differences that say something: a tenth of how far ordinary samples are apart."""
        if not self.names:
            return []
        low, high = self.values.quantile(torch.tensor([0.1, 0.9]).double(), 0)
        found: list[float] = ((high - low) / 10).tolist()
        return found

    @cached_property
    def middle(self) -> list[float]:
        """K medians."""
        found: list[float] = self.values.median(0).values.tolist()
        return found

    def said(self, k: int, side: str, limit: float, own: Tensor) -> str:
        """Return what people read of samples beyond a limit.

        Args:
            k: number of the summary.
            side: ``above`` or ``below``.
            limit: that they are beyond.
            own: (m,) summaries of these samples, one at least.
        """
        resolution = self.resolution[k]
        numbers = limit, float(own.median()), self.middle[k]
        beyond, here, there = (written(number, resolution) for number in numbers)
        return f"{self.names[k]} {side} {beyond} (median {here}, of training {there})"

    def limits(self, share: float) -> tuple[Tensor, Tensor]:
        """Return (K,) that a share of the training samples is below, and (K,) that it is above."""
        if not self.names:
            return self.constant, self.constant
        return self.values.quantile(share, 0), self.values.quantile(1 - share, 0)
