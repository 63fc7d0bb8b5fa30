"""The abstract model: from a hidden state to an abstract state and its confidence."""

from dataclasses import dataclass
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from rnnrepair.abstraction.mixture import Family, Mixture
from rnnrepair.abstraction.reduction import Reduction
from rnnrepair.abstraction.stability import Stability, confidence
from rnnrepair.atomic import write_file
from rnnrepair.errors import IncompatibleCheckpointError

FORMAT_VERSION = "1"


@dataclass(frozen=True)
class AbstractModel:
    """Reduction, mixture and the step predictions counted in each state.

    States are numbered 0 .. K - 1; ``start`` (= K) is the state before the first input.

    Attributes:
        reduction: hidden states to k dimensions.
        mixture: k dimensions to states.
        counts: (K, C) int64 step predictions of the training traces.
    """

    reduction: Reduction
    mixture: Mixture
    counts: Tensor

    @property
    def n_states(self) -> int:
        """K."""
        return self.mixture.n_components

    @property
    def n_classes(self) -> int:
        """C."""
        return self.counts.shape[1]

    @property
    def start(self) -> int:
        """Id of the initial state, before any input."""
        return self.n_states

    @property
    def confidence(self) -> Tensor:
        """(K, C) float64 confidence vectors C_q."""
        return confidence(self.counts)

    @property
    def stability(self) -> Stability:
        """Stability of the states on the training traces."""
        return Stability.of(self.counts)

    def assign(self, hidden: Tensor) -> Tensor:
        """Return (n,) int64 states of (n, d) hidden states."""
        return self.mixture.assign(self.reduction(hidden))

    def save(self, path: Path) -> None:
        """Write one safetensors file; loading it runs no code."""
        tensors = {
            "reduction.mean": self.reduction.mean,
            "reduction.components": self.reduction.components,
            "reduction.variance": self.reduction.variance,
            "mixture.log_weight": self.mixture.log_weight,
            "mixture.mean": self.mixture.mean,
            "mixture.variance": self.mixture.variance,
            "counts": self.counts,
        }
        if self.mixture.precision_cholesky is not None:
            tensors["mixture.precision_cholesky"] = self.mixture.precision_cholesky
        metadata = {
            "version": FORMAT_VERSION,
            "total_variance": repr(self.reduction.total_variance),
            "converged": str(int(self.mixture.converged)),
            "n_iter": str(self.mixture.n_iter),
            "family": self.mixture.family,
        }
        with write_file(path) as draft:
            save_file({k: v.contiguous() for k, v in tensors.items()}, draft, metadata)

    @classmethod
    def load(cls, path: Path) -> "AbstractModel":
        """Read a file that ``save`` wrote.

        Raises:
            IncompatibleCheckpointError: the file is of another version.
        """
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("version") != FORMAT_VERSION:
                raise IncompatibleCheckpointError(
                    f"{path} has abstraction format {metadata.get('version')}, this program reads "
                    f"{FORMAT_VERSION}; run the analysis again."
                )
            t = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return cls(
            Reduction(
                t["reduction.mean"],
                t["reduction.components"],
                t["reduction.variance"],
                float(metadata["total_variance"]),
            ),
            Mixture(
                t["mixture.log_weight"],
                t["mixture.mean"],
                t["mixture.variance"],
                metadata["converged"] == "1",
                int(metadata["n_iter"]),
                t.get("mixture.precision_cholesky"),
                Family(metadata.get("family", Family.DIAGONAL)),
            ),
            t["counts"],
        )
