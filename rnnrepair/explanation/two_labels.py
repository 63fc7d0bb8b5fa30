"""Inputs that stand in training with several labels, so that no network can know the right one."""

import hashlib
from collections import Counter

from torch import Tensor

from rnnrepair.protocols import RepairableData, Split
from rnnrepair.sequences import Names
from rnnrepair.traces import Traces

# Sequences read at a time.
AT_A_TIME = 2000


def two_labels(data: RepairableData, training: Traces, traces: Traces, split: Split) -> str:
    """Say how many inputs have several labels in training, and how many failures are such inputs.

    Inputs are the same where all their steps are, as the network is given them: words that it does
    not know are one.

    Args:
        data: of both.
        training: original training samples.
        traces: of the split.
        split: its name.

    Returns:
        Empty where every input has one label.
    """
    labels: dict[bytes, Counter[int]] = {}
    for content, label in zip(
        _contents(data, training.index), training.label.tolist(), strict=True
    ):
        labels.setdefault(content, Counter())[label] += 1
    several = {content: counted for content, counted in labels.items() if len(counted) > 1}
    if not several:
        return ""
    n_samples = sum(counted.total() for counted in several.values())
    pairs = Counter(
        tuple(sorted(label for label, _ in counted.most_common(2))) for counted in several.values()
    )
    (first, second), _ = min(pairs.items(), key=lambda item: (-item[1], item[0]))
    names = Names.of(data.spec)
    here = "1 input stands" if len(several) == 1 else f"{len(several)} different inputs stand"
    told = (
        f"{here} in training with several labels ({n_samples} samples, most often "
        f"{names.of_class(first)} and {names.of_class(second)})."
    )
    failing = traces.index[~traces.correct]
    n_failing = sum(content in several for content in _contents(data, failing))
    if n_failing == 0:
        return f"{told} No failure of {split} is one of them."
    are = "is such an input" if n_failing == 1 else "are such inputs"
    return (
        f"{told} {n_failing} of the {len(failing)} failures of {split} {are}: nothing that the "
        "network reads tells which label is right. Decide what they are, and label both sets so."
    )


def _contents(data: RepairableData, index: Tensor) -> list[bytes]:
    """Return what tells the steps of each sequence from all others."""
    found = []
    for rows in index.split(AT_A_TIME):
        batch = data.fetch(rows).without_front()
        steps = [of.cpu() for of in (batch.inputs, *batch.beside.values())]
        static = [of.cpu() for of in batch.static.values()]
        for row, length in enumerate(batch.lengths.tolist()):
            digest = hashlib.blake2b(str(length).encode(), digest_size=16)
            for values in (*(of[row, :length] for of in steps), *(of[row] for of in static)):
                digest.update(values.contiguous().numpy().data.cast("B"))
            found.append(digest.digest())
    return found
