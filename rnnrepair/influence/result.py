"""What is found of the training samples behind failures, and how it is kept."""

from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor

from rnnrepair.atomic import write_file
from rnnrepair.influence.contexts import Contexts
from rnnrepair.influence.segments import responsible_step
from rnnrepair.traces import Traces


@dataclass(frozen=True)
class Influence:
    """Training samples behind M failures, nearest first (-1 where there are no more).

    Attributes:
        failures: traces of the failures.
        nearest: (M, top) int64 sample indices among all training samples.
        nearest_distance: (M, top) float32.
        sources: (M, top) int64 sample indices among the correctly classified training samples of
            the failure's true label (among all of them where none is classified correctly), from
            which repair samples are made.
        source_distance: (M, top) float32.
        contexts: training samples of the true label that come to where each failure goes wrong,
            longest common run first; None where the method does not look for them.
        drawn: the same, drawn at random: the control.
        opposites: (M, top) int64 nearest correctly classified training samples of the *predicted*
            label: what the failure is mistaken for.
        contrast: (M,) float32, mean distance to the nearest samples of the true label minus that
            to the opposites: above 0 where the failure is more like the latter, NaN where there
            are none of either.
    """

    failures: Traces
    nearest: Tensor
    nearest_distance: Tensor
    sources: Tensor
    source_distance: Tensor
    contexts: Contexts | None = None
    drawn: Contexts | None = None
    opposites: Tensor | None = None
    contrast: Tensor | None = None

    def __len__(self) -> int:
        return len(self.failures)

    def save(self, path: Path) -> None:
        """Write the tables as one safetensors file; loading it runs no code."""
        tensors = {
            "failure": self.failures.index,
            "label": self.failures.label,
            "predicted": self.failures.final_prediction,
            "step": responsible_step(self.failures),
            "nearest": self.nearest,
            "nearest_distance": self.nearest_distance,
            "sources": self.sources,
            "source_distance": self.source_distance,
        }
        for name, contexts in {"context": self.contexts, "drawn": self.drawn}.items():
            if contexts is not None:
                tensors |= {f"{name}_{part}": t for part, t in vars(contexts).items()}
        for name in ("opposites", "contrast"):
            if getattr(self, name) is not None:
                tensors[name] = getattr(self, name)
        with write_file(path) as draft:
            save_file({name: t.contiguous() for name, t in tensors.items()}, draft)
