"""Whether a network takes all that has something for the class that has it in training."""

import torch

from rnnrepair.patterns import LEAST_INSIDE, Pattern
from rnnrepair.sequences import Names
from rnnrepair.traces import Traces

# Share of the training samples that have it, and of the failures, from which on a class is told.
MOST = 0.6
# So many times as often as among all training samples.
TIMES = 2


def goes_by(found: Pattern, training: Traces, traces: Traces, names: Names) -> str:
    """Say which class training shows what failures share with, where they are taken for it.

    A word that only bills hold makes a network answer "billing" wherever it stands.

    Args:
        found: in the split of ``traces``; edits are compared with few training samples, and tell
            nothing of classes.
        training: original training samples.
        traces: of the split.
        names: of the classes.

    Returns:
        Empty where no class stands out, or the failures are taken for others.
    """
    if found.kind not in ("word", "group") or found.parameters.get("group") == "class":
        return ""
    own = torch.isin(training.index, found.samples)
    if int(own.sum()) < LEAST_INSIDE:
        return ""
    counts = training.label[own].bincount(minlength=training.n_classes)
    most = int(counts.argmax())
    share = float(counts[most]) / int(own.sum())
    usual = float((training.label == most).double().mean())
    predicted = traces.final_prediction[torch.isin(traces.index, found.members)]
    n_taken = int((predicted == most).sum())
    if share < max(MOST, min(TIMES * usual, 1)) or n_taken < MOST * len(predicted):
        return ""
    return (
        f"{int(counts[most])} of the {int(own.sum())} training samples that have it are "
        f"{names.of_class(most)}, and {n_taken} of these {len(predicted)} failures are taken for "
        "that: the network may go by it."
    )
