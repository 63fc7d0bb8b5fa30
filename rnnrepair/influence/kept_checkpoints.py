"""Weights of the network at several moments of its training, out of checkpoints of Lightning."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from rnnrepair.errors import IncompatibleCheckpointError
from rnnrepair.influence.gradients import Parts
from rnnrepair.safe_loading import read_checkpoint

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class KeptWeights:
    """What a checkpoint says of one moment.

    Attributes:
        step: optimizer steps made until then.
        rate: learning rate of the steps that follow.
        weights: by the names of ``Parts.parameters``.
    """

    step: int
    rate: float
    weights: Mapping[str, Tensor]


def kept_weights(
    checkpoints: str | Path | Sequence[str | Path], module: nn.Module
) -> list[KeptWeights]:
    """Read the weights of a network at all moments that were kept, the earliest first, each once.

    Args:
        checkpoints: files, or a folder, all of whose ``.ckpt`` files are read; one that is not
            there yet holds none.
        module: the network.

    Raises:
        ConfigurationError: the module is none that gradients are known of.
        IncompatibleCheckpointError: a file cannot be read, is of another network, or holds no
            learning rate.
    """
    if isinstance(checkpoints, str | Path):
        files = sorted(Path(checkpoints).glob("*.ckpt"))
    else:
        files = [Path(file) for file in checkpoints]
    names = Parts.of(module).names_in(module)
    found = [_kept(file, names, module) for file in files]
    # The last one may lie there twice (ModelCheckpoint with save_last=True).
    by_step = {kept.step: kept for kept in found}
    return [by_step[step] for step in sorted(by_step)]


def _kept(file: Path, names: Mapping[str, str], module: nn.Module) -> KeptWeights:
    saved = read_checkpoint(file)
    state, wanted = saved.get("state_dict", {}), dict(module.named_parameters())
    other = [n for n in names.values() if n not in state or state[n].shape != wanted[n].shape]
    if other:
        raise IncompatibleCheckpointError(
            f"checkpoints: {file} is none of this {type(module).__name__}, whose {other[0]} of "
            f"shape {tuple(wanted[other[0]].shape)} it does not hold: name checkpoints of the same "
            "training."
        )
    weights = {name: state[theirs] for name, theirs in names.items()}
    return KeptWeights(int(saved.get("global_step", 0)), _rate_of(saved, file), weights)


def _rate_of(saved: Mapping[str, Any], file: Path) -> float:
    groups = [g for o in saved.get("optimizer_states", []) for g in o.get("param_groups", [])]
    rates = {float(group["lr"]) for group in groups if "lr" in group}
    if len(rates) != 1:
        raise IncompatibleCheckpointError(
            f"checkpoints: {file} holds {len(rates)} learning rates, expected one, by which the "
            "checkpoint counts: keep the state of the optimizer (ModelCheckpoint with "
            "save_weights_only=False), and train all parameters at one rate."
        )
    return rates.pop()
