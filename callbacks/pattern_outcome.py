"""What became of the patterns that a strategy has found."""

from collections.abc import Mapping, Sequence

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback

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
    found = []
    for pattern in strategy.patterns:
        inside = {"repair": pattern.inside}
        if pattern.kind != PathPatterns.name:
            for split, context in contexts.items():
                inside[split] = context.index[members_of(context, pattern, strategy.finders)]
        own = set(pattern.inside.tolist())
        injected = sum(row.injected and row.failure_id in own for row in ledger)
        found.append(FoundPattern.of(pattern, inside, answers, injected))
    return tuple(found)


def _context(
    trainer: pl.Trainer, answers: SplitAnswers, ledger: Sequence[LedgerRow], seed: int
) -> PatternContext:
    data = repairable_data(trainer)
    fit = data.indices("fit")
    label = labels_of_samples(data, fit).clone()
    # As they were when the pattern was found: edits are drawn of the samples of each class.
    was = {r.new_id: r.was for r in ledger if r.holds and r.action == Action.RELABEL}
    index = torch.tensor(sorted(set(was) & set(fit.tolist())), dtype=torch.int64)
    label[torch.searchsorted(fit, index)] = torch.tensor([was[i] for i in index.tolist()]).long()
    wrong = answers.before != answers.label
    answered = (answers.index, answers.label, wrong)
    return PatternContext.answered(data, (fit, label), answered, seed)
