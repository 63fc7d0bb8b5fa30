"""Networks that go along the features of their inputs, not along the steps."""

from dataclasses import replace

from torch import Tensor

from rnnrepair.network.hooked import UNFIT, HookedModule, Pass
from rnnrepair.network.refusal import refusal

# Steps of the tap, at least: fewer do not tell where a change arrives.
LEAST = 4
# Steps, as a share, that a change of the last feature does not reach before it reaches the end, in
# so many of the units: of layers that read both ways, half go forward.
EARLY, UNITS = 0.75, 0.25


def check_goes_along_steps(network: HookedModule, seen: Pass, told: str) -> None:
    """Refuse a network whose states go along the features of the inputs.

    Series of the form (channels, steps), as convolutions take them, would be read as so many steps
    as there are channels. There are as many states as features then, and one input step less is a
    feature less of what a layer takes; or, where steps are joined, the first feature arrives early
    and the last one late.

    Args:
        network: the module with its hooks.
        seen: what it does with a few sequences, longest first.
        told: how it is called, for people.

    Raises:
        ConfigurationError: says how sequences are given.
    """
    inputs, made = seen.batch.inputs, seen.hidden.shape[1]
    if inputs.dim() != 3 or made == inputs.shape[1] or inputs.shape[2] < 2 or made < LEAST:
        return
    n_steps, n_features = inputs.shape[1:]
    if made == n_features:
        if _takes_fewer_steps(network, seen):
            return
    elif not (_arrives_late(network, seen, -1) and not _arrives_late(network, seen, 0)):
        return
    raise refusal(
        network.module,
        told,
        f"its states go along the {n_features} features of an input, not along its {n_steps} steps",
        mend="Sequences are read as (steps, features). Are yours (channels, steps)? Give arrays "
        "and data sets as they are with steps_last=True (ArrayDataModule, DatasetDataModule), or "
        "give x.transpose(1, 2), and leave the transposing out of forward.",
    )


def _takes_fewer_steps(network: HookedModule, seen: Pass) -> bool:
    """Return whether the module runs on sequences without their last step."""
    n_steps = seen.batch.inputs.shape[1]
    if n_steps < 2:  # there is none to take away, and one step makes no several states
        return False
    rows = seen.batch.lengths.argsort(descending=True)[:2]
    try:
        network.run(seen.batch.rows(rows, n_steps - 1))
    except UNFIT:
        return False
    return True


def _arrives_late(network: HookedModule, seen: Pass, feature: int) -> bool:
    """Return whether the values of other sequences in a feature change the last states alone."""
    inputs = seen.batch.inputs.clone()
    inputs[..., feature] = inputs[..., feature].roll(1, 0)
    try:
        other = network.run(replace(seen.batch, inputs=inputs)).hidden
    except UNFIT:
        return False
    if other.shape != seen.hidden.shape:
        return False
    moved: Tensor = other[0] != seen.hidden[0]
    late = moved[-1] & ~moved[: round(EARLY * len(moved))].any(0)
    return float(late.float().mean()) >= UNITS
