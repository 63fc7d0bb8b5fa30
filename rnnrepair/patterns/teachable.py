"""The patterns that say why failures fail, which samples can teach, and those that say where."""

from rnnrepair.patterns.edit_patterns import EditPatterns
from rnnrepair.patterns.finder import Finder
from rnnrepair.patterns.group_patterns import GroupPatterns
from rnnrepair.patterns.input_patterns import InputPatterns
from rnnrepair.patterns.word_patterns import WordPatterns


def teachable_finders() -> list[Finder]:
    """Return finders of edits, words and values of the user's columns.

    Classes, lengths and paths are left out: they say where failures gather, and not why.
    """
    return [EditPatterns(), WordPatterns(), GroupPatterns(columns_only=True)]


def gathering_finders() -> list[Finder]:
    """Return finders that say where failures gather: classes, lengths, columns, odd values.

    Columns too: a value of theirs may hold failures that it did not hold beside edits and words.
    """
    return [GroupPatterns(), InputPatterns()]
