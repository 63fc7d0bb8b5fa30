"""Which channels an edit leaves alone or swaps, as numbers that a ledger can hold."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from rnnrepair.errors import ConfigurationError

# Channels that one number tells of: whole numbers up to 2 ** 53 are exact in float64.
BITS = 48


def spared_channels(spared: Mapping[str, Sequence[int]], n: int) -> dict[str, Tensor]:
    """Return (n,) float64 parameters of n edits that say which channels a kind leaves alone.

    Bit c of ``spared_KIND_w`` stands for channel ``48 w + c``.

    Args:
        spared: channels by kind of edit.
        n: edits.
    """
    words: dict[str, int] = {}
    for kind, channels in spared.items():
        for channel in set(channels):
            word, bit = divmod(channel, BITS)
            name = f"spared_{kind}_{word}"
            words[name] = words.get(name, 0) | 1 << bit
    return {
        name: torch.full((n,), float(word), dtype=torch.float64) for name, word in words.items()
    }


def channels_on(parameters: Mapping[str, Tensor], kind: str, n_channels: int) -> Tensor | None:
    """Return (B, F) bool: the channels that a kind of edit changes; None where it changes all.

    Args:
        parameters: (B,) of the edits.
        kind: of edit.
        n_channels: F.

    Raises:
        ConfigurationError: a channel is spared that is not there.
    """
    on = None
    for name, words in parameters.items():
        if not name.startswith(f"spared_{kind}_"):
            continue
        first = BITS * int(name.rsplit("_", 1)[1])
        bits = (words.long()[:, None] >> torch.arange(BITS)) & 1 == 1
        channel = first + torch.arange(BITS)
        if bool(bits[:, channel >= n_channels].any()):
            wrong = int(channel[(bits & (channel >= n_channels)).any(0)][0])
            raise ConfigurationError(
                f"{kind} spares channel {wrong}, the series have channels 0 .. {n_channels - 1}."
            )
        if on is None:
            on = torch.ones(len(words), n_channels, dtype=torch.bool)
        there = channel < n_channels
        on[:, channel[there]] &= ~bits[:, there]
    return on


def swapped_channels(inputs: Tensor, one: Tensor, other: Tensor) -> Tensor:
    """Return (B, T, F) series in which two channels have taken each other's place.

    Args:
        inputs: (B, T, F).
        one: (B,) the number of a channel, for each series.
        other: (B,) the other one; nothing changes where both are the same.

    Raises:
        ConfigurationError: a channel is not there.
    """
    n_channels = inputs.shape[2]
    pair = torch.stack([one, other], 1).long()
    if not bool(((pair >= 0) & (pair < n_channels)).all()):
        raise ConfigurationError(
            f"Channels {pair.min()} and {pair.max()} are to be swapped, the series have channels "
            f"0 .. {n_channels - 1}."
        )
    source = torch.arange(n_channels).repeat(len(inputs), 1).scatter_(1, pair, pair.flip(1))
    return inputs.gather(2, source[:, None].expand(inputs.shape).to(inputs.device))
