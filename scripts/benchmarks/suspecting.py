"""Judging the labels of all training samples, against one training epoch over them."""

import torch

from benchmarks.measure import Measure, at_most, in_turns, seconds_of
from benchmarks.workbench import Workbench
from rnnrepair.influence import TrainingDynamics, TrainingView, suspect_labels


def measure(bench: Workbench) -> list[Measure]:
    """Compare suspicion, with recorded dynamics, with an epoch that is scaled from its steps."""
    analysed = bench.analyse()
    fit = analysed.abstraction.traces["fit"].between(0, bench.n_train)
    dynamics = TrainingDynamics(int(fit.index.max()) + 1)
    dynamics.update(fit.index, torch.randn(len(fit), fit.n_classes), fit.label)
    dynamics.end_epoch()
    view = TrainingView(
        *(fit, analysed.abstraction.model, len(fit), analysed.network, bench.datamodule.fetch),
        dynamics=dynamics,
    )
    seconds = in_turns(
        {
            "suspicion": lambda: seconds_of(lambda: suspect_labels(view)),
            "trainer": bench.trainer_s,
        },
        bench.options.repeats,
    )
    epoch_s = min(seconds["trainer"]) * len(fit) / bench.timed_samples()
    best = min(seconds["suspicion"])
    return [
        Measure(
            "suspicion of all labels",
            best / epoch_s,
            "x",
            f"{best:.2f} s for {len(fit):,} samples; an epoch of them through the Trainer "
            f"{epoch_s:.1f} s (scaled from {bench.timed_samples():,})",
            at_most(0.5),
            seconds,
        )
    ]
