"""Our own networks."""

from rnnrepair.models.classifier import Classifier
from rnnrepair.models.image_classifier import ImageClassifier
from rnnrepair.models.schedule import Schedule, staged_rates
from rnnrepair.models.sequence_classifier import SequenceClassifier

__all__ = [
    "Classifier",
    "ImageClassifier",
    "Schedule",
    "SequenceClassifier",
    "staged_rates",
]
