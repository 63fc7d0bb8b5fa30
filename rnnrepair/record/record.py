"""What is known of a run once it has ended."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from rnnrepair.errors import DataError
from rnnrepair.protocols import Split
from rnnrepair.record import files
from rnnrepair.record.parts import Contrast, Repair, TargetLook
from rnnrepair.scores import Monitor


@dataclass(frozen=True, eq=False)
class RunRecord:
    """The record of a run: indices, spans and numbers; sequences are fetched from the data.

    A run has repaired a network, or it has counted targets while it trained (the published
    protocol on MNIST, where no network goes before).

    Attributes:
        experiment: name of the run.
        seed: of the run.
        strategy: that made the samples.
        arm: what the run is called where runs are compared.
        contrasts: comparisons that were named in advance.
        notes: warnings that stand in every output.
        network: how the network is read.
        source: of the data, None where that is no part of what arms have in common.
        sizes: sequences by split, injected ones not counted.
        repair: None where targets were counted.
        looks: at the targets; none where a network was repaired.
        monitor: the score that chose on val, see ``Monitor``.
        class_sizes: training samples of each class, injected ones not counted; none where that is
            not known.
        corrections: the file in which a person has looked at labels, and how many samples are
            relabelled, dropped and kept by it; None where there is none.
        class_names: what the data call the classes, by number; none where they have no names.
    """

    experiment: str
    seed: int
    strategy: str
    arm: str
    contrasts: tuple[Contrast, ...]
    notes: tuple[str, ...]
    network: str
    source: str | None
    sizes: Mapping[Split, int]
    repair: Repair | None = None
    looks: tuple[TargetLook, ...] = ()
    monitor: str = Monitor.ACCURACY.value
    class_sizes: tuple[int, ...] = ()
    corrections: Mapping[str, str | int] | None = None
    class_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a record of nothing, and one of both kinds of runs.

        Raises:
            DataError: names what was given.
        """
        if (self.repair is None) == (not self.looks):
            raise DataError(
                "A record holds either repair or looks, got "
                f"{'neither' if self.repair is None else 'both'}."
            )

    def save(self, run_folder: Path) -> None:
        """Write ``record/`` into the folder of a run; it appears whole or not at all."""
        files.write(run_folder, self, {} if self.repair is None else self.repair.tensors())

    @classmethod
    def load(cls, run_folder: Path) -> "RunRecord":
        """Read ``record/`` in the folder of a run.

        Raises:
            IncompatibleCheckpointError: it is missing, damaged, or of another version.
        """
        with files.refusing_damage(run_folder):
            return cls._of_plain(*files.read(run_folder))

    @staticmethod
    def is_in(run_folder: Path) -> bool:
        """Return whether the folder of a run holds a record: whether the run has ended."""
        return files.is_in(run_folder)

    @classmethod
    def _of_plain(cls, told: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> "RunRecord":
        repair = told["repair"]
        changed = {
            "contrasts": tuple(Contrast(**contrast) for contrast in told["contrasts"]),
            "notes": tuple(told["notes"]),
            "repair": None if repair is None else Repair.of_plain(repair, tensors),
            "looks": tuple(TargetLook(**look) for look in told["looks"]),
            "class_sizes": tuple(told.get("class_sizes", ())),
            "class_names": tuple(told.get("class_names", ())),
        }
        return cls(**{**told, **changed})
