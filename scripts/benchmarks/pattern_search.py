"""The search for what failures have in common, against one training epoch."""

from benchmarks.measure import Measure, at_most, in_turns, seconds_of
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
    seconds = in_turns(
        {
            "search": lambda: seconds_of(lambda: find_patterns(context, [EditPatterns()])),
            "trainer": bench.trainer_s,
        },
        bench.options.repeats,
    )
    epoch_s = min(seconds["trainer"]) * len(fit) / bench.timed_samples()
    best = min(seconds["search"])
    return [
        Measure(
            "search for patterns, once a run",
            best / epoch_s,
            "x",
            f"{best:.2f} s for {int(context.failed.sum()):,} failures of {len(context):,} samples; "
            f"an epoch of {len(fit):,} through the Trainer {epoch_s:.1f} s (scaled from "
            f"{bench.timed_samples():,})",
            at_most(EPOCHS_A_ROUND * ROUNDS),
            seconds,
        )
    ]
