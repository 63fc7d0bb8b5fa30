"""What is told of the training samples behind a failure."""

from rnnrepair.influence import Role
from rnnrepair.record import Failure, Injected, Neighbour
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


def origin(sample: Injected, failure: Failure) -> str:
    """Say what an injected sample is, where its picture or text does not."""
    if sample.parent == failure.index:
        return "made of the failure itself"
    if sample.label != failure.label:
        return "of what it was taken for: to stay as it is read"
    return ""


def neighbourhood(failure: Failure, names: Names) -> str:
    """Say what the samples are, and which label the failure as a whole resembles."""
    if failure.contrast is not None:
        return _contexts(failure, failure.contrast, names)
    labels = [neighbour.label for neighbour in failure.neighbours]
    if not labels:
        return "No training sample takes a similar way through the states."
    true, wrong = labels.count(failure.label), labels.count(failure.predicted)
    return (
        f"Of the {count(len(labels), 'sample')} shown, {wrong} carry the predicted label "
        f"{names.of_class(failure.predicted)} and {true} the true label "
        f"{names.of_class(failure.label)}."
    )


def _contexts(failure: Failure, contrast: float, names: Names) -> str:
    true, predicted = names.of_class(failure.label), names.of_class(failure.predicted)
    told = f"Samples of the true label {true} that come to where the prediction leaves the truth"
    if any(neighbour.role == Role.OPPONENTS for neighbour in failure.neighbours):
        told += f", then those of {predicted} that come nearest to the whole failure"
    told += "."
    if contrast != contrast:  # no sample of one of the labels is classified correctly
        return told
    like, unlike = (predicted, true) if contrast > 0 else (true, predicted)
    return (
        f"{told} As a whole the failure is nearer to training samples of {like} than of {unlike}."
    )
