"""Refuses keys that nothing reads."""

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from importlib.resources import files
from typing import Any

from omegaconf import DictConfig, OmegaConf

from rnnrepair.callbacks.launch.keys import keys_by_name
from rnnrepair.errors import ConfigurationError

# What a value refers to.
_REFERRED = re.compile(r"\$\{([\w.]+)\}")
# Groups of values that our own program reads by name. What is made of any other group is a class,
# which refuses arguments that it does not know, or parts that users add to.
READ_BY_NAME = ("augmentation", "comparison", "influence", "paths", "repair", "schedule")


def check_keys(cfg: DictConfig, name: str) -> None:
    """Refuse keys that a program does not know.

    Raises:
        ConfigurationError: names each, and the keys that may be meant.
    """
    wrong = unknown_keys(cfg, name)
    if wrong:
        raise ConfigurationError("; ".join(wrong) + ".")


def unknown_keys(cfg: DictConfig, name: str) -> list[str]:
    """Return what is wrong with the keys at the top of a configuration: nothing would read them.

    Args:
        cfg: composed of ``configs/NAME.yaml`` and what a user adds.
        name: of that file.
    """
    plain = _plain(files("rnnrepair.configs") / f"{name}.yaml")
    groups = {str(group) for entry in plain.pop("defaults") for group in _groups_of(entry)}
    # Keys of a user's own may be what others refer to.
    referred = {path.split(".")[0] for path in _referred(cfg)}
    unknown = [key for key in map(str, cfg) if key not in {*plain, *groups, *referred}]
    meant = keys_by_name(
        OmegaConf.masked_copy(cfg, [key for key in map(str, cfg) if key not in unknown])
    )
    return [
        f"{key} is no key of {name}.yaml{_told_instead(key, cfg[key], meant)}" for key in unknown
    ]


def unknown_in_groups(cfg: DictConfig) -> list[str]:
    """Return what is wrong with the keys of groups that are read by name."""
    told, referred = [], _referred(cfg)
    for group in READ_BY_NAME:
        folder = files("rnnrepair.configs") / group
        known: dict[str, Any] = {}
        for file in folder.iterdir():
            if file.name.endswith(".yaml"):
                known |= _plain(file)
        unknown = set(_unknown(OmegaConf.to_container(cfg[group], resolve=False), known, group))
        for path in sorted(unknown - referred):
            parent, _, name = path.rpartition(".")
            beside = {
                key: [f"{parent}.{key}"]
                for key in map(str, OmegaConf.select(cfg, parent))
                if f"{parent}.{key}" not in unknown
            }
            instead = _told_instead(name, OmegaConf.select(cfg, path), beside)
            told.append(f"nothing reads {path}{instead}")
    return told


def _unknown(node: Any, known: Mapping[str, Any], path: str) -> Iterator[str]:
    """Yield the paths of keys that are not known; classes and what is called by name are left."""
    for name, value in node.items():
        below = f"{path}.{name}"
        if name not in known:
            yield below
        elif isinstance(value, dict) and _is_section(known[name]):
            yield from _unknown(value, known[name], below)


def _is_section(known: Any) -> bool:
    """Return whether a value holds settings: no class, and not classes by names of their own."""
    return (
        isinstance(known, dict)
        and "_target_" not in known
        and not all(isinstance(value, dict) for value in known.values())
    )


def _plain(file: Any) -> dict[str, Any]:
    """Return what a file of the configuration holds, references as they stand."""
    plain: Any = OmegaConf.to_container(OmegaConf.create(file.read_text("utf-8")), resolve=False)
    return dict(plain)


def _referred(cfg: DictConfig) -> set[str]:
    """Return the paths of all values that others refer to."""
    return set(_REFERRED.findall(OmegaConf.to_yaml(cfg, resolve=False)))


def _groups_of(entry: Any) -> Iterator[str]:
    """Yield the group that an entry of a defaults list is of, none for a file beside it."""
    if isinstance(entry, dict):
        yield from (str(group) for group in entry)


def _told_instead(key: str, value: Any, meant: Mapping[str, Sequence[str]]) -> str:
    """Return which keys may be meant by one that is unknown."""
    names = [key] if key in meant else get_close_matches(key, meant, n=3, cutoff=0.8)
    written = str(value).lower() if isinstance(value, bool) else value
    such = [f"{found}={written}" for name in names for found in meant[name][:3]]
    return f": write {' or '.join(such)}, without a +" if such else ": leave it out"
