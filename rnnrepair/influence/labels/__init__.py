"""Whether labels of training samples are wrong: evidence from inputs alone, and how it adds up."""

from rnnrepair.influence.labels.bag_of_words import BagOfWords
from rnnrepair.influence.labels.features import input_features
from rnnrepair.influence.labels.kernel import kernel_labels
from rnnrepair.influence.labels.linear import linear_labels
from rnnrepair.influence.labels.neighbours import is_far, neighbour_labels
from rnnrepair.influence.labels.odds import wrong_label_odds
from rnnrepair.influence.labels.parts import are_grouped, grouped_size
from rnnrepair.influence.labels.rate import wrong_label_rate
from rnnrepair.influence.labels.regression import regression_labels
from rnnrepair.influence.labels.shared_values import SharedValue, shared_values
from rnnrepair.influence.labels.usual import FEWEST_HELD_OUT, beyond_usual
from rnnrepair.influence.labels.vectors import Features

__all__ = [
    "FEWEST_HELD_OUT",
    "BagOfWords",
    "Features",
    "SharedValue",
    "are_grouped",
    "beyond_usual",
    "grouped_size",
    "input_features",
    "is_far",
    "kernel_labels",
    "linear_labels",
    "neighbour_labels",
    "regression_labels",
    "shared_values",
    "wrong_label_odds",
    "wrong_label_rate",
]
