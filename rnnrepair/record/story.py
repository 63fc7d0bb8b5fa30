"""The one sentence that says where a failure left its label, on the page and the terminal."""

from rnnrepair.record.failure import Failure
from rnnrepair.sequences import Names


def story(failure: Failure, names: Names) -> str:
    """Say when the step prediction left the label, and what the abstraction saw there.

    Args:
        failure: T steps of it.
        names: of the classes.
    """
    n_steps, step = len(failure.prediction), failure.step
    if n_steps == 1:
        return (
            f"The network reads the input as a whole: it predicted "
            f"{names.of_class(failure.predicted)}, in state {int(failure.state[0])}."
        )
    label, turned = names.of_class(failure.label), int(failure.prediction[step])
    if not failure.ever_right:
        settled = _settled(failure)
        before = " and another wrong class before" if settled else ""
        return (
            f"No step was ever predicted {label}: the prediction was "
            f"{names.of_class(failure.predicted)} from step {settled + 1} of {n_steps} on{before}. "
            f"The network ends in state {int(failure.state[-1])}."
        )
    ending = (
        "" if turned == failure.predicted else f" and ended as {names.of_class(failure.predicted)}"
    )
    old, new = int(failure.state[step - 1]), int(failure.state[step])
    way = f"stayed in state {new}" if old == new else f"went from state {old} to state {new}"
    return (
        f"The prediction left the label for good at step {step + 1} of {n_steps}, where "
        f"{label} turned into {names.of_class(turned)}{ending}: the network {way}."
    )


def _settled(failure: Failure) -> int:
    """Return the step from which on the prediction is that of the sequence."""
    other = (failure.prediction[:-1] != failure.predicted).nonzero()[:, 0]
    return int(other[-1]) + 1 if len(other) else 0
