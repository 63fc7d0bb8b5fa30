"""One pass of the network over the data, reduced while it runs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from rnnrepair.abstraction.reduced import ReducedStates
from rnnrepair.abstraction.reduction import Reduction, StreamingPCA
from rnnrepair.atomic import write_file
from rnnrepair.network import TracedNetwork
from rnnrepair.protocols import Split
from rnnrepair.sequences import SequenceBatch


@dataclass(frozen=True)
class Collected:
    """What a pass of the network leaves behind: enough for any grouping of its states.

    Attributes:
        states: reduced hidden states of every split.
        reduction: the projection that made them.
        n_classes: C.
    """

    states: Mapping[Split, ReducedStates]
    reduction: Reduction
    n_classes: int

    def narrowed(self, dims: int) -> "Collected":
        """Return the first ``dims`` components of all states."""
        states = {split: of_split.narrowed(dims) for split, of_split in self.states.items()}
        return Collected(states, self.reduction.narrowed(dims), self.n_classes)

    def save(self, path: Path) -> None:
        """Write one safetensors file; loading it runs no code."""
        tensors = {f"reduction.{name}": value for name, value in vars(self.reduction).items()}
        tensors["reduction.total_variance"] = torch.tensor(
            self.reduction.total_variance, dtype=torch.float64
        )
        tensors["number.classes"] = torch.tensor(self.n_classes)
        for split, of_split in self.states.items():
            columns = {field.name: getattr(of_split, field.name) for field in fields(of_split)}
            tensors |= {f"{split}.{k}": v for k, v in columns.items() if v is not None}
        with write_file(path) as draft:
            save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, draft)

    @classmethod
    def load(cls, path: Path) -> "Collected":
        """Read what ``save`` wrote."""
        parts: dict[str, dict[str, Tensor]] = {}
        for name, tensor in load_file(path).items():
            owner, _, field = name.partition(".")
            parts.setdefault(owner, {})[field] = tensor
        projection, number = parts.pop("reduction"), parts.pop("number")
        total = float(projection.pop("total_variance"))
        states = {split: ReducedStates(**tensors) for split, tensors in parts.items()}
        reduction = Reduction(**projection, total_variance=total)
        return cls(states, reduction, int(number["classes"]))


def collect(
    network: TracedNetwork,
    sample: Iterable[SequenceBatch],
    batches: Mapping[Split, Iterable[SequenceBatch]],
    dims: int,
) -> Collected:
    """Fit the reduction on a sample, and reduce every split with it, one after the other.

    States are reduced where the network runs: only their components come back.

    Args:
        network: verified.
        sample: the sequences that the PCA sees, see ``pca_sample``.
        batches: of every split; each is read once.
        dims: principal components kept.

    Raises:
        NonFiniteError: a hidden state is NaN or infinite.
        ConfigurationError: the sample holds fewer than two states.
    """
    pca = StreamingPCA()
    for batch in network.steps(sample):
        pca.update(batch.hidden)
    reduction = pca.finish(dims)
    there = reduction.to(network.device)
    n_classes = network.spec.n_classes
    states = {
        split: ReducedStates.collect(network.steps(of_split, there), n_classes)
        for split, of_split in batches.items()
    }
    return Collected(states, reduction, n_classes)
