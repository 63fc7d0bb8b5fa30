"""Takes up a run that has ended: its configuration, its data and what its checkpoints hold."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import pytorch_lightning as pl
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from rnnrepair.abstraction import AbstractionSettings
from rnnrepair.callbacks.launch.kept_corrections import take_kept_corrections
from rnnrepair.callbacks.launch.keys import keys_told
from rnnrepair.callbacks.launch.networks import checkpoint_file, network_told
from rnnrepair.callbacks.launch.own_packages import search_in
from rnnrepair.callbacks.launch.plan import plan_epochs
from rnnrepair.callbacks.launch.run_paths import began_in, find_paths, missing_file
from rnnrepair.callbacks.launch.user_errors import USER_ERRORS
from rnnrepair.callbacks.training_dynamics import TrainingDynamicsRecorder
from rnnrepair.errors import ConfigurationError, IncompatibleCheckpointError
from rnnrepair.influence import TrainingDynamics
from rnnrepair.record import RunRecord
from rnnrepair.safe_loading import read_checkpoint
from rnnrepair.studies import LAST

# Callbacks that leave a record where a run has ended.
RECORDING = ("repair_report", "target_curve")


@dataclass(frozen=True)
class FinishedFolder:
    """The folder of a run of ``train.py`` that has ended.

    Attributes:
        folder: of the run.
        cfg: its configuration, with this folder as the output.
    """

    folder: Path
    cfg: DictConfig

    @classmethod
    def open(cls, folder: Path, data_dir: str | None = None, instead: str = "") -> "FinishedFolder":
        """Read the configuration of a run.

        Args:
            folder: of the run.
            data_dir: of the data sets, where it is not the run's any more; a file of the user's own
                that is in it is read there.
            instead: what to do where the run is one of a program of one's own, which leaves no
                configuration to make its network of.

        Raises:
            IncompatibleCheckpointError: the folder is none of a run, or the run has not ended.
        """
        config, last = folder / ".hydra" / "config.yaml", folder / "checkpoints" / f"{LAST}.ckpt"
        missing = [str(path) for path in (config, last) if not path.is_file()]
        if missing and RunRecord.is_in(folder) and not config.is_file():
            raise IncompatibleCheckpointError(
                f"run={folder} was made by a program of your own, and this command cannot make its "
                f"network: {instead}."
            )
        if missing:
            raise IncompatibleCheckpointError(
                f"run={folder} is no finished run of train.py: {' and '.join(missing)} are "
                "missing. Name a folder such as outputs/mnist_repair/<time>."
            )
        cfg: DictConfig = OmegaConf.load(config)  # type: ignore[assignment]
        if any(cfg.callbacks.get(name) for name in RECORDING) and not RunRecord.is_in(folder):
            raise IncompatibleCheckpointError(
                f"run={folder} has not ended: it has no record/. Go on with it first: "
                f"python train.py ... ckpt_path={last}"
            )
        OmegaConf.update(cfg, "paths.output_dir", str(folder))
        take_kept_corrections(cfg, folder)
        find_paths(cfg, folder, data_dir)
        return cls(folder, cfg)

    def checkpoint(self, name: str = LAST) -> dict[str, Any]:
        """Load the checkpoint of a network; see ``checkpoint_file``.

        Raises:
            ConfigurationError: there is none of that name.
            IncompatibleCheckpointError: it is damaged.
        """
        return read_checkpoint(checkpoint_file(self.folder, name))

    def told(self, name: str, saved: Mapping[str, Any]) -> str:
        """Return what people read of a network.

        Args:
            name: see ``checkpoint_file``.
            saved: its checkpoint.
        """
        return network_told(checkpoint_file(self.folder, name), saved)

    def data(self, saved: Mapping[str, Any]) -> Any:
        """Return the data module of the run, set up: data as they came, nothing injected.

        Args:
            saved: a checkpoint, which says which data they were.

        Raises:
            ConfigurationError: the class of the data module cannot be imported.
            IncompatibleCheckpointError: they are others now, or gone, or the configuration is of
                another version.
        """
        self._check_class("datamodule")
        gone = missing_file(self.cfg)
        if gone is not None:
            raise IncompatibleCheckpointError(
                f"The run of {self.folder} was made with {gone}, which is not there any more: put "
                "it back, or name the folder that it is in now with data_dir=."
            )
        try:
            datamodule = instantiate(self.cfg.datamodule, _convert_="all")
            datamodule.setup()
        except InstantiationException as error:
            if isinstance(error.__cause__, USER_ERRORS):
                raise error.__cause__ from None
            raise IncompatibleCheckpointError(
                f"{self.folder} was made by another version of rnnrepair: train it again. ({error})"
            ) from error
        remedy = (
            "the folder it was made with in data_dir=, or in RNNREPAIR_DATA; where that is right, "
            "train it anew (earlier versions split texts with copies otherwise)"
        )
        of_same_data(datamodule, saved, f"The run of {self.folder}", remedy)
        return datamodule

    def network(self, datamodule: Any, saved: Mapping[str, Any]) -> pl.LightningModule:
        """Rebuild the network of the run.

        Args:
            datamodule: of the run; other texts have another vocabulary.
            saved: a checkpoint, which holds the weights.

        Raises:
            ConfigurationError: the class of the network cannot be imported.
            IncompatibleCheckpointError: the run is of another version.
        """
        self._check_class("model")
        try:
            make_model = instantiate(self.cfg.model, _partial_=True, _convert_="all")
            model: pl.LightningModule = make_model(**datamodule.model_arguments())
            model.load_state_dict(saved["state_dict"])
        except (InstantiationException, RuntimeError, KeyError) as error:
            raise IncompatibleCheckpointError(
                f"The network of {self.folder} cannot be rebuilt; it was made by another version "
                f"of rnnrepair, so train it again. ({error})"
            ) from error
        return model

    def _check_class(self, of: str) -> None:
        """Refuse a class of the user's own that is not found, of the model or the data module.

        Raises:
            ConfigurationError: says where it was.
        """
        target, began = str(self.cfg[of].get("_target_")), began_in(self.folder)
        if target.partition(".")[0] == "rnnrepair":
            return
        for folder in (Path.cwd(), *(() if began is None else (began,))):
            search_in(folder)
        try:
            resolve_name(target)
        except (ImportError, AttributeError, ValueError) as error:
            where = "" if began is None else f" (the run was made in {began})"
            raise ConfigurationError(
                f"{of}._target_ of the run of {self.folder} is {target}, which cannot be imported: "
                f"{error}. Give the command in the folder that holds it{where}, or install it."
            ) from error

    def dynamics(self, saved: Mapping[str, Any]) -> TrainingDynamics | None:
        """Return what training had shown of each sample when a checkpoint was written.

        Args:
            saved: the checkpoint.

        Returns:
            None where the run has recorded none.
        """
        state = saved.get("callbacks", {}).get(TrainingDynamicsRecorder.__qualname__)
        return None if state is None else TrainingDynamics.of_state(state)

    def planned(self, datamodule: Any) -> DictConfig:
        """Return the configuration with the schedule that the run had.

        Args:
            datamodule: of the run.
        """
        cfg = self.cfg.copy()
        plan_epochs(cfg, datamodule.steps_per_epoch)
        return cfg

    def abstraction(self, changes: DictConfig) -> AbstractionSettings:
        """Return the run's settings of the abstraction with those that the command line changes.

        Raises:
            ConfigurationError: a setting does not exist, or is out of range.
        """
        merged = OmegaConf.merge(self.cfg.abstraction, changes)
        try:
            with keys_told(self.cfg, "abstraction"):
                return instantiate(merged, _convert_="all")
        except InstantiationException as error:
            raise ConfigurationError(f"abstraction: {error.__cause__ or error}") from None


def of_same_data(datamodule: Any, saved: Mapping[str, Any], what: str, remedy: str) -> None:
    """Refuse data that a checkpoint is not of.

    Args:
        datamodule: set up.
        saved: the checkpoint.
        what: was made with other data, for the message.
        remedy: what to name instead.

    Raises:
        IncompatibleCheckpointError: they are others, or split in another way.
    """
    if _data_state(datamodule, saved).get("fingerprint") != getattr(
        datamodule, "fingerprint", None
    ):
        raise IncompatibleCheckpointError(
            f"{what} was made with other data or another split than {datamodule.source} now gives: "
            f"name {remedy}."
        )


def inject_again(datamodule: Any, saved: Mapping[str, Any]) -> None:
    """Put back what a repair has injected, as the last checkpoint of the run holds it."""
    datamodule.load_state_dict(dict(_data_state(datamodule, saved)))


def _data_state(datamodule: Any, saved: Mapping[str, Any]) -> Mapping[str, Any]:
    state: Mapping[str, Any] = saved.get(type(datamodule).__qualname__, {})
    return state
