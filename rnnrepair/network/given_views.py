"""What the batches that a user's data give hold of the sequences."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch

from rnnrepair.network.views import View, recognise, unlike_each
from rnnrepair.sequences import SequenceBatch
from rnnrepair.tensors import tensors_in

# In which training is given a batch, and how an analysis reads that; see ``calls.Form``.
Form = Callable[[SequenceBatch], tuple[Any, SequenceBatch]]


def given_views(batch: SequenceBatch, form: Form) -> dict[str, View] | None:
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
    for again, other in _given_again(batch, form):
        pairs = zip(tensors, tensors_in(again), strict=False)
        return dict(found for pair in pairs if (found := recognise(pair, [read, other])))
    return {}


def views_by_key(batch: SequenceBatch, form: Form) -> dict[str, tuple[str, View]]:
    """Return which views the entries of the user's batches are, by key, where these are dicts.

    Args:
        batch: with B, T and F all different.
        form: see ``given_views``.

    Raises:
        Exception: whatever the user's code raises on this batch.
    """
    given, read = form(batch)
    if not isinstance(given, Mapping):
        return {}
    for again, other in _given_again(batch, form):
        pairs = {
            key: [value, again[key]]
            for key, value in given.items()
            if isinstance(key, str) and isinstance(value, torch.Tensor) and key in again
        }
        compared = ((key, recognise(pair, [read, other])) for key, pair in pairs.items())
        return {key: found for key, found in compared if found is not None}
    return {}


def _given_again(batch: SequenceBatch, form: Form) -> Iterable[tuple[Any, SequenceBatch]]:
    """Yield what training is given for batches unlike this one, and how that is read."""
    for unlike in unlike_each(batch):
        try:
            yield form(unlike)
        except Exception:  # noqa: S112  # code that checks its items: a batch less unlike is next
            continue
