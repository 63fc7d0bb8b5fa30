"""Tells in one line what Hydra refuses of a command line, and which key is meant."""

import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from difflib import SequenceMatcher, get_close_matches
from importlib.resources import files
from pkgutil import resolve_name
from typing import Any

from hydra import compose, initialize_config_module
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import (
    HydraException,
    InstantiationException,
    MissingConfigException,
    OverrideParseException,
)
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from rnnrepair.callbacks.launch.keys import keys_by_name
from rnnrepair.settings import arguments_of

# With it Hydra raises its errors instead of printing them.
FULL_ERROR = "HYDRA_FULL_ERROR"
_NULL_GROUP = "Config group override must be a string or a list"


@contextmanager
def telling_refusals(name: str) -> Iterator[None]:
    """Run a program of Hydra's; where it refuses the command line, end with code 2 and one line.

    Where a user has set HYDRA_FULL_ERROR=1, Hydra's own error is raised.

    Args:
        name: of the file of the configuration, such as ``train``.
    """
    if os.environ.get(FULL_ERROR) == "1":
        yield
        return
    os.environ[FULL_ERROR] = "1"
    try:
        yield
    except (HydraException, ValueError) as error:
        is_refusal = isinstance(error, HydraException) or str(error).startswith(_NULL_GROUP)
        # What an object raises when it is made is no refusal of Hydra's, and keeps its traceback.
        is_refusal &= not isinstance(error, InstantiationException)
        if not is_refusal:
            raise
        print(f"{name}: {told_of(error, name, sys.argv[1:])}", file=sys.stderr)
        sys.exit(2)
    finally:
        del os.environ[FULL_ERROR]


def told_of(error: Exception, name: str, arguments: Sequence[str]) -> str:
    """Return what a user is told of an error of Hydra's.

    Args:
        error: of the composition of the command line.
        name: of the file of the configuration.
        arguments: of the command.
    """
    text = str(error)
    overrides = [a for a in arguments if "=" in a and not a.startswith("-")]
    if isinstance(error, MissingConfigException) and error.missing_cfg_file:
        group, _, option = error.missing_cfg_file.rpartition("/")
        return f"{group}={option} does not exist: choose {_listed(sorted(error.options or ()))}."
    if isinstance(error, OverrideParseException):
        return _unreadable(error)
    if text.startswith(_NULL_GROUP):
        empty = [
            o for o in overrides if o.partition("=")[2] == "null" and options_of(o.split("=")[0])
        ]
        group = empty[0].split("=")[0] if empty else "a group"
        return f"{group}=null: name {_listed(options_of(group))}, or leave it out."
    if found := re.search(r"No match in the defaults list.*use (\+\S+)", text, re.DOTALL):
        return f"{found[1][1:]} needs a +: write {found[1]}."
    if found := re.search(r"mean to override (\S+)\?.*use \+\w+=(\S+)", text, re.DOTALL):
        return f"this group is chosen where it is used: write {found[1]}={found[2]}."
    if found := re.search(r"An item is already at '([^']+)'", text):
        return f"{found[1]} is a key already: write it without a +."
    if found := re.match(r"Could not override '([^']+)'.*use \+(\S.*)", text, re.DOTALL):
        written = found[2].splitlines()[0]
        return _unknown(found[1], written.partition("=")[2], name, overrides)
    if found := re.match(r"Ambiguous value for argument '([^']+)'", text):
        key, _, values = found[1].partition("=")
        return (
            f"{found[1]} asks for several runs: write -m before it, or {key}=[{values}] for a list."
        )
    if found := re.match(r"Error merging override (.+)", text):
        why = next(iter(str(error.__cause__ or "").splitlines()), "Hydra does not say why")
        return f"{found[1]} cannot be set: {why}."
    return " ".join(line.strip() for line in text.splitlines())


def _unreadable(error: OverrideParseException) -> str:
    override = error.override
    if "=" not in override:
        if override in options_of("experiment"):
            return f"{override} is no KEY=VALUE: write +experiment={override}."
        return f"{override} is no KEY=VALUE, such as seed=1 or +experiment=mnist_repair."
    key, _, value = override.partition("=")
    quoted = f"{key}=['one (a)','two']" if value.startswith("[") else f"{key}='...'"
    return (
        f"{override} cannot be read ({error.message.splitlines()[0]}): close every bracket, and "
        f'put a value with blanks, commas or signs in quotes, such as "{quoted}".'
    )


def _unknown(key: str, value: str, name: str, overrides: Sequence[str]) -> str:
    """Return what is told of a key that there is not."""
    cfg = _composed(name, [o for o in overrides if o.lstrip("+~").split("=")[0] != key])
    parent, _, last = key.rpartition(".")
    beside: Any = OmegaConf.select(cfg, parent) if parent else cfg
    if isinstance(beside, DictConfig) and _takes(beside, last):
        return f"{key} has no value yet: write +{key}={value}."
    near = nearest(key, cfg)
    if near:
        return f"{key} is no key: write {' or '.join(f'{found}={value}' for found in near)}."
    if isinstance(beside, DictConfig):
        return f"{key} is no key: {parent or name} has {_listed(sorted(map(str, beside)), 'and')}."
    return f"{key} is no key: leave it out."


def nearest(key: str, cfg: DictConfig) -> list[str]:
    """Return the keys that may be meant by one that there is not, the likeliest first.

    One that stands where it was looked for is meant before all others.

    Example:
        >>> nearest("repair.stratagy", OmegaConf.create({"repair": {"strategy": "guided"}}))
        ['repair.strategy']
    """
    parent, _, last = key.rpartition(".")
    section = OmegaConf.select(cfg, parent) if parent else None
    if isinstance(section, DictConfig):
        values = [str(name) for name in section if not OmegaConf.is_dict(section._get_node(name))]
        beside = get_close_matches(last, values, n=1)
        if beside:
            return [f"{parent}.{beside[0]}"]
    meant = keys_by_name(cfg)
    names = [last] if last in meant else get_close_matches(last, meant, n=3, cutoff=0.7)
    found = dict.fromkeys(path for name in names for path in meant[name])
    return sorted(found, key=lambda path: -SequenceMatcher(None, key, path).ratio())[:3]


def _takes(node: DictConfig, name: str) -> bool:
    """Return whether what a node makes takes an argument."""
    target = node.get("_target_")
    takes = arguments_of(resolve_name(target)) if target else None
    return takes is not None and name in takes


def _composed(name: str, overrides: Sequence[str]) -> DictConfig:
    """Return the configuration without what is wrong with it, as far as it can be composed."""
    chosen = [o for o in overrides if "." not in o.split("=")[0]]
    for tried in (overrides, chosen, ()):
        GlobalHydra.instance().clear()
        try:
            with initialize_config_module("rnnrepair.configs", version_base="1.3"):
                return compose(name, list(tried))
        except (HydraException, OmegaConfBaseException, ValueError):
            continue
    return OmegaConf.create({})


def options_of(group: str) -> list[str]:
    """Return the names that a group of the configuration has, none where there is no such group."""
    folder = files("rnnrepair.configs") / group
    if not group.isidentifier() or not folder.is_dir():
        return []
    found = (file.name for file in folder.iterdir())
    return sorted(name.removesuffix(".yaml") for name in found if name.endswith(".yaml"))


def _listed(names: Sequence[str], word: str = "or") -> str:
    *most, last = names or ["nothing"]
    return f"{', '.join(most)} {word} {last}" if most else last
