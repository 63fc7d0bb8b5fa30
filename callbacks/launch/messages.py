"""Names the keys of the configuration in what classes say of their arguments, errors and log."""

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from hydra.errors import InstantiationException
from omegaconf import DictConfig

from rnnrepair.callbacks.launch.keys import keys_by_name
from rnnrepair.callbacks.launch.user_errors import USER_ERRORS

# What calls in Python are told with, such as Trainer(devices=1), stays as it is.
_CALL = re.compile(r"\w\((?:[^()]|\([^()]*\))*\)")
# A word that is neither quoted nor a part of a path, a key or a longer word.
_WORD = re.compile(r"(?<![\w.+'\"`/\\-])[a-z]\w*(?![\w'\"`/\\]|\.\w)")
# What the program fills in, and no user sets.
_FILLED_IN = {f"schedule.{name}_epoch" for name in ("anew", "average", "release")} | {
    "schedule.last_analysis"
}
# What programs of one's own have another name for.
_CALLED_ELSE = {"start_epoch": "schedule.base_steps"}
# What tells which of several keys is meant: the part that a message begins with, and what follows.
_PART, _OF_THE = re.compile(r"(\w+): "), re.compile(r"\b(\w+)=\S+ of the (\w+)")
# What stands before a name that is one word of plain English too.
_ASKS = re.compile(r"\b(?:set|raise|lower) $")


def with_keys(text: str, keys: Mapping[str, str]) -> str:
    """Put its key in the place of every argument that a message names.

    An argument is told by ``name=``, by an underscore in it, or by what asks to change it.

    Args:
        text: the message.
        keys: of each argument that one key sets, that key.

    Example:
        >>> keys = {"path": "datamodule.path", "min_count": "datamodule.min_count"}
        >>> with_keys("no path here: set path, or min_count=2 (open(path=1))", keys)
        'no path here: set datamodule.path, or datamodule.min_count=2 (open(path=1))'
    """
    calls = [found.span() for found in _CALL.finditer(text)]

    def replaced(word: re.Match[str]) -> str:
        name = word[0]
        is_told = (
            "_" in name
            or text.startswith("=", word.end())
            or _ASKS.search(text, max(0, word.start() - len(" raise ")), word.start())
        )
        inside = any(start < word.start() < end for start, end in calls)
        return keys.get(name, name) if is_told and not inside else name

    return _WORD.sub(replaced, text)


def keys_in(text: str, known: Mapping[str, Sequence[str]], root: str = "") -> dict[str, str]:
    """Return the key of each argument that a message names by one key.

    Of several keys the one of the part is meant that the message begins with (``trigger: ...``) or
    names behind the argument (``share=0 of the augmentation``), else that of the data module, where
    the message speaks of it.

    Args:
        text: the message.
        known: all keys by the last name, see ``keys_by_name``.
        root: section whose part has raised it; empty where nobody knows.

    Example:
        >>> known = {"n": ["datamodule.n", "datamodule.trigger.n", "repair.n"]}
        >>> keys_in("trigger: n=3", known, "datamodule")["n"], "n" in keys_in("n=3", known)
        ('datamodule.trigger.n', False)
    """
    part = _PART.match(text)
    sections = [f"{root}.{part[1]}"] if root and part else []
    sections += [root] if root else []
    sections += ["datamodule"] if "data module" in text else []
    keys = dict(_CALLED_ELSE)
    for name, found in known.items():
        said = [f"{of[2]}.{name}" for of in _OF_THE.finditer(text) if of[1] == name]
        near = [key for key in (*said, *(f"{s}.{name}" for s in sections)) if key in found]
        if near or (len(found) == 1 and found[0] not in _FILLED_IN):
            keys[name] = (near or found)[0]
    return keys


@contextmanager
def naming_keys(cfg: DictConfig, root: str = "") -> Iterator[None]:
    """Name keys in the errors of users and in the log of what is done with a configuration.

    Args:
        cfg: the configuration.
        root: section that is made something of; empty for all of it.
    """
    known = keys_by_name(cfg)

    def told(text: str) -> str:
        return with_keys(text, keys_in(text, known, root))

    make_record = logging.getLogRecordFactory()

    def make_told(*args: Any, **options: Any) -> logging.LogRecord:
        record = make_record(*args, **options)
        if record.name.startswith("rnnrepair"):
            record.msg, record.args = told(record.getMessage()), ()
        return record

    logging.setLogRecordFactory(make_told)
    try:
        yield
    except Exception as error:
        # Hydra wraps what constructors raise.
        cause = error.__cause__ if isinstance(error, InstantiationException) else error
        if isinstance(cause, USER_ERRORS):
            cause.args = tuple(told(a) if isinstance(a, str) else a for a in cause.args)
        raise
    finally:
        logging.setLogRecordFactory(make_record)
