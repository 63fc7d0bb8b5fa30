"""Where in a failing sequence the network goes wrong."""

import torch
from torch import Tensor

from rnnrepair.traces import Traces


def responsible_step(failures: Traces) -> Tensor:
    """Return (M,) int64: the step after which the step prediction leaves the truth for good.

    It is the step that follows the last one with the right step prediction, or step 0 where no
    step was ever right.

    Source: RNNRepair, segment-level repair; experiments reference 8.2 (find_key).
    """
    lengths = failures.lengths
    label = failures.label.repeat_interleave(lengths)
    right = failures.prediction.long() == label
    within = torch.arange(len(right)) - failures.offsets[:-1].repeat_interleave(lengths)
    sequence = torch.arange(len(failures)).repeat_interleave(lengths)
    after_last_right = torch.zeros(len(failures), dtype=torch.int64)
    after_last_right.scatter_reduce_(0, sequence, torch.where(right, within + 1, 0), "amax")
    return after_last_right.clamp_max(lengths - 1)
