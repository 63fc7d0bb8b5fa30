"""Parts of the samples: each is judged by a model that was fitted on the others."""

import torch
from torch import Tensor

from rnnrepair.seeding import torch_generator

PARTS = 5


def random_parts(n: int, name: str, seed: int = 0) -> list[Tensor]:
    """Return five parts of n rows, of like size and in random order.

    Args:
        n: rows.
        name: of what they are drawn for, see ``torch_generator``.
        seed: of the draw.
    """
    order = torch.randperm(n, generator=torch_generator(seed, name))
    return [order[part::PARTS] for part in range(PARTS)]
