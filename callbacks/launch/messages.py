"""Names the keys of the configuration in what classes say of their arguments, errors and log."""

import logging
import re
from collections.abc import Iterator, Mapping
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


@contextmanager
def naming_keys(cfg: DictConfig) -> Iterator[None]:
    """Name keys in the errors of users and in the log of what is done with a configuration."""
    keys = {
        name: found[0]
        for name, found in keys_by_name(cfg).items()
        if len(found) == 1 and found[0] not in _FILLED_IN
    }
    make_record = logging.getLogRecordFactory()

    def make_told(*args: Any, **options: Any) -> logging.LogRecord:
        record = make_record(*args, **options)
        if record.name.startswith("rnnrepair"):
            record.msg, record.args = with_keys(record.getMessage(), keys), ()
        return record

    logging.setLogRecordFactory(make_told)
    try:
        yield
    except Exception as error:
        # Hydra wraps what constructors raise.
        cause = error.__cause__ if isinstance(error, InstantiationException) else error
        if isinstance(cause, USER_ERRORS):
            cause.args = tuple(with_keys(a, keys) if isinstance(a, str) else a for a in cause.args)
        raise
    finally:
        logging.setLogRecordFactory(make_record)
