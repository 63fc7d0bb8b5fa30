"""Linear systems whose matrix is known by its products alone, several right-hand sides at once."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from rnnrepair.errors import ConfigurationError


@dataclass(frozen=True)
class Solved:
    """What ``conjugate_gradient`` has found for M right-hand sides.

    Attributes:
        solution: (M, P).
        residual: (M,) norm of what is left of each right-hand side, relative to its own; of the
            solution itself, not of the recursion.
        iterations: products with the matrix that were needed.
    """

    solution: Tensor
    residual: Tensor
    iterations: int


def conjugate_gradient(
    product: Callable[[Tensor], Tensor],
    right: Tensor,
    tolerance: float = 1e-3,
    max_iterations: int = 100,
) -> Solved:
    """Solve A x = b for M right-hand sides b and one symmetric positive definite A.

    Each has its own step lengths; those that are solved take part in no more products.

    Args:
        product: (m, P) directions to (m, P) products with A.
        right: (M, P).
        tolerance: of the residual, relative to the right-hand side.
        max_iterations: at which the best so far is returned.

    Raises:
        ConfigurationError: A is not positive definite along a direction.
    """
    solution, left, direction = torch.zeros_like(right), right.clone(), right.clone()
    size = right.norm(dim=1)
    open_ = (size > 0).nonzero()[:, 0]
    iterations = 0
    while len(open_) and iterations < max_iterations:
        towards = direction[open_]
        multiplied = product(towards)
        curvature = (towards * multiplied).sum(1)
        if bool((curvature <= 0).any()):
            raise not_positive()
        before = left[open_].square().sum(1)
        step = (before / curvature)[:, None]
        solution[open_] += step * towards
        left[open_] -= step * multiplied
        now = left[open_].square().sum(1)
        direction[open_] = left[open_] + (now / before)[:, None] * towards
        iterations += 1
        open_ = open_[now.sqrt() > tolerance * size[open_]]
    rest = (right - product(solution)).norm(dim=1) / size.clamp_min(torch.finfo(size.dtype).tiny)
    return Solved(solution, rest, iterations)


def not_positive() -> ConfigurationError:
    """Return what is raised where a damped curvature is not positive definite."""
    return ConfigurationError(
        "The damped curvature is not positive in all directions (the Hessian of a network need not "
        "be): raise damping, or take curvature='gauss_newton', which always is."
    )
