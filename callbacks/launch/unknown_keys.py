"""Refuses keys that nothing reads."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from pkgutil import resolve_name
from typing import Any, TypeVar

from omegaconf import DictConfig, OmegaConf

from rnnrepair.callbacks.launch.keys import key_of, keys_by_name, keys_told, targets_in
from rnnrepair.errors import ConfigurationError
from rnnrepair.settings import arguments_of

T = TypeVar("T")

# What a value refers to.
_REFERRED = re.compile(r"\$\{([\w.]+)\}")
# Of any class: what Hydra itself reads.
_OF_HYDRA = {"_target_", "_partial_", "_args_", "_recursive_", "_convert_"}
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
    if not unknown:  # what may be meant takes longest to say
        return []
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
        written = OmegaConf.to_container(cfg[group], resolve=False)
        unknown = set(_unknown(written, _known_in(group), group))
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


def unknown_arguments(cfg: DictConfig, *roots: str) -> list[str]:
    """Return which keys below ``roots`` the class that stands there does not take.

    Nothing is made. A class that takes any name is left alone.
    """
    told: dict[str, str] = {}
    for path, node in (found for root in roots for found in targets_in(cfg.get(root), root)):
        try:
            takes = arguments_of(resolve_name(node["_target_"]))
        except (ImportError, AttributeError, ValueError) as error:
            told[path] = f"{path}._target_={node['_target_']} cannot be imported ({error})"
            continue
        for name in map(str, node):
            if takes is None or name in takes or name in _OF_HYDRA:
                continue
            where, _, last = key_of(cfg, f"{path}.{name}").rpartition(".")
            near = get_close_matches(last, takes, n=3) or [one for one in takes if name in one][:3]
            plain: Any = OmegaConf.to_container(node, resolve=False)
            written = _written(plain[name])
            such = [f"{'' if one in node else '+'}{where}.{one}={written}" for one in near]
            instead = f"write {' or '.join(such)}" if such else "leave it out"
            told[f"{where}.{last}"] = f"nothing reads {where}.{last}: {instead}"
    return list(told.values())


def made_of(kind: Callable[..., T], cfg: DictConfig, path: str) -> T:
    """Return an object that the section at ``path`` holds the settings of.

    Raises:
        ConfigurationError: names the keys that it does not take, or that are out of range.
    """
    plain: Any = OmegaConf.to_container(cfg[path], resolve=True)
    takes = sorted(arguments_of(kind) or plain)
    told = [
        f"nothing reads {path}.{name}: it has {', '.join(get_close_matches(name, takes) or takes)}"
        for name in plain
        if name not in takes
    ]
    if told:
        raise ConfigurationError("; ".join(told) + ".")
    with keys_told(cfg, path):
        return kind(**plain)


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


@cache  # each job of a multirun asks for them
def _known_in(group: str) -> Mapping[str, Any]:
    """Return what the files of a group of the configuration hold together."""
    known: dict[str, Any] = {}
    for file in (files("rnnrepair.configs") / group).iterdir():
        if file.name.endswith(".yaml"):
            known |= _plain(file)
    return known


def _plain(file: Any) -> dict[str, Any]:
    """Return what a file of the configuration holds, references as they stand."""
    plain: Any = OmegaConf.to_container(OmegaConf.create(file.read_text("utf-8")), resolve=False)
    return dict(plain)


def _referred(cfg: DictConfig) -> set[str]:
    """Return the paths of all values that others refer to."""
    return set(_REFERRED.findall(str(OmegaConf.to_container(cfg, resolve=False))))


def _groups_of(entry: Any) -> Iterator[str]:
    """Yield the group that an entry of a defaults list is of, none for a file beside it."""
    if isinstance(entry, dict):
        yield from (str(group) for group in entry)


def _told_instead(key: str, value: Any, meant: Mapping[str, Sequence[str]]) -> str:
    """Return which keys may be meant by one that is unknown."""
    names = [key] if key in meant else get_close_matches(key, meant, n=3, cutoff=0.8)
    such = [f"{found}={_written(value)}" for name in names for found in meant[name][:3]]
    return f": write {' or '.join(such)}, without a +" if such else ": leave it out"


def _written(value: Any) -> str:
    """Return a value as it is written on the command line."""
    return str(value).lower() if isinstance(value, bool) else str(value)
