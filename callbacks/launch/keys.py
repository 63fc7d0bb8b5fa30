"""Puts the keys of the configuration before what classes say of their arguments."""

import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pkgutil import resolve_name
from typing import Any

from hydra.errors import InstantiationException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from rnnrepair.errors import ConfigurationError, SettingsError
from rnnrepair.settings import faults_of

# What stands for the value of another key, and nothing else.
_REFERENCE = re.compile(r"\$\{([\w.]+)\}")
_INNER_REFERENCE = re.compile(r"(?<=.)\$\{([\w.]+)\}")


def key_of(cfg: DictConfig, path: str) -> str:
    """Return the key that a user sets to change what stands at a path.

    Example:
        >>> cfg = OmegaConf.create({"a": {"k": 7}, "b": {"settings": "${a}", "n": "${a.k}"}})
        >>> key_of(cfg, "b.settings.k"), key_of(cfg, "b.n"), key_of(cfg, "b.other")
        ('a.k', 'a.k', 'b.other')
    """
    return _followed(cfg, OmegaConf.to_container(cfg, resolve=False), path)


def chooser_of(cfg: DictConfig, path: str) -> str | None:
    """Return the key that chooses what stands at a path among others, None where none does.

    Example:
        >>> cfg = OmegaConf.create({"all": {"x": 1}, "chosen": "x", "part": "${all.${chosen}}"})
        >>> chooser_of(cfg, "part"), chooser_of(cfg, "chosen")
        ('chosen', None)
    """
    plain: Any = OmegaConf.to_container(cfg, resolve=False)
    parent, _, last = path.rpartition(".")
    node = plain
    for name in (*(_followed(cfg, plain, parent).split(".") if parent else ()), last):
        node = node.get(name) if isinstance(node, dict) else None
    return _chooser(cfg, plain, node)


def _chooser(cfg: DictConfig, plain: Any, value: Any) -> str | None:
    """Return the key behind a name within a reference, None for any other value."""
    inner = _INNER_REFERENCE.search(value) if isinstance(value, str) else None
    if inner is None or not _REFERENCE.fullmatch(_chosen(cfg, value)):
        return None
    return _followed(cfg, plain, inner[1])


def keys_by_name(cfg: DictConfig) -> dict[str, list[str]]:
    """Return for the last name of every value which keys a user sets to change what is called so.

    What chooses among several is the key of what it chooses. Loggers are left out: nothing of ours
    is called as their arguments are.

    Example:
        >>> cfg = OmegaConf.create({"a": {"k": 7, "n": 1}, "b": {"k": "${a.k}", "n": 2}})
        >>> cfg.all, cfg.chosen, cfg.part = {"x": 1}, "x", "${all.${chosen}}"
        >>> {name: keys for name, keys in keys_by_name(cfg).items() if name in ("k", "n", "part")}
        {'k': ['a.k'], 'n': ['a.n', 'b.n'], 'part': ['chosen']}
    """
    plain = OmegaConf.to_container(cfg, resolve=False)
    found: dict[str, set[str]] = defaultdict(set)
    for path, value in _values_in(plain):
        name = path.rpartition(".")[2]
        if path.startswith("logger.") or name.startswith("_"):
            continue
        found[name].add(_chooser(cfg, plain, value) or _followed(cfg, plain, path))
    return {name: sorted(keys) for name, keys in found.items()}


def _followed(cfg: DictConfig, plain: Any, path: str) -> str:
    """Return the key behind a path, see ``key_of``; ``plain`` is ``cfg`` with its references."""
    key = ""
    for part in path.split("."):
        key = f"{key}.{part}" if key else part
        node = plain
        for name in key.split("."):
            node = node.get(name) if isinstance(node, dict) else None
        reference = _REFERENCE.fullmatch(_chosen(cfg, node)) if isinstance(node, str) else None
        if reference is not None:
            key = _followed(cfg, plain, reference[1])
    return key


def _chosen(cfg: DictConfig, value: str) -> str:
    """Return a reference whose name is made of another value with that value in it.

    Such as ``${repair.strategies.${repair.strategy}}``.
    """
    return _INNER_REFERENCE.sub(lambda inner: str(OmegaConf.select(cfg, inner[1])), value)


def _values_in(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the path and the value of everything that holds no further keys."""
    if not isinstance(node, dict):
        yield path, node
        return
    for name, value in node.items():
        yield from _values_in(value, f"{path}.{name}" if path else str(name))


def faults_in(cfg: DictConfig, *roots: str) -> list[str]:
    """Return what is wrong with the settings of all our classes below some keys.

    Nothing is made. What the program fills in later (``schedule``) is left out.
    """
    told: dict[str, str] = {}
    for path, node in (found for root in roots for found in targets_in(cfg.get(root), root)):
        if not str(node["_target_"]).startswith("rnnrepair."):
            continue
        values, takes = _values(node), None
        with suppress(ImportError, AttributeError):  # told where arguments are looked for
            takes = resolve_name(node["_target_"])
        for fault in faults_of(takes, values) if takes is not None else ():
            key = key_of(cfg, f"{path}.{fault.argument}")
            later = key.startswith("schedule.") and values[fault.argument] is None
            if not later:
                told[key] = f"{key}: {fault.told}"
    return list(told.values())


@contextmanager
def keys_told(cfg: DictConfig, path: str) -> Iterator[None]:
    """Name keys where what is made of the configuration at ``path`` refuses its arguments.

    Raises:
        ConfigurationError: in the place of a ``SettingsError``.
    """
    try:
        yield
    except SettingsError as error:
        raise _with_keys(cfg, path, error) from error
    except InstantiationException as error:
        if not isinstance(error.__cause__, SettingsError):
            raise
        # Hydra says where in the tree it was.
        where = re.search(r"full_key: ([\w.]+)", str(error))
        raise _with_keys(cfg, where[1] if where else path, error.__cause__) from error


def _with_keys(cfg: DictConfig, path: str, error: SettingsError) -> ConfigurationError:
    told = (f"{key_of(cfg, f'{path}.{fault.argument}')}: {fault.told}" for fault in error.faults)
    return ConfigurationError("; ".join(told) + ".")


def targets_in(node: Any, path: str) -> Iterator[tuple[str, DictConfig]]:
    """Yield all parts of a configuration that a class is made of, and their paths."""
    if not isinstance(node, DictConfig):
        return
    if "_target_" in node:
        yield path, node
    for name, value in _values(node).items():
        yield from targets_in(value, f"{path}.{name}")


def _values(node: DictConfig) -> dict[str, Any]:
    """Return all values that are known; what cannot be resolved is told where it is read."""
    values = {}
    for name in map(str, node):
        with suppress(OmegaConfBaseException):
            value = node[name]
            values[name] = OmegaConf.to_container(value) if OmegaConf.is_list(value) else value
    return values
