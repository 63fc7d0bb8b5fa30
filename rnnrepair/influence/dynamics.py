"""What training shows of each sample while it runs: sums over the epochs, no pass of their own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from rnnrepair.errors import IncompatibleCheckpointError

# Log-probability of a class that a softmax has rounded to 0, the smallest of float32. A margin of
# such numbers is finite, so that means are.
LEAST = -103.28
# What is counted over epochs, and over the epoch that runs.
OF_EPOCHS = (
    *("label", "epochs", "forgotten", "first_right"),
    *("_was_right", "_margin_sum", "_loss_sum"),
)
OF_THIS_EPOCH = ("_seen", "_right", "_margin_now", "_loss_now")


@dataclass(frozen=True)
class EpochDynamics:
    """One epoch in two numbers.

    Attributes:
        margin: mean margin of the samples that it has shown; NaN where it has shown none.
        forgotten: share of them that were right when they were shown before, and are wrong now.
    """

    margin: float
    forgotten: float


class TrainingDynamics:
    """Margin, loss, forgetting and first success of N samples, as training itself saw them.

    An epoch counts a sample that it shows once, whether it shows it once or several times: margin
    and loss of the epoch are means over these, and it is right where it was right each time. Logits
    are those that the step was made of: dropout was on, and an augmented sample counts as edited.
    The loss is the cross entropy of the logits, whatever is minimised.

    All counts speak of the label that a sample has now: where it comes with another one it begins
    anew.

    Attributes:
        n_epochs: that have ended.
        label: (N,) int32 label that the rest speaks of, -1 of samples that were never shown.
        epochs: (N,) int32 epochs that have shown the sample.
        forgotten: (N,) int32, how often it was right in one of these and wrong in the next.
        first_right: (N,) int32 number of the first of these epochs, from 0, in which it was right;
            -1 where it was in none.
    """

    def __init__(self, n_samples: int) -> None:
        """Begin with nothing seen.

        Args:
            n_samples: N, of the numbering of the data; samples from there on are not counted.
        """
        self.n_epochs = 0
        self.label = torch.full((n_samples,), -1, dtype=torch.int32)
        self.epochs = torch.zeros(n_samples, dtype=torch.int32)
        self.forgotten = torch.zeros(n_samples, dtype=torch.int32)
        self.first_right = torch.full((n_samples,), -1, dtype=torch.int32)
        self._was_right = torch.zeros(n_samples, dtype=torch.bool)
        self._margin_sum = torch.zeros(n_samples, dtype=torch.float64)
        self._loss_sum = torch.zeros(n_samples, dtype=torch.float64)
        self._seen = torch.zeros(n_samples, dtype=torch.int32)
        self._right = torch.zeros(n_samples, dtype=torch.int32)
        self._margin_now = torch.zeros(n_samples, dtype=torch.float64)
        self._loss_now = torch.zeros(n_samples, dtype=torch.float64)
        # Of each epoch that has ended: to be looked at, so half precision will do.
        self._margins: list[Tensor] = []

    def __len__(self) -> int:
        return len(self.label)

    @property
    def margin(self) -> Tensor:
        """(N,) float64 logit of the label minus the largest other, mean over epochs.

        NaN of samples that no epoch has shown.
        """
        return self._margin_sum / self.epochs

    @property
    def loss(self) -> Tensor:
        """(N,) float64 cross entropy, mean over epochs; NaN of samples that no epoch has shown."""
        return self._loss_sum / self.epochs

    @property
    def margins(self) -> Tensor:
        """(N, n_epochs) float16 margin of each epoch, NaN where it has not shown the sample."""
        nothing = torch.empty(len(self), 0, dtype=torch.float16)
        return torch.stack(self._margins, 1) if self._margins else nothing

    def knows(self, index: Tensor, label: Tensor) -> Tensor:
        """Return (n,) bool: samples of which an epoch has ended that showed them with this label.

        Args:
            index: (n,) samples; those from N on are never known.
            label: (n,) that they have now.
        """
        own = index < len(self)
        rows = torch.where(own, index, 0)
        return own & (self.epochs[rows] > 0) & (self.label[rows] == label)

    def update(self, index: Tensor, logits: Tensor, label: Tensor) -> None:
        """Count what training was shown.

        Args:
            index: (n,) samples, in any order, the same ones several times too.
            logits: (n, C) of them.
            label: (n,) int64 that they were trained with.
        """
        own = index < len(self)
        if not bool(own.all()):
            index, logits, label = index[own], logits[own], label[own]
        changed = self.label[index] != label
        if bool(changed.any()):
            self._begin_anew(index[changed], label[changed])
        logits = logits.float().nan_to_num(torch.nan, -LEAST, LEAST)
        at_label = label[:, None]
        others = logits.scatter(1, at_label, -torch.inf).amax(1)
        margin = logits.gather(1, at_label)[:, 0] - others
        self._margin_now.index_add_(0, index, margin.double())
        loss = cross_entropy(logits, label, reduction="none")
        self._loss_now.index_add_(0, index, loss.double())
        self._seen.index_add_(0, index, torch.ones_like(index, dtype=torch.int32))
        self._right.index_add_(0, index, (margin > 0).int())

    def end_epoch(self) -> EpochDynamics:
        """Close the epoch: what was counted since the last one becomes one entry of each mean."""
        rows = self._seen.nonzero()[:, 0]
        seen = self._seen[rows]
        margin = self._margin_now[rows] / seen
        right = self._right[rows] == seen
        lost = self._was_right[rows] & ~right
        self._margin_sum[rows] += margin
        self._loss_sum[rows] += self._loss_now[rows] / seen
        self.forgotten[rows] += lost
        self.epochs[rows] += 1
        new = rows[right & (self.first_right[rows] < 0)]
        self.first_right[new] = self.epochs[new] - 1
        self._was_right[rows] = right
        self._margins.append(torch.full((len(self),), torch.nan, dtype=torch.float16))
        self._margins[-1][rows] = margin.half()
        self.n_epochs += 1
        for name in OF_THIS_EPOCH:
            getattr(self, name).zero_()
        return EpochDynamics(float(margin.mean()), float(lost.double().mean()))

    def state_dict(self) -> dict[str, Any]:
        """Return plain numbers and tensors, for checkpoints, in the middle of an epoch too."""
        pending = OF_THIS_EPOCH if bool(self._seen.any()) else ()
        return {
            "n_epochs": self.n_epochs,
            "margins": self.margins,
            **{name: getattr(self, name).clone() for name in (*OF_EPOCHS, *pending)},
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from what ``state_dict`` returned.

        Raises:
            IncompatibleCheckpointError: it counts other samples.
        """
        if len(state_dict["label"]) != len(self):
            raise IncompatibleCheckpointError(
                f"The checkpoint holds training dynamics of {len(state_dict['label'])} samples, "
                f"and the data have {len(self)}: go on with the data that it was made with."
            )
        self.n_epochs = state_dict["n_epochs"]
        self._margins = list(state_dict["margins"].clone().unbind(1))
        for name in (*OF_EPOCHS, *OF_THIS_EPOCH):
            counted: Tensor = getattr(self, name)
            # Nothing is pending at the end of an epoch.
            counted.copy_(state_dict[name]) if name in state_dict else counted.zero_()

    @classmethod
    def of_state(cls, state_dict: Mapping[str, Any]) -> "TrainingDynamics":
        """Return what a state holds, for readers of checkpoints."""
        found = cls(len(state_dict["label"]))
        found.load_state_dict(state_dict)
        return found

    def _begin_anew(self, index: Tensor, label: Tensor) -> None:
        """Forget what is known of samples under the label that they had."""
        for name in (*OF_EPOCHS, *OF_THIS_EPOCH):
            getattr(self, name)[index] = 0
        for margins in self._margins:
            margins[index] = torch.nan
        self.first_right[index] = -1
        self.label[index] = label.int()
