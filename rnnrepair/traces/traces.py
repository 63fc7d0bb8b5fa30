"""Abstract traces of many sequences in two bytes a step."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rnnrepair.atomic import write_folder
from rnnrepair.errors import IncompatibleCheckpointError
from rnnrepair.sequences import Ragged

FORMAT_VERSION = 2
_ARRAYS = ("state", "prediction", "offsets", "index", "label")
_OPTIONAL = ("token",)


@dataclass(frozen=True)
class Traces(Ragged):
    """State and step prediction at every step of N sequences, concatenated (CSR).

    Source: RNNRepair (ICML 2021), trace and temporal feature. The confidence vector of a step is
    a function of its state, so ``(state, prediction)`` is all that a similarity needs.

    Attributes:
        state: (S,) abstract state after each step, smallest integer type.
        prediction: (S,) argmax of the head on h_t, smallest integer type.
        offsets: (N + 1,) int64; sequence i owns the steps ``offsets[i]:offsets[i + 1]``.
        index: (N,) int64 identity of each sequence.
        label: (N,) int64 true class.
        n_states: K.
        n_classes: C.
        token: (S,) int32 what was read at each step, None where inputs are features.
    """

    STEPS = ("state", "prediction", "token")
    ROWS = ("index", "label")

    state: Tensor
    prediction: Tensor
    offsets: Tensor
    index: Tensor
    label: Tensor
    n_states: int
    n_classes: int
    token: Tensor | None = None

    @property
    def n_codes(self) -> int:
        """Number of different (state, prediction) pairs, K * C."""
        return self.n_states * self.n_classes

    @property
    def code(self) -> Tensor:
        """(S,) int32 ``state * C + prediction``."""
        return self.state.int() * self.n_classes + self.prediction.int()

    @property
    def final_prediction(self) -> Tensor:
        """(N,) int64 class predicted for each sequence."""
        return self.prediction[self.last_step].long()

    @property
    def correct(self) -> Tensor:
        """(N,) bool, whether the sequence is classified correctly."""
        return self.final_prediction == self.label

    @property
    def accuracy(self) -> float:
        """Share of correctly classified sequences."""
        return self.correct.double().mean().item()

    def padded_code(self, n_steps: int | None = None) -> Tensor:
        """Return (N, T) int32 codes, right-padded with the extra code ``n_codes``."""
        width = int(self.lengths.max()) if n_steps is None else n_steps
        return self.padded(self.code, width, self.n_codes)

    def save(self, folder: Path, fingerprint: str = "") -> None:
        """Write memory-mappable arrays and a manifest; the folder appears whole or not at all."""
        manifest = {
            "version": FORMAT_VERSION,
            "n_states": self.n_states,
            "n_classes": self.n_classes,
            "fingerprint": fingerprint,
        }
        arrays = [*_ARRAYS, *(name for name in _OPTIONAL if getattr(self, name) is not None)]
        with write_folder(folder) as draft:
            for name in arrays:
                np.save(draft / f"{name}.npy", getattr(self, name).numpy())
            (draft / "manifest.json").write_text(json.dumps(manifest, indent=2))

    @classmethod
    def load(cls, folder: Path) -> "Traces":
        """Open saved traces as memory maps.

        Raises:
            IncompatibleCheckpointError: the folder holds no traces of this version.
        """
        try:
            manifest = json.loads((folder / "manifest.json").read_text())
        except FileNotFoundError as error:
            raise IncompatibleCheckpointError(
                f"{folder} holds no manifest.json, so it is no finished trace folder; "
                "name a folder that Traces.save wrote."
            ) from error
        if manifest["version"] != FORMAT_VERSION:
            raise IncompatibleCheckpointError(
                f"{folder} has trace format {manifest['version']}, this program reads "
                f"{FORMAT_VERSION}; run the analysis again."
            )
        # Copy-on-write maps: torch refuses read-only memory, and nothing is read before its use.
        present = [*_ARRAYS, *(name for name in _OPTIONAL if (folder / f"{name}.npy").is_file())]
        arrays = {
            name: torch.from_numpy(
                np.load(folder / f"{name}.npy", mmap_mode="c", allow_pickle=False)
            )
            for name in present
        }
        return cls(**arrays, n_states=manifest["n_states"], n_classes=manifest["n_classes"])
