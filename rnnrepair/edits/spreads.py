"""How far the values of each channel usually are apart, as numbers that a ledger can hold."""

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from rnnrepair.errors import ConfigurationError
from rnnrepair.sequences.rough_scale import POWERS

# Channels that one number tells of, and bits of each: a power of two, negative ones as complements.
# Whole numbers up to 2 ** 53 are exact in float64.
CHANNELS, BITS = 8, 6
PREFIX = "spread_"


def spreads_of(spreads: Sequence[float], n: int) -> dict[str, Tensor]:
    """Return (n,) float64 parameters of n edits that say the spread of each channel.

    Args:
        spreads: of each channel, rounded to powers of two; none where all are 1.
        n: edits.
    """
    powers = [round(math.log2(spread)) for spread in spreads]
    powers = [min(max(power, POWERS[0]), POWERS[1]) for power in powers]
    if not any(powers):
        return {}
    words = [0] * -(-len(powers) // CHANNELS)
    for channel, power in enumerate(powers):
        words[channel // CHANNELS] |= (power % 2**BITS) << (BITS * (channel % CHANNELS))
    return {
        f"{PREFIX}{number}": torch.full((n,), float(word), dtype=torch.float64)
        for number, word in enumerate(words)
    }


def spreads_in(parameters: Mapping[str, Tensor], n_channels: int) -> Tensor:
    """Return the (B, F) float64 spreads that edits tell; 1 where they tell none.

    Args:
        parameters: (B,) of the edits.
        n_channels: F.

    Raises:
        ConfigurationError: a channel has a spread that is not there.
    """
    n = len(next(iter(parameters.values())))
    words = sum(name.startswith(PREFIX) for name in parameters)
    power = torch.zeros(n, max(n_channels, CHANNELS * words), dtype=torch.long)
    for number in range(words):
        word = parameters[f"{PREFIX}{number}"].long()[:, None]
        bits = (word >> (BITS * torch.arange(CHANNELS))) % 2**BITS
        first = CHANNELS * number
        power[:, first : first + CHANNELS] = torch.where(bits > POWERS[1], bits - 2**BITS, bits)
    if bool(power[:, n_channels:].any()):
        wrong = n_channels + int(power[:, n_channels:].any(0).nonzero()[-1])
        raise ConfigurationError(
            f"spreads are given up to channel {wrong}, the series have channels 0 .. "
            f"{n_channels - 1}: give one of each channel."
        )
    return torch.exp2(power[:, :n_channels].double())
