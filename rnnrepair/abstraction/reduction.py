"""Principal components of hidden states that are only seen as a stream."""

from dataclasses import dataclass

import torch
from torch import Tensor

from rnnrepair.errors import ConfigurationError


@dataclass(frozen=True)
class Reduction:
    """A projection of hidden states onto their principal components.

    Attributes:
        mean: (d,) float32.
        components: (k, d) float32, orthonormal rows, largest variance first.
        variance: (k,) float32 variance along each component.
        total_variance: sum of the variances of all d units.
    """

    mean: Tensor
    components: Tensor
    variance: Tensor
    total_variance: float

    @property
    def explained(self) -> float:
        """Share of the variance that the components keep."""
        return float(self.variance.sum()) / max(self.total_variance, 1e-30)

    def holds(self, dims: int) -> bool:
        """Return whether the first ``dims`` components can be taken out of these."""
        kept, width = self.components.shape
        # All units, only centred, are not in the order of their variance.
        return dims >= width if kept == width else dims <= kept

    def narrowed(self, dims: int) -> "Reduction":
        """Return the projection onto the first ``dims`` components."""
        if dims >= len(self.components):
            return self
        return Reduction(
            self.mean, self.components[:dims], self.variance[:dims], self.total_variance
        )

    def to(self, device: torch.device) -> "Reduction":
        """Return it on a device."""
        mean, components, variance = (
            part.to(device) for part in (self.mean, self.components, self.variance)
        )
        return Reduction(mean, components, variance, self.total_variance)

    def __call__(self, hidden: Tensor) -> Tensor:
        """Project (n, d) hidden states to (n, k) float32."""
        return (hidden - self.mean) @ self.components.T


class StreamingPCA:
    """Exact PCA of a stream in d * d memory; agrees with scikit-learn's ``full`` solver.

    Sums are kept in float64 around the first batch's mean, which avoids the cancellation that
    raw second moments suffer from.

    Source: RNNRepair, section "state abstraction": PCA on all training state vectors, centred,
    not whitened.
    """

    def __init__(self) -> None:
        """Start with nothing seen."""
        self.count = 0
        self._shift = torch.empty(0)
        self._sum = torch.empty(0)
        self._outer = torch.empty(0)

    def update(self, hidden: Tensor) -> None:
        """Add (n, d) hidden states."""
        x = hidden.double()
        if self.count == 0:
            self._shift = x.mean(0)
            self._sum = torch.zeros_like(self._shift)
            self._outer = x.new_zeros(x.shape[1], x.shape[1])
        x = x - self._shift
        self.count += len(x)
        self._sum += x.sum(0)
        self._outer += x.T @ x

    def finish(self, n_components: int) -> Reduction:
        """Return the projection onto the first components.

        Where all d (or more) are asked for, states are only centred (docs/method.md 3.2).

        Raises:
            ConfigurationError: fewer than two state vectors were seen.
        """
        if self.count < 2:
            raise ConfigurationError(
                f"PCA needs at least 2 hidden states, got {self.count}: the fit split is empty or "
                "fit_sequences is too small."
            )
        mean = self._sum / self.count
        covariance = (self._outer - self.count * torch.outer(mean, mean)) / (self.count - 1)
        values, vectors = torch.linalg.eigh(covariance)
        if n_components >= len(values):
            # Nothing to leave out: a rotation would only change what a diagonal mixture sees.
            variance = covariance.diag().float()
            centre = (self._shift + mean).float()
            return Reduction(centre, torch.eye(len(values)), variance, float(variance.sum()))
        kept = n_components
        components = vectors.flip(1).T[:kept]
        # The sign of an eigenvector is arbitrary: fix it, so that two runs agree.
        largest = components.abs().argmax(1, keepdim=True)
        components = components * components.gather(1, largest).sign()
        return Reduction(
            (self._shift + mean).float(),
            components.float().contiguous(),
            values.flip(0)[:kept].clamp_min(0).float(),
            float(values.clamp_min(0).sum()),
        )
