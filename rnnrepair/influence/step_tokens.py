"""Tokens of traces, for whoever cannot do without them."""

from torch import Tensor

from rnnrepair.errors import ConfigurationError
from rnnrepair.traces import Traces


def tokens_in(traces: Traces) -> Tensor:
    """Return the (S,) tokens that traces have read.

    Raises:
        ConfigurationError: they hold none.
    """
    if traces.token is None:
        raise ConfigurationError(
            "Words of traces are needed, and these hold none: the sequences are features, or the "
            "network makes other steps than its texts have tokens. Choose an influence method and "
            "a strategy that need none."
        )
    return traces.token


def token_at(traces: Traces, step: Tensor) -> Tensor:
    """Return the (M,) tokens that M traces read at one step each."""
    return tokens_in(traces)[traces.offsets[:-1] + step]
