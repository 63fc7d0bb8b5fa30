"""Takes up a network that was trained elsewhere, by the names of its class, weights and data."""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from rnnrepair.callbacks.launch.own_packages import search_in
from rnnrepair.callbacks.launch.weights import load_weights
from rnnrepair.errors import ConfigurationError
from rnnrepair.safe_loading import read_checkpoint


def trained_network(module: str, checkpoint: str | Path, arguments: Mapping[str, Any]) -> nn.Module:
    """Make a network and put its weights into it.

    Args:
        module: ``package.Class``.
        checkpoint: file with its weights.
        arguments: of the class; they win over the ``hyper_parameters`` of a Lightning checkpoint.

    Raises:
        ConfigurationError: there is no such class, it is no network, or it wants other arguments.
        IncompatibleCheckpointError: the weights cannot be read, or are of another network.
    """
    package, _, name = module.rpartition(".")
    made_by = named(package, name, "module=package.Class")
    if not (isinstance(made_by, type) and issubclass(made_by, nn.Module)):
        raise ConfigurationError(f"module={module} is no torch.nn.Module: name the class.")
    saved = read_checkpoint(Path(checkpoint).expanduser(), package)
    given = {**saved.get("hyper_parameters", {}), **arguments}
    try:
        network = made_by(**given)
    except TypeError as error:
        raise ConfigurationError(
            f"module={module} cannot be made with the arguments {sorted(given)}: say them with "
            f"arguments.NAME=VALUE. ({error})"
        ) from error
    load_weights(network, saved, str(checkpoint))
    return network


def data_of(name: str) -> Any:
    """Return the data module that ``package:function`` returns.

    Raises:
        ConfigurationError: there is no such function.
    """
    package, _, function = name.partition(":")
    made_by = named(package, function, "data=package:function")
    if not callable(made_by):
        raise ConfigurationError(f"data={name} is no function: name one that returns the data.")
    return made_by()


def named(package: str, name: str, form: str) -> Any:
    """Import what stands in a package, the folder that the command is given in included.

    Raises:
        ConfigurationError: there is none; ``form`` says how it is named.
    """
    search_in(Path.cwd())
    try:
        return getattr(importlib.import_module(package), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(
            f"{form} expected, and {package!r} with {name!r} in it cannot be imported: {error}."
        ) from error
