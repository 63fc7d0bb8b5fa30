"""Whether labels of training samples are wrong: evidence from inputs alone, and how it adds up."""

from rnnrepair.influence.labels.bag_of_words import BagOfWords
from rnnrepair.influence.labels.features import Features, input_features
from rnnrepair.influence.labels.linear import linear_labels
from rnnrepair.influence.labels.neighbours import neighbour_labels
from rnnrepair.influence.labels.odds import wrong_label_odds
from rnnrepair.influence.labels.rate import wrong_label_rate

__all__ = [
    "BagOfWords",
    "Features",
    "input_features",
    "linear_labels",
    "neighbour_labels",
    "wrong_label_odds",
    "wrong_label_rate",
]
