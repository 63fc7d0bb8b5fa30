"""What tests of explanations share: quick settings, and a network that counts."""

from rnnrepair.abstraction import AbstractionSettings
from rnnrepair.explanation import explain
from rnnrepair.models import SequenceClassifier

SETTINGS = AbstractionSettings(n_components=6, reduction_dims=3)

# Sequences that the network of the tests has run on.
RAN_ON = []


class Counting(SequenceClassifier):
    """A network that tells which sequences it has run on."""

    def trace(self, batch):
        RAN_ON.extend(batch.index.tolist())
        return super().trace(batch)


def explained(network, data, **options):
    """Explain without looking for what failures share, unless asked: that search takes seconds."""
    return explain(network, data, **{"settings": SETTINGS, "top": 5, "finders": ()} | options)
