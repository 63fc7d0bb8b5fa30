"""Networks, and adapters that make other people's networks traceable."""

from rnnrepair.models.adapter import RecurrentAdapter, as_recurrent
from rnnrepair.models.classifier import Classifier
from rnnrepair.models.image_classifier import ImageClassifier
from rnnrepair.models.schedule import Schedule, staged_rates
from rnnrepair.models.sequence_classifier import SequenceClassifier

__all__ = [
    "Classifier",
    "ImageClassifier",
    "RecurrentAdapter",
    "Schedule",
    "SequenceClassifier",
    "as_recurrent",
    "staged_rates",
]
