"""Texts that have probably been cut at a longest length."""

import torch
from torch import Tensor

from rnnrepair.protocols import RepairableData, Split
from rnnrepair.sequences import Kind
from rnnrepair.traces import Traces

# Sequences of a set whose lengths are looked at.
ASKED = 20_000
# Texts of the longest length from which on they have been cut: a number, a share of all up to which
# they are of different lengths, and how many times as many as have one of the lengths before.
LEAST, FEW, MANY, TIMES, BEFORE = 20, 0.01, 0.9, 2, 2


def cut_off(data: RepairableData, training: Traces, traces: Traces, split: Split) -> str:
    """Say that many texts have exactly the longest length, and how many of these are wrong.

    Texts grow rarer with their length. Where the longest length has more than those before it,
    somebody has cut them, and what stood behind is read by nobody.

    Args:
        data: of both.
        training: original training samples.
        traces: of the split.
        split: its name.

    Returns:
        Empty for data that are no texts, or where nothing points to it.
    """
    if data.spec.kind != Kind.TOKENS:
        return ""
    trained_on, asked = _some(training), _some(traces)
    there, here = (data.fetch(of.index).lengths for of in (trained_on, asked))
    longest = max(int(there.max()), int(here.max()))
    if not (_pile(there, longest) or _pile(here, longest)):
        return ""
    cut = here == longest
    told = (
        f"{float((there == longest).double().mean()):.1%} of the training texts and "
        f"{float(cut.double().mean()):.1%} of {split} have exactly {longest} steps, the longest "
        "length, and far fewer have a little less: were they cut there?"
    )
    if not bool(cut.any()):
        return told
    wrong = ~asked.correct
    inside, outside = (float(wrong[part].double().mean()) for part in (cut, ~cut))
    return f"{told} In {split} {inside:.0%} of them are wrong, of all others {outside:.1%}."


def _some(traces: Traces) -> Traces:
    rows = torch.linspace(0, len(traces) - 1, min(ASKED, len(traces))).long()
    return traces.select(rows)


def _pile(lengths: Tensor, longest: int) -> bool:
    """Return whether (n,) lengths pile up at the longest of all."""
    n, n_cut = len(lengths), int((lengths == longest).sum())
    before = int(((lengths < longest) & (lengths >= longest - BEFORE)).sum()) / BEFORE
    return max(LEAST, FEW * n) <= n_cut <= MANY * n and n_cut > TIMES * before
