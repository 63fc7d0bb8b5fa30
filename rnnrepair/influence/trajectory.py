"""The course of a training by plain stochastic gradient descent, step by step."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from rnnrepair.atomic import write_file
from rnnrepair.errors import IncompatibleCheckpointError

# What a file of a trajectory says it is.
FORMAT = "rnnrepair trajectory 1"


@dataclass(frozen=True)
class Step:
    """One step: weights = weights - rate * gradient of the mean loss of the batch.

    Attributes:
        weights: (P,) trained parameters before the step, see ``Layout``.
        index: (b,) int64 indices of the sequences in the batch, some perhaps several times.
        rate: learning rate.
    """

    weights: Tensor
    index: Tensor
    rate: float


@dataclass(frozen=True)
class Trajectory:
    """All steps of a training, from its first one on.

    What the sequences were is not kept: who reads it takes inputs and labels as they are now.

    Attributes:
        steps: in the order in which they were made.
        final: (P,) trained parameters after the last one.
    """

    steps: Sequence[Step]
    final: Tensor

    def __len__(self) -> int:
        return len(self.steps)

    def save(self, path: Path) -> None:
        """Write one safetensors file; loading it runs no code."""
        tensors = {"final": self.final}
        tensors["rate"] = torch.tensor([step.rate for step in self.steps], dtype=torch.float64)
        for number, step in enumerate(self.steps):
            tensors |= {f"weights.{number}": step.weights, f"index.{number}": step.index}
        with write_file(path) as draft:
            save_file(tensors, draft, metadata={"format": FORMAT})

    @classmethod
    def load(cls, path: Path) -> "Trajectory":
        """Read what ``save`` wrote; weights stay in the file until they are used.

        Raises:
            IncompatibleCheckpointError: the file is missing, damaged, or of something else.
        """
        try:
            tensors = load_file(path)
            steps = [
                Step(tensors[f"weights.{number}"], tensors[f"index.{number}"], rate)
                for number, rate in enumerate(tensors["rate"].tolist())
            ]
            return cls(steps, tensors["final"])
        except (OSError, SafetensorError, KeyError) as error:
            raise IncompatibleCheckpointError(
                f"{path} holds no trajectory of a training: expected the file that a "
                f"TrajectoryRecorder(output_dir=...) wrote. ({error})"
            ) from error
