"""The analysis against one training epoch over the same sequences."""

from benchmarks.measure import Measure, at_most, in_turns
from benchmarks.workbench import Analysed, Workbench


def measure(bench: Workbench) -> list[Measure]:
    """Compare collect + abstract + influence with an epoch; the epoch is scaled from its steps."""
    analyses: list[Analysed] = []

    def analyse() -> float:
        analyses.append(bench.analyse())
        return analyses[-1].total_s

    seconds = in_turns({"analysis": analyse, "trainer": bench.trainer_s}, bench.options.repeats)
    epoch_s = min(seconds["trainer"]) * bench.n_train / bench.timed_samples()
    best = min(analyses, key=lambda a: a.total_s)
    stages = ", ".join(f"{name} {s:.2f}" for name, s in best.seconds.items())
    return [
        Measure(
            "analysis per epoch",
            best.total_s / epoch_s,
            "x",
            f"{stages} s; an epoch of {bench.n_train:,} through the Trainer {epoch_s:.1f} s "
            f"(scaled from {bench.timed_samples():,})",
            at_most(1.0),
            {**seconds, "stages": best.seconds},
        )
    ]
