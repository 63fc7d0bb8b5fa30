"""Data as they are trained on, once they are loaded and split."""

from dataclasses import dataclass

from torch import Tensor

from rnnrepair.datamodules.loaded import LoadedData
from rnnrepair.protocols import Split
from rnnrepair.sequences import Corrected, DataSpec, Poison


@dataclass(frozen=True)
class Prepared:
    """Loaded data as they are trained on.

    Attributes:
        data: with what was put into sequences; its labels are the true ones.
        label: (N,) int64, as training, analysis and report see them.
        splits: the indices of every split.
        spec: of the data.
        poison: which sequences hold a trigger, None where none do.
        said: what a person has said of labels, None where nobody has.
    """

    data: LoadedData
    label: Tensor
    splits: dict[Split, Tensor]
    spec: DataSpec
    poison: Poison | None = None
    said: Corrected | None = None
