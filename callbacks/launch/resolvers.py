"""What values of the configuration may be made of, beside other values."""

import hashlib
import sys
from importlib.resources import files

from hydra.core.config_store import ConfigStore
from omegaconf import OmegaConf

# Sections of a script's configuration that hold whatever arguments a class has, so that
# `arguments.hidden=40` needs no +. They stand in its defaults as NAME_open.
OPEN_SECTIONS = {
    "explain": ("arguments", "abstraction", "doubting"),
    "finished": ("abstraction",),
}


def digest(text: object) -> str:
    """Return a short name of a text: folders of jobs are named by it (configs/hydra)."""
    return hashlib.sha256(str(text).encode()).hexdigest()[:8]


def terminal() -> bool:
    """Return whether people look at the output: progress bars would fill a log with lines.

    Bars of training are written to stdout, others to stderr.
    """
    return sys.stdout.isatty() and sys.stderr.isatty()


def keys_told(name: str) -> str:
    """Return the keys of a configuration, each behind what its file says of it, for ``--help``.

    Args:
        name: of the file.
    """
    told, comment = [], []
    for line in (files("rnnrepair.configs") / f"{name}.yaml").read_text("utf-8").splitlines():
        if line.startswith("#"):
            comment.append(f"      {line[1:].strip()}")
            continue
        key = line.split(":")[0]
        if line and not line.startswith(" ") and key not in {"defaults", "hydra"}:
            told += [f"  {line}", *comment]
        comment = []
    # Hydra puts what it knows in the place of $NAME.
    return "\n".join(told).replace("$", "$$")


def register_resolvers() -> None:
    """Let configurations use what is above, as ``${digest:...}`` and ``${terminal:}``."""
    for resolver in (digest, terminal, keys_told):
        OmegaConf.register_new_resolver(resolver.__name__, resolver, replace=True)


def register_open_sections() -> None:
    """Let the sections above take keys that they do not have."""
    for name, sections in OPEN_SECTIONS.items():
        node = OmegaConf.create({section: {} for section in sections})
        for section in sections:
            OmegaConf.set_struct(node[section], False)
        ConfigStore.instance().store(f"{name}_open", node)
