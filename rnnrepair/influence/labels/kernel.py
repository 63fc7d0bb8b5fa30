"""What a smooth function of the inputs says of the labels of samples that it was not fitted on."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.linalg import solve
from torch import Tensor

from rnnrepair.influence.labels.parts import PARTS, parts_of_others, random_parts

# Samples that have a kernel around them, and samples of all parts that models are fitted on.
CENTRES = 500
FITTED_ON = 20000
# Width of the kernels, of the median distance between centres.
WIDTH = 0.6
# For each sample that a model is fitted on.
DAMPINGS = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2)
# Added to the likeness of each centre to itself.
SAME = 1e-6
# Samples whose kernels are computed at a time.
AT_A_TIME = 2000


def kernel_labels(
    values: Tensor,
    label: Tensor,
    n_classes: int,
    seed: int = 0,
    group: Tensor | None = None,
    n_centres: int = CENTRES,
) -> Tensor:
    """Return (N + M, C) float32 scores of each class, about 1 for the class that a model sees.

    Ridge regression from Gaussian kernels around some samples to indicators of the classes. No
    sample has a say in the fit that judges it, nor in its damping. What is far from all centres is
    of no class more than of another.

    Source: Williams and Seeger, "Using the Nystroem Method to Speed Up Kernel Machines", 2000.

    Args:
        values: (N + M, k) float32 of the samples; the last M have no label, and no model is fitted
            on them.
        label: (N,) int64.
        n_classes: C.
        seed: of the centres, of the samples that models are fitted on and of the parts.
        group: (N + M,) int64, equal where samples belong together: no group is in two parts. None
            where each stands alone.
        n_centres: samples that have a kernel around them, at most.
    """
    n, n_judged = len(label), len(values)
    group = torch.arange(n_judged) if group is None else group
    parts = random_parts(group[:n], "kernel model of labels", seed)
    others = parts_of_others(parts, group, n)
    kernels = _Kernels.around(values[torch.cat([part[: n_centres // PARTS] for part in parts])])
    wanted = torch.eye(n_classes)[label] - 1 / n_classes
    fitted = [part[: FITTED_ON // PARTS] for part in parts]
    seen = [kernels.of(values[rows]) for rows in fitted]
    sums = [_Sums.of(kernel, wanted[rows]) for kernel, rows in zip(seen, fitted, strict=True)]
    scores = torch.empty(n_judged, n_classes)
    for p, part in enumerate(parts):
        # The damping is chosen on the next part.
        q = (p + 1) % PARTS
        tried = kernels.weights(_Sums.over(sums, without=(p, q)), DAMPINGS)
        error = (seen[q] @ tried - wanted[fitted[q]]).square().sum((1, 2))
        damping = DAMPINGS[int(error.argmin())]
        (weights,) = kernels.weights(_Sums.over(sums, without=(p,)), (damping,))
        scores[fitted[p]] = seen[p] @ weights
        for rows in torch.cat([part[len(fitted[p]) :], others[p]]).split(AT_A_TIME):
            scores[rows] = kernels.of(values[rows]) @ weights
    return scores + 1 / n_classes


@dataclass(frozen=True)
class _Sums:
    """Of n samples that have kernels K and want Y.

    Attributes:
        squares: (m, m) float64 K'K.
        products: (m, C) float64 K'Y.
        n: samples.
    """

    squares: Tensor
    products: Tensor
    n: int

    @classmethod
    def of(cls, kernel: Tensor, wanted: Tensor) -> "_Sums":
        """Sum over n samples with kernels (n, m) that want (n, C)."""
        # Weak dampings need more digits than kernels have.
        kernel = kernel.double()
        return cls(kernel.T @ kernel, kernel.T @ wanted.double(), len(kernel))

    @classmethod
    def over(cls, sums: "list[_Sums]", without: tuple[int, ...]) -> "_Sums":
        """Return those of several parts together."""
        kept = [part for p, part in enumerate(sums) if p not in without]
        return cls(
            torch.stack([part.squares for part in kept]).sum(0),
            torch.stack([part.products for part in kept]).sum(0),
            sum(part.n for part in kept),
        )


@dataclass(frozen=True)
class _Kernels:
    """Gaussian kernels around m centres.

    Attributes:
        centre: (m, k).
        width: standard deviation of each.
    """

    centre: Tensor
    width: float

    @classmethod
    def around(cls, centre: Tensor) -> "_Kernels":
        """Choose the width by the distances between the centres."""
        apart = torch.pdist(centre)
        # Copies of one sample have no distance.
        usual = float(apart[apart > 0].median()) if bool((apart > 0).any()) else 1.0
        return cls(centre, WIDTH * usual)

    def of(self, values: Tensor) -> Tensor:
        """Return (n, m) values of the kernels at n samples."""
        apart = torch.cdist(values, self.centre.to(values.dtype))
        return apart.div_(self.width).square_().div_(-2).exp_()

    def weights(self, fitted_on: _Sums, dampings: tuple[float, ...]) -> Tensor:
        """Return the (dampings, m, C) float32 weights of ridge regressions.

        Where inputs have few dimensions, centres are so much alike that single precision would
        leave no positive definite matrix.
        """
        among = self.of(self.centre.double())
        # Of copies of a sample any may have the weight.
        among.diagonal().add_(SAME)
        # By scipy: torch's solver of several systems has failed with several threads.
        found = [
            solve(
                (fitted_on.squares + damping * max(fitted_on.n, 1) * among).numpy(),
                fitted_on.products.numpy(),
                assume_a="pos",
            )
            for damping in dampings
        ]
        return torch.from_numpy(np.stack(found)).float()
