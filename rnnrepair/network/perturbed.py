"""Weights that hide nothing: a fresh head of zeros says the same of every state."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from rnnrepair.network.snapshot import unchanged

# Noise of a weight: as a share of the spread of all, and at least this over the root of its inputs.
SHARE, LEAST = 0.1, 0.3
# Smaller noise where weights do not stand more: a variance stays positive, a recurrence stable.
FACTORS = (1.0, 0.1, 0.01)


@contextmanager
def perturbed(module: nn.Module, works: Callable[[], bool]) -> Iterator[None]:
    """Add noise to all weights while the block runs; afterwards they are the same bit for bit.

    What is found out about a module must hold for the weights that training will give it, not for
    those that it happens to have.

    Args:
        module: to be looked at.
        works: whether what the module answers is still of use; where no noise stands that, there is
            none.
    """
    with unchanged(module) as before:
        for factor in FACTORS:
            for parameter in module.parameters():
                if parameter.is_floating_point() and not is_lazy(parameter):
                    parameter.data.add_(factor * _noise(parameter))
            if works():
                break
            before.restore()
        yield


def _noise(parameter: Tensor) -> Tensor:
    n_inputs = parameter[0].numel() if parameter.dim() > 1 else 1
    spread = float(parameter.float().std()) if parameter.numel() > 1 else 0.0
    return torch.randn_like(parameter) * max(SHARE * spread, LEAST / n_inputs**0.5)
