"""Refuses to go on from a checkpoint with another configuration than that of the run it is of."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytorch_lightning as pl
from omegaconf import DictConfig, OmegaConf
from typing_extensions import override

from rnnrepair.callbacks.launch.keys import chooser_of, key_of
from rnnrepair.callbacks.launch.shared_base import NOT_OF_THE_BASE, batches_of
from rnnrepair.callbacks.made_with import has_analysed
from rnnrepair.errors import IncompatibleCheckpointError
from rnnrepair.made_with import TARGET, differences

# Callbacks that look on, or tell at the end.
LOOKING_ON = {"epoch_timer", "last_checkpoint", "model_checkpoint", "progress_bar", "repair_report"}
# Arguments of callbacks that change nothing of what is found and done. How many rounds there may be
# is known where the epochs are (``check_rounds``).
FREE_ARGUMENTS = {"called", "dirpath", "notes", "output_dir", "progress", "rounds", "save"}
# Parts of the trainer that say what a step is; all others may change.
OF_A_STEP = {
    "accumulate_grad_batches",
    "gradient_clip_algorithm",
    "gradient_clip_val",
    "limit_train_batches",
    "overfit_batches",
    "precision",
}
# Lengths that a run may be given later, in the schedule and in what follows it.
LATER = {"final_epochs", "final_steps", "share_base", "total_epochs"}
# Parts of the schedule that the base training is made by.
OF_THE_BASE = {"base_epochs", "base_steps", "settle_epochs", "settle_factor"}


class RunSettings(pl.Callback):
    """Keeps the configuration of a run in its checkpoints."""

    def __init__(self, cfg: DictConfig) -> None:
        """Take the configuration, before the program fills anything in."""
        self.settings = plain_of(cfg)

    @override
    def state_dict(self) -> dict[str, Any]:
        return {"settings": self.settings}


def plain_of(cfg: DictConfig) -> dict[str, Any]:
    """Return a configuration as plain values, references resolved."""
    plain: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    return plain


def check_same_settings(cfg: DictConfig, saved: Mapping[str, Any]) -> None:
    """Refuse to go on with settings that the run has not been made by until then.

    What only follows the base training may change until the network has been analysed first.

    Args:
        cfg: of this run, before the program fills anything in.
        saved: the checkpoint.

    Raises:
        IncompatibleCheckpointError: names every key that differs, with both values.
    """
    state = saved.get("callbacks", {}).get(RunSettings.__qualname__)
    if state is None:
        raise IncompatibleCheckpointError(
            f"ckpt_path={cfg.ckpt_path} does not say with which settings it was written (another "
            "version of rnnrepair, or a program of your own): start without ckpt_path."
        )
    then, now, analysed = state["settings"], plain_of(cfg), has_analysed(saved)
    told: dict[str, str] = {}
    for path, old, new in differences(_deciding(then, analysed), _deciding(now, analysed)):
        key, old, new = _as_written(cfg, then, now, path) or (key_of(cfg, path), old, new)
        told[key] = f"{key}={_told(new)} (it had {_told(old)})"
    if told:
        raise IncompatibleCheckpointError(
            f"ckpt_path={cfg.ckpt_path} was written by a run with other settings: "
            f"{', '.join(told.values())}. What was found and done until then would be told by the "
            "new ones: give the old values back, or start anew without ckpt_path. "
            "What may change: the length of training (schedule.total_epochs, "
            "schedule.final_epochs, schedule.final_steps), repair.rounds that are still to come, "
            "studies, loggers, folders, threads, the machine."
        )


def _deciding(plain: Mapping[str, Any], analysed: bool) -> dict[str, Any]:
    """Return what of a configuration has decided on a run so far."""
    callbacks = {
        name: {
            argument: v for argument, v in (node or {}).items() if argument not in FREE_ARGUMENTS
        }
        for name, node in plain["callbacks"].items()
        if name not in LOOKING_ON and (analysed or name not in NOT_OF_THE_BASE)
    }
    ours = {name: node for name, node in callbacks.items() if _is_ours(name, node)}
    model = dict(plain["model"])
    if model.get("scheduler"):
        # What it does after the base training stands in the schedule.
        stages = set(plain["schedule"]) - OF_THE_BASE
        model["scheduler"] = {k: v for k, v in model["scheduler"].items() if k not in stages}
    schedule = {
        name: value
        for name, value in plain["schedule"].items()
        if name in OF_THE_BASE or (analysed and name not in LATER)
    }
    trainer = {name: value for name, value in plain["trainer"].items() if name in OF_A_STEP}
    return {
        "seed": plain["seed"],
        # What corrections say is compared where they are read: the file may have been moved.
        "datamodule": {
            name: v for name, v in batches_of(plain["datamodule"]).items() if name != "corrections"
        },
        "model": model,
        "schedule": schedule,
        "trainer": trainer,
        "callbacks": ours,
    }


def _is_ours(name: str, node: Mapping[str, Any]) -> bool:
    """Return whether a callback is one that results rest on; what a user adds looks on."""
    return name == "kept_checkpoints" or str(node.get(TARGET, "")).startswith("rnnrepair.")


def _as_written(
    cfg: DictConfig, then: Mapping[str, Any], now: Mapping[str, Any], path: str
) -> tuple[str, Any, Any] | None:
    """Return the key that chooses at a path, or above it, with both values; None where none does.

    Such as ``repair.strategy``, where all arguments of the strategy differ.
    """
    for above in _above(path):
        key = chooser_of(cfg, above)
        if key is not None:
            old, new = (OmegaConf.select(OmegaConf.create(dict(p)), key) for p in (then, now))
            if old != new:
                return key, old, new
    return None


def _above(path: str) -> Iterator[str]:
    """Yield the paths that lead to a path, the shortest first, and itself."""
    parts = path.split(".")
    yield from (".".join(parts[: n + 1]) for n in range(len(parts)))


def _told(value: Any) -> str:
    """Return a value as it is written on the command line; of a class its name alone."""
    if isinstance(value, Mapping) and TARGET in value:
        return str(value[TARGET])
    return (
        "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    )
