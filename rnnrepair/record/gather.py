"""From what a round has found to what the record tells of single failures."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from rnnrepair.influence import Evidence, Role, found
from rnnrepair.record.failure import Failure, Injected, Neighbour
from rnnrepair.repair import LedgerRow, marked
from rnnrepair.sequences import Kind

# Samples told of a failure, at most.
SHOWN = 8
# Of those, in texts: samples that speak for the wrong label.
SHOWN_OPPONENTS = 3


def shown_roles(kind: Kind) -> frozenset[Role]:
    """Return who is told of beside a failure; of texts also which label it is more like."""
    if kind == Kind.TOKENS:
        return frozenset({Role.CONTEXTS, Role.OPPONENTS, Role.PARENTS})
    return frozenset({Role.NEAREST})


def gather_failures(
    evidence: Evidence,
    ledger: Sequence[LedgerRow],
    label_of: Callable[[Tensor], Tensor],
    at_most: int,
) -> tuple[Failure, ...]:
    """Return the first failures of a round with the samples that belong to them.

    Args:
        evidence: of M failures.
        ledger: of the repair so far.
        label_of: returns the (n,) labels of the training samples with (n,) indices.
        at_most: failures wanted.
    """
    failures, contrast = evidence.failures, evidence.contrast
    told = []
    for row in range(min(at_most, len(failures))):
        one = failures.select(torch.tensor([row]))
        index = int(one.index)
        first, end = evidence.segment[row].tolist()
        told.append(
            Failure(
                index=index,
                label=int(one.label),
                predicted=int(one.final_prediction),
                state=one.state.long(),
                prediction=one.prediction.long(),
                step=int(evidence.step[row]),
                segment=(first, end),
                contrast=None if contrast is None else float(contrast[row]),
                neighbours=_neighbours(evidence, row, label_of),
                injected=tuple(
                    Injected(entry.new_id, entry.label, marked(entry.as_edit()), entry.parent_id)
                    for entry in [e for e in ledger if e.injected and e.failure_id == index][:SHOWN]
                ),
            )
        )
    return tuple(told)


def _neighbours(
    evidence: Evidence, row: int, label_of: Callable[[Tensor], Tensor]
) -> tuple[Neighbour, ...]:
    """Return the nearest samples of a failure, or its contexts and then its opponents."""
    if evidence.contexts is None:
        near = found(evidence.nearest, Role.NEAREST)
        shown, distance = _real(near.index[row, :SHOWN]), near.distance[row].tolist()
        return tuple(
            Neighbour(index, label, Role.NEAREST, distance=far)
            for index, label, far in zip(*_told(shown, label_of), distance, strict=False)
        )
    opponents = found(evidence.opponents, Role.OPPONENTS).index[row, :SHOWN_OPPONENTS]
    opponents = _real(opponents)
    shown = _real(evidence.contexts.sample[row, : SHOWN - len(opponents)])
    end = (evidence.contexts.position[row] + 1).tolist()
    run = evidence.contexts.run[row].tolist()
    return (
        *(
            Neighbour(index, label, Role.CONTEXTS, end=e, run=r)
            for index, label, e, r in zip(*_told(shown, label_of), end, run, strict=False)
        ),
        *(
            Neighbour(index, label, Role.OPPONENTS)
            for index, label in zip(*_told(opponents, label_of), strict=True)
        ),
    )


def _told(shown: Tensor, label_of: Callable[[Tensor], Tensor]) -> tuple[list[int], list[int]]:
    return shown.tolist(), label_of(shown).tolist()


def _real(indices: Tensor) -> Tensor:
    """Leave the places out in which no sample was found."""
    return indices[indices >= 0]
