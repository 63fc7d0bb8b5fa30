"""Which sequences of a split an explanation is asked about."""

import logging
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from rnnrepair.errors import ConfigurationError, DataError
from rnnrepair.protocols import RepairableData, Split, names_of_samples
from rnnrepair.sequences import SampleName
from rnnrepair.traces import Traces

# Splits that failures may be of, beside further test splits of the data.
SPLITS: tuple[Split, ...] = ("test", "val", "repair")

log = logging.getLogger(__name__)


def asked_about(
    data: RepairableData,
    split: Split,
    index: Sequence[int] | Tensor | None,
    names: Sequence[SampleName] | None,
) -> Tensor | None:
    """Return the (n,) indices that are asked for, None for all failures.

    Raises:
        ConfigurationError: the data have no such split, or both index and names are given.
        DataError: an index or a name is not in it.
    """
    known = [*SPLITS, *data.more_tests]
    if split not in known:
        raise ConfigurationError(
            f"split={split!r} must be one of {known}: failures are traced back to the split fit."
        )
    if len(data.indices(split)) == 0:
        raise ConfigurationError(
            f"The split {split} is empty: name another, or give the data {split}_share > 0."
        )
    if names is not None:
        if index is not None:
            raise ConfigurationError("index and names ask for the same in two ways: give one.")
        return _named(data, split, names)
    if index is None:
        return None
    # A column of a table is indexed by its own labels: what it holds, in its order, is meant.
    if isinstance(index, Tensor):
        given = index.flatten()
    else:
        given = torch.as_tensor([*index] if isinstance(index, Iterable) else [index])
    if len(given) and (given.dtype == torch.bool or given.is_floating_point()):
        raise ConfigurationError(
            f"index: expected whole numbers of sequences, got {given.dtype}; of a mask give "
            "torch.as_tensor(mask).nonzero().flatten()."
        )
    asked, inside = given.long().flatten(), data.indices(split)
    outside = asked[~torch.isin(asked, inside)]
    if len(outside):
        raise DataError(
            f"index {int(outside[0])} is not in the split {split} ({len(outside)} of {len(asked)} "
            f"are not), which holds {len(inside)} sequences with indices from {int(inside.min())} "
            f"to {int(inside.max())}: take some of data.indices({split!r}), or name another split."
        )
    return asked


def told_rows(traces: Traces, asked: Tensor | None, at_most: int) -> tuple[Tensor, Tensor]:
    """Return the (M,) rows of the failures that are told, and the indices asked for that are right.

    Failures that are asked for come in the order in which they are.
    """
    if asked is None:
        rows = (~traces.correct).nonzero()[:, 0]
        if len(rows) > at_most:
            log.warning(
                "%d failures, the first %d are told: raise at_most for more.", len(rows), at_most
            )
        return rows[:at_most], traces.index[:0]
    rows = torch.searchsorted(traces.index, asked)
    right = traces.correct[rows]
    return rows[~right], asked[right]


def _named(data: RepairableData, split: Split, names: Sequence[SampleName]) -> Tensor:
    """Return the (n,) indices of the samples of a split that are called so.

    Raises:
        DataError: a name that none has, or one of another split.
    """
    known, inside = names_of_samples(data), data.indices(split)
    if len(known) == 0:
        raise DataError(f"names={list(names)}: these data know no names, ask by index instead.")
    found = []
    for name, called in zip(names, known.find(names), strict=True):
        found.append(called[torch.isin(called, inside)])
        if len(found[-1]) == 0:
            wanted = known.of(inside[:3])
            elsewhere = [
                other
                for other in ("fit", *SPLITS, *data.more_tests)
                if bool(torch.isin(called, data.indices(other)).any())
            ]
            where = f"it is in {elsewhere}" if elsewhere else "no sample is called so"
            raise DataError(
                f"names: {name!r} is not in the split {split}, {where}; names there are such as "
                f"{', '.join(map(repr, wanted))} ({known.told or 'numbers of samples'})."
            )
    return torch.cat([*found, inside[:0]])
