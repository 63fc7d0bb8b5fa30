"""What the batches that a user's data give hold of the sequences."""

from collections.abc import Callable
from typing import Any

from rnnrepair.network.views import View, recognise, unlike_each
from rnnrepair.sequences import SequenceBatch
from rnnrepair.tensors import tensors_in


def given_views(
    batch: SequenceBatch, form: Callable[[SequenceBatch], tuple[Any, SequenceBatch]]
) -> dict[str, View] | None:
    """Return which views of a batch stand in the user's batches, by name, in their order.

    What makes batches of items may pad otherwise, change numbers or drop lengths: then they are
    missing.

    Args:
        batch: with B, T and F all different.
        form: returns what training is given for some sequences, and how an analysis reads that.

    Returns:
        None where training is given a ``SequenceBatch``, which holds everything.

    Raises:
        Exception: whatever the user's code raises on this batch.
    """
    given, read = form(batch)
    if isinstance(given, SequenceBatch):
        return None
    tensors = list(tensors_in(given))
    for unlike in unlike_each(batch):
        try:
            again, other = form(unlike)
        except Exception:  # noqa: S112  # code that checks its items: a batch less unlike is next
            continue
        pairs = zip(tensors, tensors_in(again), strict=False)
        return dict(found for pair in pairs if (found := recognise(pair, [read, other])))
    return {}
