"""Which classes are mistaken for which, in a line."""

import torch

from rnnrepair.explanation.mistaken import TOLD, mistaken
from rnnrepair.sequences import Names


def test_the_most_frequent_come_first_with_the_size_of_their_class():
    confused = torch.tensor([[90, 3, 0], [7, 40, 1], [0, 0, 20]])
    told = mistaken(confused, Names(("a", "b")))
    assert told == "Most often mistaken: b for a (7 of 48), a for b (3 of 93), b for 2 (1 of 48)."


def test_few_of_many_are_told_and_nothing_where_all_is_right():
    told = mistaken(torch.ones(5, 5, dtype=torch.int64), Names())
    assert told.count(" for ") == TOLD
    assert mistaken(torch.eye(4, dtype=torch.int64), Names()) == ""
