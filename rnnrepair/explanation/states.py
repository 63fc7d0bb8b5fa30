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
        log.info("Reduced states taken from %s", kept)
        return Collected.load(kept)
    collected = collect_splits(network, data, splits, settings, progress)
    if kept is not None:
        collected.save(kept)
    return collected


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
