"""Composing a configuration takes tests longer than training on it, unless it is made cheaper."""

from functools import cache

import yaml
from omegaconf import _utils, base, grammar_parser
from omegaconf.resolvers import oc


def compose_quickly() -> None:
    """Parse each interpolation once, and read files with the parser that is written in C.

    Programs, which tests start as a user does, go without.
    """
    parse = cache(grammar_parser.parse)
    for module in (_utils, base, grammar_parser, oc):
        module.parse = parse
    yaml.SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
