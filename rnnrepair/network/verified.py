"""From a module and its data to the view that an analysis reads."""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from torch import nn

from rnnrepair.network.calls import Call
from rnnrepair.network.no_words import refuse_numbers_as_words
from rnnrepair.network.tokens_beyond import refusing_tokens_beyond
from rnnrepair.network.traced import TracedNetwork
from rnnrepair.protocols import RepairableData

log = logging.getLogger(__name__)

# Sequences, spread over the fit split, among which those are looked for that a view is verified on.
VERIFIED_ON = 200


def verified(
    module: nn.Module,
    data: RepairableData,
    tap: str | None = None,
    call: Call | None = None,
    context: Callable[[], AbstractContextManager[Any]] = nullcontext,
) -> TracedNetwork:
    """Return the view of a module, verified on sequences of the fit split.

    Args:
        module: any recurrent classifier.
        data: that it is trained on, set up.
        tap: see ``TracedNetwork.of``, as are the others.
        call: calls the module with a batch; found where None.
        context: makes what the module runs in.

    Raises:
        ConfigurationError: the network cannot be read, see ``TracedNetwork.verify``; or its inputs
            are whole numbers that are no words, or words that it does not know.
    """
    network = TracedNetwork.of(module, data.spec, tap, call, context, data.training_form)
    index = data.indices("fit")
    every = max(len(index) // VERIFIED_ON, 1)
    sample = data.fetch(index[::every])
    with refusing_tokens_beyond(network, sample, data.spec.largest_token):
        network.verify(sample)
    refuse_numbers_as_words(network, sample, named=bool(data.spec.token_names))
    if tap is not None and not network.remembers(sample):
        log.warning(
            "tap=%r has no memory: its last state is the same whatever came before the last few "
            "steps, so its states cannot tell where a sequence went wrong. Name a recurrent layer, "
            "or tap=None, which looks for one.",
            tap,
        )
    return network
