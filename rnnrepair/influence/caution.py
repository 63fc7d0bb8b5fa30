"""What must be known of suspect labels before one of them is changed."""

from rnnrepair.influence.labels import FEWEST_HELD_OUT
from rnnrepair.traces import Traces

# Share of held-out samples that is wrong, from which on right labels are called suspect in numbers
# (docs/results.md, Right labels that are called suspect).
WRONG_OFTEN = 0.15


def caution(held_out: Traces | None) -> str:
    """Say why many suspect labels may be right, for people; empty where few are.

    Args:
        held_out: samples that the network was not trained on; None where there are too few of them.
    """
    if held_out is None:
        return (
            f"Right labels of hard samples may be among them: it takes {FEWEST_HELD_OUT} held-out "
            "samples to tell"
        )
    wrong = 1 - held_out.accuracy
    if wrong < WRONG_OFTEN:
        return ""
    return (
        f"The network is wrong on {wrong:.0%} of held-out samples, or their labels are: if it is, "
        "right labels of hard samples look wrong too, so look before anything is changed"
    )
