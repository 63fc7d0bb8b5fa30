"""What failures have in common: an edit, a word, a path or a group; tested against chance."""

from rnnrepair.patterns.columns import columns_without_groups, is_in
from rnnrepair.patterns.context import PatternContext
from rnnrepair.patterns.edit_patterns import EditPatterns
from rnnrepair.patterns.find import LEVEL, Search, find_patterns, members_of
from rnnrepair.patterns.finder import Finder
from rnnrepair.patterns.group_patterns import GroupPatterns
from rnnrepair.patterns.input_patterns import InputPatterns
from rnnrepair.patterns.odd_values import unlike_inside
from rnnrepair.patterns.other_unit import other_unit
from rnnrepair.patterns.path_patterns import PathPatterns
from rnnrepair.patterns.pattern import LEAST_INSIDE, Candidate, Pattern
from rnnrepair.patterns.teachable import gathering_finders, teachable_finders
from rnnrepair.patterns.trait import Trait, taught_of, with_description
from rnnrepair.patterns.tried import LEAST_FAILURES, few_groups_told
from rnnrepair.patterns.unlike_training import learnt_told, unlike_training
from rnnrepair.patterns.word_patterns import WordPatterns

__all__ = [
    "LEAST_FAILURES",
    "LEAST_INSIDE",
    "LEVEL",
    "Candidate",
    "EditPatterns",
    "Finder",
    "GroupPatterns",
    "InputPatterns",
    "PathPatterns",
    "Pattern",
    "PatternContext",
    "Search",
    "Trait",
    "WordPatterns",
    "columns_without_groups",
    "few_groups_told",
    "find_patterns",
    "gathering_finders",
    "is_in",
    "learnt_told",
    "members_of",
    "other_unit",
    "taught_of",
    "teachable_finders",
    "unlike_inside",
    "unlike_training",
    "with_description",
]
