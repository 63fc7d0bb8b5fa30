"""What became of the patterns that a strategy has found."""

from collections.abc import Mapping, Sequence

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from torch import Tensor

from rnnrepair.callbacks.analysis import upstream
from rnnrepair.callbacks.repair_injection import RepairInjection
from rnnrepair.callbacks.trace_collector import repairable_data
from rnnrepair.patterns import PathPatterns, PatternContext, members_of
from rnnrepair.protocols import Split, labels_of_samples
from rnnrepair.record import FoundPattern, SplitAnswers
from rnnrepair.repair import Action, LedgerRow


def found_patterns(
    trainer: pl.Trainer, reader: Callback, answers: Mapping[Split, SplitAnswers]
) -> tuple[FoundPattern, ...]:
    """Return the patterns with the errors of the samples that have them, on every split.

    Patterns of abstract states are told of the repair split alone: states of later epochs have
    other numbers.

    Args:
        trainer: with the callbacks of the chain.
        reader: that asks.
        answers: of the unrepaired and the final network.
    """
    injection = upstream(trainer, RepairInjection, reader)
    strategy, ledger = injection.strategy, injection.ledger
    contexts = {
        split: _context(trainer, given, ledger, injection.seed)
        for split, given in answers.items()
        if strategy.patterns and split != "repair"
    }
    again = [each for each in strategy.patterns if each.kind != PathPatterns.name]
    members = {
        split: iter(members_of(context, again, strategy.finders))
        for split, context in contexts.items()
    }
    found = []
    for pattern in strategy.patterns:
        inside = {"repair": pattern.inside}
        if pattern.kind != PathPatterns.name:
            for split, context in contexts.items():
                inside[split] = context.index[next(members[split])]
        own = set(pattern.inside.tolist())
        injected = sum(row.injected and row.failure_id in own for row in ledger)
        found.append(FoundPattern.of(pattern, inside, answers, injected))
    return tuple(found)


def _context(
    trainer: pl.Trainer, answers: SplitAnswers, ledger: Sequence[LedgerRow], seed: int
) -> PatternContext:
    data = repairable_data(trainer)
    fit = data.indices("fit")
    label = labels_before(fit, labels_of_samples(data, fit), ledger)
    wrong = answers.before != answers.label
    answered = (answers.index, answers.label, wrong)
    return PatternContext.answered(data, (fit, label), answered, seed)


def labels_before(index: Tensor, label: Tensor, ledger: Sequence[LedgerRow]) -> Tensor:
    """Return the labels that samples had when patterns were looked for: before any was mended.

    The edits that a pattern is compared with are drawn of the samples of each class.

    Args:
        index: (n,) int64 of training samples, ascending.
        label: (n,) int64, as they are now.
        ledger: of the run.
    """
    was = {row.new_id: row.was for row in ledger if row.holds and row.action == Action.RELABEL}
    rows = torch.isin(index, torch.tensor(list(was), dtype=torch.int64)).nonzero()[:, 0]
    before = label.clone()
    before[rows] = torch.tensor([was[i] for i in index[rows].tolist()], dtype=torch.int64)
    return before
