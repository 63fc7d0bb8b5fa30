"""Tokens that a network has no entry for."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from rnnrepair.errors import ConfigurationError
from rnnrepair.network.lookup import beyond
from rnnrepair.network.traced import TracedNetwork
from rnnrepair.sequences import SequenceBatch


@contextmanager
def refusing_tokens_beyond(
    network: TracedNetwork, batch: SequenceBatch, largest: int | None
) -> Iterator[None]:
    """Refuse a network that the largest token of the data would break, in whichever split it is.

    Args:
        network: that the block verifies.
        batch: of the data.
        largest: token of all splits; None where nobody knows it, or for other data.

    Raises:
        ConfigurationError: says what to change.
    """
    try:
        yield
        if largest is not None:
            inputs = batch.inputs[:1].clone()
            inputs[:, 0] = largest
            network.logits(replace(batch.rows(slice(1)), inputs=inputs))
    except IndexError as error:
        if largest is None:
            raise
        raise ConfigurationError(
            f"{type(network.module).__name__} cannot look up all tokens of the data, of which "
            f"{largest} is the largest ({error}). {beyond(largest)}"
        ) from error
