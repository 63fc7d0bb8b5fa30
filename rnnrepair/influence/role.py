"""What a training sample can be to a failure."""

from enum import StrEnum


class Role(StrEnum):
    """What training samples are looked for.

    Parents, opponents, holders and contexts are original samples, because an edit of an edit could
    drift out of the limits that keep its label.
    """

    # The most influential of all training samples.
    NEAREST = "nearest"
    # Of the failure's true label, classified correctly: repair samples are made from them.
    PARENTS = "parents"
    # Of the label that the failure is mistaken for, classified correctly.
    OPPONENTS = "opponents"
    # Of any label, holding the token at the failure's responsible step (tokens).
    HOLDERS = "holders"
    # Of the true label, coming to where the failure goes wrong, longest common run first (tokens).
    CONTEXTS = "contexts"
    # The same, drawn at random: the control.
    RANDOM_CONTEXTS = "random_contexts"
