"""Where the values of each channel usually lie, as numbers that a ledger can hold."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from rnnrepair.errors import ConfigurationError

PREFIX = "middle_"


def middles_of(middles: Sequence[float], n: int) -> dict[str, Tensor]:
    """Return (n,) float64 parameters of n edits that say the middle of each channel but 0.

    Args:
        middles: of each channel; none where all are 0.
        n: edits.
    """
    return {
        f"{PREFIX}{channel}": torch.full((n,), float(middle), dtype=torch.float64)
        for channel, middle in enumerate(middles)
        if middle != 0
    }


def middles_in(parameters: Mapping[str, Tensor], n_channels: int) -> Tensor | None:
    """Return the (B, F) float64 middles that edits tell; None where they tell none.

    Args:
        parameters: (B,) of the edits.
        n_channels: F.

    Raises:
        ConfigurationError: a channel has a middle that is not there.
    """
    own = {name: values for name, values in parameters.items() if name.startswith(PREFIX)}
    if not own:
        return None
    found = torch.zeros(len(next(iter(own.values()))), n_channels, dtype=torch.float64)
    for name, values in own.items():
        channel = int(name.removeprefix(PREFIX))
        if channel >= n_channels:
            raise ConfigurationError(
                f"middles are given up to channel {channel}, the series have channels 0 .. "
                f"{n_channels - 1}: give one of each channel."
            )
        found[:, channel] = values
    return found


def around_zero(parameters: Mapping[str, Tensor], chosen: Tensor) -> dict[str, Tensor]:
    """Return the middles of edits, 0 for chosen ones.

    Readings of nothing, and of the other sign, are so around 0, wherever those of a channel lie.

    Args:
        parameters: (B,) of the edits.
        chosen: (B,) bool.
    """
    own = {name: values for name, values in parameters.items() if name.startswith(PREFIX)}
    return {name: values.masked_fill(chosen, 0.0) for name, values in own.items()}
