"""The search for what failures have in common, against one training epoch."""

from benchmarks.measure import Measure, against_epoch
from benchmarks.workbench import Workbench
from rnnrepair.patterns import EditPatterns, PatternContext, find_patterns

# Half an epoch for each round; a run searches once, before the first, and mnist_repair has eight.
EPOCHS_A_ROUND = 0.5
ROUNDS = 8


def measure(bench: Workbench) -> list[Measure]:
    """Compare a search for edits in the repair split with an epoch, scaled from its steps."""
    data = bench.datamodule
    fit = data.indices("fit")
    answers = bench.network().predict(bench.batches(data.indices("repair")))
    answered = (answers.index, answers.label, ~answers.correct)
    context = PatternContext.answered(data, (fit, data.fetch(fit).label), answered, bench.cfg.seed)
    return [
        against_epoch(
            lambda: find_patterns(context, [EditPatterns()]),
            "search for patterns, once a run",
            f"{int(context.failed.sum()):,} failures of {len(context):,} samples",
            EPOCHS_A_ROUND * ROUNDS,
            bench,
            len(fit),
        )
    ]
