"""Abstract traces of many sequences in two bytes a step."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rnnrepair.atomic import write_folder
from rnnrepair.errors import IncompatibleCheckpointError

FORMAT_VERSION = 2
_ARRAYS = ("state", "prediction", "offsets", "index", "label")
_OPTIONAL = ("token",)


def smallest_int(n_values: int) -> torch.dtype:
    """Return the smallest integer type that holds 0 .. n_values - 1.

    Example:
        >>> smallest_int(43), smallest_int(1000)
        (torch.uint8, torch.int16)
    """
    if n_values <= 256:
        return torch.uint8
    return torch.int16 if n_values <= 2**15 else torch.int32


def steps_of(offsets: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Return the (s,) positions of the steps of some sequences, and their own (n + 1,) offsets.

    Args:
        offsets: (N + 1,) of all sequences.
        rows: (n,) sequences wanted, in this order.
    """
    lengths = offsets.diff()[rows]
    own = torch.cat([lengths.new_zeros(1), lengths.cumsum(0)])
    within = torch.arange(int(own[-1])) - own[:-1].repeat_interleave(lengths)
    return offsets[rows].repeat_interleave(lengths) + within, own


@dataclass(frozen=True)
class Traces:
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

    state: Tensor
    prediction: Tensor
    offsets: Tensor
    index: Tensor
    label: Tensor
    n_states: int
    n_classes: int
    token: Tensor | None = None

    def __len__(self) -> int:
        return len(self.index)

    @property
    def lengths(self) -> Tensor:
        """(N,) int64 steps of each sequence."""
        return self.offsets.diff()

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
        return self.prediction[self.offsets[1:] - 1].long()

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
        lengths = self.lengths
        width = int(lengths.max()) if n_steps is None else n_steps
        if bool((lengths == width).all()):
            return self.code.view(len(self), width)
        padded = torch.full((len(self), width), self.n_codes, dtype=torch.int32)
        padded[torch.arange(width) < lengths[:, None]] = self.code
        return padded

    def select(self, rows: Tensor) -> "Traces":
        """Return the sequences in these rows (positions or mask), in this order."""
        rows = rows.nonzero()[:, 0] if rows.dtype == torch.bool else rows
        steps, offsets = steps_of(self.offsets, rows)
        return Traces(
            self.state[steps],
            self.prediction[steps],
            offsets,
            self.index[rows],
            self.label[rows],
            self.n_states,
            self.n_classes,
            None if self.token is None else self.token[steps],
        )

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
