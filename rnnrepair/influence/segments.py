"""Where in a failing sequence the network goes wrong."""

import torch
from torch import Tensor

from rnnrepair.traces import Traces


def responsible_step(failures: Traces) -> Tensor:
    """Return (M,) int64: the step after which the step prediction leaves the truth for good.

    It is the step that follows the last one with the right step prediction, or step 0 where no
    step was ever right.

    Source: RNNRepair section 4.4, and its code (find_key).
    """
    lengths = failures.lengths
    label = failures.label.repeat_interleave(lengths)
    right = failures.prediction.long() == label
    within = torch.arange(len(right)) - failures.offsets[:-1].repeat_interleave(lengths)
    sequence = torch.arange(len(failures)).repeat_interleave(lengths)
    after_last_right = torch.zeros(len(failures), dtype=torch.int64)
    after_last_right.scatter_reduce_(0, sequence, torch.where(right, within + 1, 0), "amax")
    return after_last_right.clamp_max(lengths - 1)


def responsible_segment(failures: Traces, confidence: Tensor) -> Tensor:
    """Return (M, 2) int64 first step and end of the responsible segment, one or more steps.

    It is the responsible step and the steps around it over which the abstract confidence in the
    truth, C_q[label], falls step by step: one word may only finish what the words before began.

    Args:
        failures: M traces.
        confidence: (K, C) of the abstract model.

    Source: ours.
    """
    lengths, n_steps = failures.lengths, int(failures.offsets[-1])
    label = failures.label.repeat_interleave(lengths)
    truth = confidence[failures.state.long(), label]
    falls = torch.zeros(n_steps, dtype=torch.bool)
    falls[1:] = truth[1:] < truth[:-1]
    falls[failures.offsets[:-1]] = False  # nothing comes before the first step
    here = torch.arange(n_steps)
    step = failures.offsets[:-1] + responsible_step(failures)
    # The last step up to here that does not fall, and the next one after here.
    before = torch.where(falls, -1, here).cummax(0).values
    after = torch.where(falls, n_steps, here).flip(0).cummin(0).values.flip(0)
    after = torch.cat([after[1:], after.new_full((1,), n_steps)])
    first = torch.where(falls[step], before[step] + 1, step)
    end = torch.minimum(after[step], failures.offsets[1:])
    return torch.stack([first, end], 1) - failures.offsets[:-1, None]
