"""Our own networks."""

from rnnrepair.models.classifier import Classifier
from rnnrepair.models.image_classifier import ImageClassifier
from rnnrepair.models.sequence_classifier import SequenceClassifier
from rnnrepair.models.staged_rates import staged_rates

__all__ = [
    "Classifier",
    "ImageClassifier",
    "SequenceClassifier",
    "staged_rates",
]
