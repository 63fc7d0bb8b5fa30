"""What occurs in a series, wherever it does: random convolutions."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import conv1d

from rnnrepair.seeding import torch_generator
from rnnrepair.sequences import SequenceBatch

# Kernels in all, and steps that each of them reads.
KERNELS = 400
TAPS = 9
# Random mixtures of the channels that kernels read; kernels of all channels take F times as long.
MIXTURES = 32
# Series that the levels of kernels are drawn from.
LEVELS_OF = 200
# Products of a sequence and a kernel that are in memory at a time.
AT_A_TIME = 16_000_000


@dataclass(frozen=True, eq=False)
class _Kernels:
    """K kernels of one dilation.

    Attributes:
        dilation: steps from one value that is read to the next.
        weight: (K, 1, TAPS).
        level: (K,) that answers are compared with.
    """

    dilation: int
    weight: Tensor
    level: Tensor

    def answers(self, mixed: Tensor) -> Tensor:
        """Return (B, K, T) products with (B, R, T) mixtures."""
        return _convolved(mixed, self.weight, self.dilation)


@dataclass(frozen=True, eq=False)
class RandomConvolutions:
    """How often, and how much, random kernels answer to a series.

    Two recordings of one sound that begin at different times have nothing in common step by step,
    and nearly all here.

    Source: Dempster, Petitjean and Webb, "ROCKET: Exceptionally Fast and Accurate Time Series
    Classification Using Random Convolutional Kernels", Data Mining and Knowledge Discovery 2020;
    here kernels read random mixtures of the channels.

    Attributes:
        mean: (F,) of the channels.
        mixture: (F, R) of the channels less their means.
        kernels: of several dilations.
    """

    mean: Tensor
    mixture: Tensor
    kernels: tuple[_Kernels, ...]

    @classmethod
    def of(cls, batch: SequenceBatch, seed: int = 0) -> "RandomConvolutions":
        """Draw kernels, and their levels from some (B, T, F) series."""
        generator = torch_generator(seed, "random convolutions")
        inputs, n_channels = batch.zero_padded[:LEVELS_OF], batch.inputs.shape[2]
        mask = batch.mask[:LEVELS_OF]
        steps = inputs[mask]
        deviation = steps.std(0, correction=0)
        # What never changes says nothing.
        scale = torch.where(deviation > 0, 1 / deviation, 0)
        mixture = _mixtures(n_channels, generator) * scale[:, None]
        mixed = (inputs - steps.mean(0)).matmul(mixture).masked_fill(~mask[..., None], 0).mT
        kernels = []
        dilations = _dilations(int(batch.lengths.median()))
        n_mixtures = mixture.shape[1]
        # As many kernels read each mixture.
        each = max(1, KERNELS // len(dilations) // n_mixtures) * n_mixtures
        for dilation in dilations:
            weight = torch.randn(each, 1, TAPS, generator=generator)
            weight -= weight.mean(2, keepdim=True)
            answers = _convolved(mixed, weight, dilation).transpose(0, 1)[:, mask].sort(1).values
            place = torch.rand(each, generator=generator) * (answers.shape[1] - 1)
            level = answers.gather(1, place.long()[:, None])[:, 0]
            kernels.append(_Kernels(dilation, weight, level))
        return cls(steps.mean(0), mixture, tuple(kernels))

    def features(self, batch: SequenceBatch) -> Tensor:
        """Return (B, 2 K): the share of the steps above each level, and the largest answer."""
        widest = max(len(of.level) for of in self.kernels) * batch.inputs.shape[1]
        n_rows = max(1, AT_A_TIME // widest)
        rows = torch.arange(len(batch)).split(n_rows)
        return torch.cat([self._features(batch.rows(part)) for part in rows])

    def _features(self, batch: SequenceBatch) -> Tensor:
        real = batch.mask[:, None]
        mixed = (batch.zero_padded - self.mean).matmul(self.mixture).mT.masked_fill(~real, 0)
        found = []
        for kernels in self.kernels:
            answers = kernels.answers(mixed)
            above = (answers > kernels.level[:, None]) & real
            found.append(above.sum(2) / batch.lengths[:, None])
            found.append(answers.masked_fill(~real, -torch.inf).amax(2))
        return torch.cat(found, 1)


def _convolved(mixed: Tensor, weight: Tensor, dilation: int) -> Tensor:
    behind = TAPS // 2 * dilation
    return conv1d(mixed, weight, padding=behind, dilation=dilation, groups=mixed.shape[1])


def _mixtures(n_channels: int, generator: torch.Generator) -> Tensor:
    """Return (F, R) random mixtures of one channel up to all; of one channel that alone."""
    if n_channels == 1:
        return torch.ones(1, 1)
    share = torch.rand(MIXTURES, generator=generator)
    n_mixed = (2 ** (share * math.log2(n_channels + 1))).long().clamp(1, n_channels)
    rank = torch.rand(n_channels, MIXTURES, generator=generator).argsort(0).argsort(0)
    mixture = torch.randn(n_channels, MIXTURES, generator=generator) * (rank < n_mixed)
    return mixture / mixture.norm(dim=0)


def _dilations(n_steps: int) -> list[int]:
    """Return powers of two up to those by which a kernel reads a whole series."""
    most = max(1, (n_steps - 1) // (TAPS - 1))
    return [2**power for power in range(int(math.log2(most)) + 1)]
