"""Composing a configuration takes tests longer than training on it, unless it is made cheaper.

Programs, which tests start as a user does, go without.
"""

from copy import deepcopy
from functools import cache
from pathlib import Path

import yaml
from hydra import compose, initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, _utils, base, grammar_parser
from omegaconf.resolvers import oc

CONFIGS = Path(__file__).parents[2] / "configs"


def parse_quickly() -> None:
    """Parse each interpolation once, and read files with the parser that is written in C."""
    parse = cache(grammar_parser.parse)
    for module in (_utils, base, grammar_parser, oc):
        module.parse = parse
    yaml.SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def composed(*overrides: str, name: str = "train") -> DictConfig:
    """Compose the configuration as the command line would.

    Files are put together once for each choice of them; values are set on a copy, as Hydra sets
    them on what it has put together.
    """
    chosen = tuple(text for text in overrides if _chooses_a_file(text))
    values = [text for text in overrides if text not in chosen]
    parsed = OverridesParser.create().parse_overrides(values)
    if any(override.is_sweep_override() for override in parsed):
        return whole_composed(*overrides, name=name)
    cfg = deepcopy(_put_together(name, chosen))
    ConfigLoaderImpl._apply_overrides_to_config(parsed, cfg)
    return cfg


def whole_composed(*overrides: str, name: str = "train") -> DictConfig:
    """Compose the configuration from its files, by Hydra alone."""
    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return compose(name, list(overrides))


@cache
def _put_together(name: str, chosen: tuple[str, ...]) -> DictConfig:
    return whole_composed(*chosen, name=name)


def _chooses_a_file(override: str) -> bool:
    key = override.lstrip("+~").split("=")[0].split("@")[0]
    return key.split(".")[0] == "hydra" or (CONFIGS / key).is_dir()
