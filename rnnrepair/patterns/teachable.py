"""The patterns that say why failures fail, and that training samples can teach."""

from rnnrepair.patterns.edit_patterns import EditPatterns
from rnnrepair.patterns.finder import Finder
from rnnrepair.patterns.group_patterns import GroupPatterns
from rnnrepair.patterns.word_patterns import WordPatterns


def teachable_finders() -> list[Finder]:
    """Return finders of edits, words and values of the user's columns.

    Classes, lengths and paths are left out: they say where failures gather, and not why.
    """
    return [EditPatterns(), WordPatterns(), GroupPatterns(columns_only=True)]
