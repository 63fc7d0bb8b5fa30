"""Gathers what the report shows of single failures."""

import pytorch_lightning as pl
import torch
from pytorch_lightning import Callback
from torch import Tensor

from rnnrepair.callbacks.analysis import upstream
from rnnrepair.callbacks.influence_analysis import InfluenceAnalysis
from rnnrepair.callbacks.repair_injection import RepairInjection
from rnnrepair.callbacks.trace_collector import repairable_data
from rnnrepair.influence import Evidence, Role, found
from rnnrepair.protocols import RepairableData
from rnnrepair.repair import marked
from rnnrepair.report import FailureCard, Names
from rnnrepair.sequences import Kind
from rnnrepair.traces import Traces

SHOWN = 8
# Of those, in texts: samples that speak for the wrong label.
SHOWN_OPPONENTS = 3


def shown_roles(kind: Kind) -> frozenset[Role]:
    """Return whom a card shows beside a failure; of texts also which label it is more like."""
    if kind == Kind.TOKENS:
        return frozenset({Role.CONTEXTS, Role.OPPONENTS, Role.PARENTS})
    return frozenset({Role.NEAREST})


def names_of(data: RepairableData) -> Names:
    """Return what the data call their classes and tokens, as far as they say."""
    return Names(data.spec.class_names, data.spec.token_names)


def failure_cards(trainer: pl.Trainer, reader: Callback, at_most: int) -> list[FailureCard]:
    """Return a card for each of the first failures of the round that was just made."""
    evidence = upstream(trainer, InfluenceAnalysis, reader).evidence
    if evidence is None:
        return []
    data = repairable_data(trainer)
    ledger = upstream(trainer, RepairInjection, reader).ledger
    failures = evidence.failures
    cards = []
    for row in range(min(at_most, len(failures))):
        index = failures.index[row : row + 1]
        found, caption, mark = _nearest(evidence, row)
        nearest = data.fetch(found)
        made = [entry for entry in ledger if entry.failure_id == int(index)][:SHOWN]
        injected = data.fetch(torch.tensor([entry.new_id for entry in made], dtype=torch.int64))
        one = failures.select(torch.tensor([row]))
        cards.append(
            FailureCard(
                index=int(index),
                label=int(one.label),
                predicted=int(one.final_prediction),
                inputs=data.fetch(index).sequences()[0],
                states=one.state.long(),
                predictions=one.prediction.long(),
                step=int(evidence.step[row]),
                segment=(int(evidence.segment[row, 0]), int(evidence.segment[row, 1])),
                nearest=nearest.sequences(),
                nearest_label=nearest.label,
                nearest_caption=caption,
                nearest_note=_note(evidence, row, one, names_of(data)),
                nearest_mark=mark,
                injected=injected.sequences(),
                injected_label=injected.label,
                injected_mark=[marked(entry.as_edit()) for entry in made],
            )
        )
    return cards


def _nearest(evidence: Evidence, row: int) -> tuple[Tensor, list[str], list[tuple[int, int]]]:
    """Return the samples to show, how near they are, and what they share with the failure."""
    contexts = evidence.contexts
    if contexts is None:
        near = found(evidence.nearest, Role.NEAREST)
        shown = _known(near.index[row, :SHOWN])
        distance = near.distance[row, : len(shown)].tolist()
        return shown, [f"{d:.3f}" for d in distance], [(0, 0)] * len(shown)
    opponents = found(evidence.opponents, Role.OPPONENTS).index[row, :SHOWN_OPPONENTS]
    opponents = _known(opponents)
    shown = _known(contexts.sample[row, : SHOWN - len(opponents)])
    end = (contexts.position[row, : len(shown)] + 1).tolist()
    run = contexts.run[row, : len(shown)].tolist()
    # Without a common run, the visit of the state is what they share: the one word before it.
    mark = [(e - max(r, min(e, 1)), e) for e, r in zip(end, run, strict=True)]
    caption = [_shared(r, e) for r, e in zip(run, end, strict=True)]
    return (
        torch.cat([shown, opponents]),
        caption + ["resembles the failure as a whole"] * len(opponents),
        mark + [(0, 0)] * len(opponents),
    )


def _known(index: Tensor) -> Tensor:
    return index[index >= 0]


def _note(evidence: Evidence, row: int, failure: Traces, names: Names) -> str:
    """Say what contexts are, and which label the failure as a whole resembles."""
    if evidence.contexts is None or evidence.contrast is None:
        return ""
    true = names.of_class(int(failure.label))
    predicted = names.of_class(int(failure.final_prediction))
    contrast = float(evidence.contrast[row])
    told = (
        f"Samples of the true label {true} that come to where the prediction leaves the truth, "
        f"then those of {predicted} that come nearest to the whole failure."
    )
    if contrast != contrast:  # no sample of one of the labels is classified correctly
        return told
    like, unlike = (predicted, true) if contrast > 0 else (true, predicted)
    return (
        f"{told} As a whole the failure is nearer to training samples of {like} than of {unlike}."
    )


def _shared(run: int, end: int) -> str:
    if end == 0:
        return "at its start, as in the failure"
    if run == 0:
        return "comes to the same state"
    return f"{run} word{'' if run == 1 else 's'} in common up to there"
