"""Reduced states of a trained network, read from disk where they were kept."""

import inspect
import logging
from collections.abc import Sequence
from pathlib import Path

import torch

from rnnrepair.abstraction import (
    AbstractionSettings,
    Collected,
    collect_splits,
    reduction_fingerprint,
)
from rnnrepair.fingerprint import fingerprint_config, fingerprint_files, fingerprint_state
from rnnrepair.network import TracedNetwork
from rnnrepair.progress import Progress
from rnnrepair.protocols import RepairableData, Split

log = logging.getLogger(__name__)

# Sequences of each split whose states are compared with those that were kept.
COMPARED = 64
# Share of the answers after their steps that may differ.
ROUNDED = 0.01


def states_of(
    network: TracedNetwork,
    data: RepairableData,
    splits: Sequence[Split],
    settings: AbstractionSettings,
    kept: Path | None,
    progress: Progress,
) -> Collected:
    """Return the reduced states of some splits: one pass of the network, and one over a sample.

    Args:
        network: verified.
        data: set up.
        splits: of the data.
        settings: of the abstraction.
        kept: file that holds them afterwards, or holds them already; None keeps nothing.
        progress: see ``Progress``.
    """
    if kept is not None and kept.is_file():
        found = Collected.load(kept)
        if _are_of(found, network, data):
            log.info("Reduced states taken from %s", kept)
            return found
        log.warning(
            "The states that are kept in %s are not those of this network (its code, an attribute, "
            "or how it is given its sequences have changed): they are collected anew.",
            kept,
        )
    collected = collect_splits(network, data, splits, settings, progress)
    if kept is not None:
        collected.save(kept)
    return collected


def _are_of(kept: Collected, network: TracedNetwork, data: RepairableData) -> bool:
    """Return whether a network goes the way that was kept, on some sequences of each split.

    Code that is imported, and attributes that are no weights, are in no digest.
    """
    for states in kept.states.values():
        rows = torch.arange(min(COMPARED, len(states.index)))
        end = int(states.offsets[len(rows)])
        there = kept.reduction.to(network.device)
        (now,) = network.steps([data.fetch(states.index[rows])], there)
        if not torch.equal(now.lengths, states.offsets.diff()[rows]):
            return False
        # Other batches round otherwise, which may turn an answer that hangs in the balance.
        other = (now.prediction != states.prediction[:end]).double().mean()
        alike = torch.allclose(now.hidden, states.vector[:end], rtol=1e-3, atol=1e-3)
        if not alike or float(other) > ROUNDED:
            return False
    return True


def states_name(
    network: TracedNetwork,
    data: RepairableData,
    splits: Sequence[Split],
    settings: AbstractionSettings,
    tap: str | None,
) -> str | None:
    """Return the name of a file of reduced states: a digest of all that they depend on.

    None where that cannot be told: data without a ``fingerprint``, or a network whose source is in
    no file (it was typed into an interpreter).
    """
    data_fingerprint = getattr(data, "fingerprint", None)
    try:
        source = Path(inspect.getfile(type(network.module)))
    except (OSError, TypeError):
        source = Path()
    if not data_fingerprint or not source.is_file():
        log.info("States are not kept: the data have no fingerprint, or the network no file.")
        return None
    found = {
        "weights": fingerprint_state(network.module.state_dict()),
        "network": fingerprint_files([source]),
        "data": data_fingerprint,
        # Injected and changed samples.
        "changes": fingerprint_state(data.state_dict()),
        "splits": list(splits),
        "reduction": reduction_fingerprint(settings, tap),
        "torch": str(torch.__version__),
    }
    return f"{fingerprint_config(found)[:32]}.safetensors"
