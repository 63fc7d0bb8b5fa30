"""From what a round has found to what the record tells of single failures."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from rnnrepair.influence import Influence, responsible_segment, responsible_step
from rnnrepair.record.failure import Failure, Injected, Neighbour, Role
from rnnrepair.repair import LedgerRow, marked

# Samples told of a failure, at most.
SHOWN = 8
# Of those, where an influence method looks for them: samples that speak for the wrong label.
SHOWN_OPPONENTS = 3


def gather_failures(
    influence: Influence,
    confidence: Tensor,
    ledger: Sequence[LedgerRow],
    label_of: Callable[[Tensor], Tensor],
    at_most: int,
) -> tuple[Failure, ...]:
    """Return the first failures of a round with the samples that belong to them.

    Args:
        influence: of M failures.
        confidence: (K, C) of the abstract model.
        ledger: rows of all injected samples.
        label_of: returns the (n,) labels of the training samples with (n,) indices.
        at_most: failures wanted.
    """
    failures = influence.failures
    step, segment = responsible_step(failures), responsible_segment(failures, confidence)
    told = []
    for row in range(min(at_most, len(failures))):
        one = failures.select(torch.tensor([row]))
        index = int(one.index)
        first, end = segment[row].tolist()
        contrast = influence.contrast
        told.append(
            Failure(
                index=index,
                label=int(one.label),
                predicted=int(one.final_prediction),
                state=one.state.long(),
                prediction=one.prediction.long(),
                step=int(step[row]),
                segment=(first, end),
                contrast=None if contrast is None else float(contrast[row]),
                neighbours=_neighbours(influence, row, label_of),
                injected=tuple(
                    Injected(entry.new_id, entry.label, marked(entry.as_edit()))
                    for entry in [e for e in ledger if e.failure_id == index][:SHOWN]
                ),
            )
        )
    return tuple(told)


def _neighbours(
    influence: Influence, row: int, label_of: Callable[[Tensor], Tensor]
) -> tuple[Neighbour, ...]:
    """Return the nearest samples of a failure, or its contexts and then its opponents."""
    if influence.contexts is None:
        found = _real(influence.nearest[row, :SHOWN])
        distance = influence.nearest_distance[row].tolist()
        return tuple(
            Neighbour(index, label, Role.NEAREST, distance=far)
            for index, label, far in zip(*_told(found, label_of), distance, strict=False)
        )
    opponents = influence.nearest[row, :0]
    if influence.opposites is not None:
        opponents = _real(influence.opposites[row, :SHOWN_OPPONENTS])
    found = _real(influence.contexts.sample[row, : SHOWN - len(opponents)])
    end = (influence.contexts.position[row] + 1).tolist()
    run = influence.contexts.run[row].tolist()
    return (
        *(
            Neighbour(index, label, Role.CONTEXT, end=e, run=r)
            for index, label, e, r in zip(*_told(found, label_of), end, run, strict=False)
        ),
        *(
            Neighbour(index, label, Role.OPPONENT)
            for index, label in zip(*_told(opponents, label_of), strict=True)
        ),
    )


def _told(found: Tensor, label_of: Callable[[Tensor], Tensor]) -> tuple[list[int], list[int]]:
    return found.tolist(), label_of(found).tolist()


def _real(indices: Tensor) -> Tensor:
    """Leave the places out in which no sample was found."""
    return indices[indices >= 0]
