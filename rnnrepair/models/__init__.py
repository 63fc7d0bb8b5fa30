"""Our own networks."""

from rnnrepair.models.classifier import Classifier
from rnnrepair.models.image_classifier import ImageClassifier
from rnnrepair.models.sequence_classifier import PADDING, SequenceClassifier
from rnnrepair.models.stacked import Clipping, can_stack, pays, relabelled, train_stacked
from rnnrepair.models.staged_rates import staged_rates

__all__ = [
    "PADDING",
    "Classifier",
    "Clipping",
    "ImageClassifier",
    "SequenceClassifier",
    "can_stack",
    "pays",
    "relabelled",
    "staged_rates",
    "train_stacked",
]
