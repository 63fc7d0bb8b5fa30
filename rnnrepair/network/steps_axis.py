"""Networks that go along the features of their inputs, not along the steps."""

from dataclasses import replace

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
    as there are channels. Then a change of the last feature, in all steps, arrives at the last
    states alone; in a network that goes along the steps, either way, it is there from early on.

    Args:
        network: the module with its hooks.
        seen: what it does with a few sequences, longest first.
        told: how it is called, for people.

    Raises:
        ConfigurationError: says how sequences are given.
    """
    inputs, made = seen.batch.inputs, seen.hidden.shape[1]
    if inputs.dim() != 3 or inputs.shape[2] < 2 or made < LEAST:
        return
    changed = inputs.clone()
    changed[..., -1] += 1
    try:
        other = network.run(replace(seen.batch, inputs=changed))
    except UNFIT:  # told of where steps are cut
        return
    moved = other.hidden[0] != seen.hidden[0]
    late = moved[-1] & ~moved[: round(EARLY * made)].any(0)
    if float(late.float().mean()) < UNITS:
        return
    n_steps, n_features = inputs.shape[1:]
    raise refusal(
        network.module,
        told,
        f"its states go along the {n_features} features of an input, not along its {n_steps} steps",
        mend="Sequences are read as (steps, features). Are yours (channels, steps)? Give arrays "
        "and data sets as they are with steps_last=True (ArrayDataModule, DatasetDataModule), or "
        "give x.transpose(1, 2), and leave the transposing out of forward.",
    )
