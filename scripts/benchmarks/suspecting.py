"""Judging the labels of all training samples, against one training epoch over them."""

import torch

from benchmarks.measure import Measure, against_epoch
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
        fit,
        analysed.abstraction.model,
        len(fit),
        analysed.network,
        bench.datamodule.fetch,
        dynamics=dynamics,
    )
    return [
        against_epoch(
            lambda: suspect_labels(view),
            "suspicion of all labels",
            "as many samples as an epoch has",
            0.5,
            bench,
            len(fit),
        )
    ]
