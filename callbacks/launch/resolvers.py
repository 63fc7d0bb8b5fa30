"""What values of the configuration may be made of, beside other values."""

import hashlib
import sys

from omegaconf import OmegaConf


def digest(text: object) -> str:
    """Return a short name of a text: folders of jobs are named by it (configs/hydra)."""
    return hashlib.sha256(str(text).encode()).hexdigest()[:8]


def terminal() -> bool:
    """Return whether people look at the output: progress bars would fill a log with lines.

    Bars of training are written to stdout, others to stderr.
    """
    return sys.stdout.isatty() and sys.stderr.isatty()


def register_resolvers() -> None:
    """Let configurations use what is above, as ``${digest:...}`` and ``${terminal:}``."""
    for resolver in (digest, terminal):
        OmegaConf.register_new_resolver(resolver.__name__, resolver, replace=True)
