"""The anchor: what a network that is repaired says of ordinary samples stays near what it said."""

import torch
from torch import Tensor
from torch.nn.functional import kl_div

from rnnrepair.network import TracedNetwork, logits_of
from rnnrepair.protocols import RepairableData
from rnnrepair.sequences import SequenceBatch


def anchor_term(now: Tensor, kept: Tensor, n_rows: int) -> Tensor:
    """Return how far a network has gone, as a term of the loss of a batch.

    It is the sum of KL(kept || now) in nats over the anchored sequences, divided by the number of
    all sequences: each has the weight that it has in a mean loss, however many others are there.

    Args:
        now: (a, C) logits of the anchored sequences, with their graph.
        kept: (a, C) logits of the unrepaired network.
        n_rows: sequences of the batch.
    """
    said, meant = now.float().log_softmax(-1), kept.float().log_softmax(-1)
    return kl_div(said, meant, reduction="sum", log_target=True) / n_rows


class KeptAnswers:
    """What the unrepaired network answers, in evaluation mode, to samples as they are trained on.

    Where training edits nothing, that is asked once, in one pass over ``fit``. Edited samples are
    new in every epoch, so there the network itself is kept, and reads each batch.
    """

    def __init__(self, unrepaired: TracedNetwork, data: RepairableData) -> None:
        """Ask about ``fit``, where that can be done once.

        Args:
            unrepaired: verified; its module must be one of its own, which nobody trains.
            data: of the training.
        """
        self._fit = data.indices("fit")
        self._network = unrepaired if data.augments else None
        self._logits = None if data.augments else logits_of(unrepaired, data.fetch, self._fit)

    def to_samples(self, index: Tensor, batch: SequenceBatch | None) -> tuple[Tensor, Tensor]:
        """Return which rows of a batch are anchored, and the answers to them.

        Args:
            index: (B,) of the samples; those of ``fit`` as they came are anchored. What was
                injected, or is of another split, is new to the unrepaired network.
            batch: the samples as they are trained on; needed where training edits them.

        Returns:
            (a,) int64 rows, ascending, and (a, C) float32 logits.
        """
        index = index.cpu()
        place = torch.searchsorted(self._fit, index).clamp_max(len(self._fit) - 1)
        rows = (self._fit[place] == index).nonzero().flatten()
        if self._logits is not None:
            return rows, self._logits[place[rows]]
        if self._network is None or batch is None:
            raise AssertionError("edited samples are asked about as they are trained on")
        return rows, self._network.logits(batch.rows(rows.to(batch.index.device)))
