"""What is told of the training samples behind a failure."""

from collections.abc import Collection

import torch
from torch import Tensor

from rnnrepair.influence import Role
from rnnrepair.record import Failure, Injected, Neighbour
from rnnrepair.report.cards import FailureCard
from rnnrepair.report.wording import count
from rnnrepair.sequences import Names


def caption(neighbour: Neighbour, names: Names) -> str:
    """Say how near a sample is, or what it has in common with the failure."""
    if neighbour.role == Role.OPPONENTS:
        return "resembles the failure as a whole"
    if neighbour.role == Role.NEAREST:
        return f"{neighbour.distance:.3f}"
    if neighbour.end == 0:
        return "at its start, as in the failure"
    if neighbour.run == 0:
        return "comes to the same state"
    return f"{count(neighbour.run, names.token)} in common up to there"


def origin(sample: Injected, inputs: Tensor, card: FailureCard) -> str:
    """Say what an injected sample is, where its picture or text does not.

    Args:
        sample: that was injected for the failure of the card.
        inputs: (T, F) or (T,), its steps.
        card: of the failure.
    """
    failure = card.failure
    if sample.label != failure.label:
        return "of what it was taken for: to stay as it is read"
    if torch.equal(inputs, card.inputs):
        return "the failure itself, with its own label"
    return "made of the failure, with its own label" if sample.parent == failure.index else ""


def neighbourhood(failure: Failure, names: Names) -> str:
    """Say what the samples are, and which label the failure as a whole resembles."""
    roles = {neighbour.role for neighbour in failure.neighbours}
    if not roles:
        told = "No training sample takes a similar way through the states."
    elif Role.NEAREST in roles:
        told = _nearest(failure, names)
    else:
        told = _contexts(failure, roles, names)
    contrast = failure.contrast
    # NaN: no sample of one of the labels is classified correctly.
    if contrast is None or contrast != contrast:
        return told
    label, predicted = names.of_class(failure.label), names.of_class(failure.predicted)
    like, unlike = (predicted, label) if contrast > 0 else (label, predicted)
    return (
        f"{told} As a whole the failure is nearer to training samples of {like} than of {unlike}."
    )


def _nearest(failure: Failure, names: Names) -> str:
    labels = [neighbour.label for neighbour in failure.neighbours]
    own, wrong = labels.count(failure.label), labels.count(failure.predicted)
    return (
        f"Of the {count(len(labels), 'sample')} shown, {wrong} carry the predicted label "
        f"{names.of_class(failure.predicted)} and {own} its own label "
        f"{names.of_class(failure.label)}."
    )


def _contexts(failure: Failure, roles: Collection[Role], names: Names) -> str:
    place = (
        "to where the prediction leaves the label"
        if failure.ever_right
        else f"to the state that the failure is in after its first {names.token}"
    )
    told = []
    if Role.CONTEXTS in roles:
        told.append(f"Samples of its label {names.of_class(failure.label)} that come {place}")
    if Role.OPPONENTS in roles:
        predicted = names.of_class(failure.predicted)
        who = "those" if told else "Samples"
        told.append(f"{who} of {predicted} that come nearest to the whole failure")
    return ", then ".join(told) + "."
