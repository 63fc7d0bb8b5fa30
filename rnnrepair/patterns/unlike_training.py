"""How a whole split differs from the training data, where a network does far worse on it."""

from collections.abc import Callable

from scipy.optimize import linear_sum_assignment
from torch import Tensor

from rnnrepair.at_chance import at_chance
from rnnrepair.patterns.odd_values import odd_values
from rnnrepair.patterns.other_vocabulary import other_vocabulary
from rnnrepair.protocols import RepairableData, Split
from rnnrepair.scores import Monitor, Scored, confusion
from rnnrepair.sequences import DataSpec, Names, SequenceBatch
from rnnrepair.traces import Traces

# Share of the training samples beyond what is usual, on either side.
BEYOND = 0.01
# Share of a split that is beyond what 99 % of the training samples have, from which on it differs.
FAR_MORE = 0.25
# So much more of a split would be right if classes were renamed, and so much of it in all.
GAIN, MOST = 0.3, 0.7
# Classes that are taken for others, at least.
LEAST_MOVED = 2
# Errors on training samples, in those on the split: from which on the network has not learnt them,
# and up to which it knows them by heart.
UNLEARNT, BY_HEART = 0.7, 0.1
# Share of a split that is wrong, from which on it is told which of both.
WRONG = 0.03


def unlike_training(
    data: RepairableData, training: Traces, traces: Traces, split: Split
) -> list[str]:
    """Tell how a split that is answered far worse than training differs from it as a whole.

    Args:
        data: of both.
        training: original training samples.
        traces: of the split.
        split: its name.
    """
    if not is_behind(traces, training):
        return []
    confused = confusion(traces.label, traces.final_prediction)
    told = [
        other_vocabulary(data, training.index, traces.index, split),
        shifted(data.spec, data.fetch, training.index, traces.index, split),
        renumbered(confused, Names.of(data.spec), split),
    ]
    told = [each for each in told if each]
    if not told and _is_by_chance(traces, training):
        told = [_by_chance(traces, training, split)]
    return told


def _is_by_chance(traces: Traces, training: Traces) -> bool:
    """Return whether a split of several classes is answered as by chance, and training is not.

    Of classes of unequal size, one answer for all is right often, and so is who has learnt much.
    """
    if len(traces.label.unique()) == 1:
        return False
    split, learnt = (
        at_chance(of.label, of.final_prediction, Monitor.BALANCED_ACCURACY)
        for of in (traces, training)
    )
    return split and not learnt


def _by_chance(traces: Traces, training: Traces, split: Split) -> str:
    return (
        f"{split} is answered as by chance ({traces.accuracy:.1%} right), training is not "
        f"({training.accuracy:.1%}): are its inputs made in the same way (vocabulary, "
        "scaling, order of channels), and do its labels belong to them?"
    )


def learnt_told(split: Traces, training: Traces, name: Split) -> str:
    """Tell whether failures are of what was not learnt, or of what is new; empty for neither.

    Args:
        split: whose failures are explained.
        training: original training samples.
        name: of the split.
    """
    wrong, unlearnt = 1 - split.accuracy, 1 - training.accuracy
    if wrong < WRONG:
        return ""
    if unlearnt >= UNLEARNT * wrong:
        return (
            "About as many training samples are wrong: most failures are of what the network has "
            "not learnt (train longer, or a larger network), or of what its inputs do not tell."
        )
    if unlearnt <= BY_HEART * wrong and is_behind(split, training):
        return (
            "Nearly all training samples without a suspect label are right: what fails on "
            f"{name} is new to the network (more or more varied training data, augmentation, a "
            "smaller or more regular network)."
        )
    return ""


def is_behind(split: Traces, training: Traces) -> bool:
    """Return whether a split is answered far worse than training, by three standard errors."""
    here, there = (Scored.share(int(of.correct.sum()), len(of)) for of in (split, training))
    return here.is_surely_below(there)


def shifted(
    spec: DataSpec,
    fetch: Callable[[Tensor], SequenceBatch],
    training: Tensor,
    index: Tensor,
    split: Split,
) -> str:
    """Tell by which values a split differs from training; empty where by none.

    Args:
        spec: of the data.
        fetch: indices to sequences.
        training: (n,) int64 training samples.
        index: (m,) int64 samples of the split.
        split: its name.
    """
    told = odd_values(spec, fetch, training, index, BEYOND, FAR_MORE)
    if not told:
        return ""
    question = "Was it scaled and recorded the same way, with classes and lengths as frequent?"
    return f"{split} is unlike training: {'; '.join(told)}. {question}"


def renumbered(confused: Tensor, names: Names, split: Split) -> str:
    """Tell which classes stand for which others, where far more would be right then; else empty.

    Args:
        confused: (C, C) int64, how often the class of the row is taken for that of the column.
        names: of the classes.
        split: its name.

    Example:
        >>> import torch
        >>> renumbered(torch.tensor([[0, 9], [8, 1]]), Names(("no", "yes")), "test")[:58]
        'If no were yes and yes were no, 94% of test would be right'
    """
    total = float(confused.sum())
    rows, columns = linear_sum_assignment(confused.numpy(), maximize=True)
    renamed, now = (
        float(confused[rows, columns].sum()) / total,
        float(confused.diag().sum()) / total,
    )
    # One answer for nearly all is no other numbering, however frequent the class that it is for.
    guess = float(max(confused.sum(1).max(), confused.sum(0).max())) / total
    moved = [
        (true, said)
        for true, said in zip(rows.tolist(), columns.tolist(), strict=True)
        if true != said and 2 * int(confused[true, said]) > int(confused[true].sum())
    ]
    if renamed < MOST or renamed - max(now, guess) < GAIN or len(moved) < LEAST_MOVED:
        return ""
    pairs = " and ".join(
        f"{names.of_class(true)} were {names.of_class(said)}" for true, said in moved
    )
    return (
        f"If {pairs}, {renamed:.0%} of {split} would be right instead of {now:.0%}: are its "
        "classes numbered in the same order as in training?"
    )
