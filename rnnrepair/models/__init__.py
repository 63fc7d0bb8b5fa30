"""Networks, and adapters that make other people's networks traceable."""

from rnnrepair.models.adapter import RecurrentAdapter, as_recurrent
from rnnrepair.models.schedule import Schedule, lower_at_the_end
from rnnrepair.models.sequence_classifier import SequenceClassifier

__all__ = [
    "RecurrentAdapter",
    "Schedule",
    "SequenceClassifier",
    "as_recurrent",
    "lower_at_the_end",
]
