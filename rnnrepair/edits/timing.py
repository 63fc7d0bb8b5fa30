"""Edits of time: where in its parent each step of an edited series comes from."""

import numpy as np
import torch
from torch import Tensor

from rnnrepair.sequences.steps_at import steps_at


def local_origin(origin: Tensor, speed: Tensor, turn: Tensor, last: Tensor) -> Tensor:
    """Return places when a first part runs at another speed and the rest makes up for it.

    Sums and products alone: what comes out is the same bit for bit in any batch.

    Args:
        origin: places in 0 .. ``last``.
        speed: of the first part.
        turn: where that ends, as a share of the series.
        last: last step.
    """
    end = turn * last
    reached = (end * speed).minimum(last)
    rest = (last - reached) / (last - end).clamp_min(1e-9)
    return torch.where(origin <= end, origin * speed, reached + (origin - end) * rest).minimum(last)


def resampled(inputs: Tensor, origin: Tensor, last: Tensor) -> Tensor:
    """Return (B, T, F) values at places between two steps, on the line between them.

    Args:
        inputs: (B, T, F).
        origin: (B, T, 1) or (B, T, F) float64 places in 0 .. ``last``.
        last: (B, 1, 1) last real step.
    """
    before = origin.floor().long()
    share = (origin - before).to(inputs)

    def at(steps: Tensor) -> Tensor:
        if steps.shape[2] == 1:
            return steps_at(inputs, steps[..., 0])
        return inputs.gather(1, steps.to(inputs.device))

    return torch.lerp(at(before), at((before + 1).minimum(last)), share)


def held(inputs: Tensor, share: Tensor, seed: Tensor) -> Tensor:
    """Return (B, T, F) values of which some steps are lost; the last one before is held.

    The first step is never lost.

    Args:
        inputs: (B, T, F).
        share: (B,) of the steps that are lost.
        seed: (B,) of which these are.
    """
    n_steps, seeds = inputs.shape[1], seed.long().tolist()
    chance = np.zeros((len(inputs), n_steps))
    for row in share.nonzero()[:, 0].tolist():
        # numpy draws step after step, so the steps do not depend on how far a batch is padded.
        chance[row] = np.random.default_rng(seeds[row]).random(n_steps)
    lost = torch.from_numpy(chance) < share[:, None]
    lost[:, 0] = False
    from_step = torch.where(lost, 0, torch.arange(n_steps)).cummax(1).values
    return steps_at(inputs, from_step)
