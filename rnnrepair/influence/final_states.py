"""The states that training sequences end in, whole."""

from torch import Tensor, cat

from rnnrepair.influence.view import TrainingView
from rnnrepair.sequences import offsets_of

# Training sequences that the network reads at a time.
AT_A_TIME = 500


def final_states(view: TrainingView) -> Tensor:
    """Return the (N, d) float32 last hidden states of all training samples, one pass."""
    batches = (view.fetch(part) for part in view.traces.index.split(AT_A_TIME))
    ends = [b.hidden[offsets_of(b.lengths)[1:] - 1] for b in view.network.steps(batches)]
    return cat(ends)
