"""Training with the recorder of training dynamics against training without."""

import time
from typing import Any

import pytorch_lightning as pl

from benchmarks.measure import Measure, at_most, in_turns
from benchmarks.workbench import Workbench, make_trainer

RECORDER = "training_dynamics"
CHECKPOINTS = ("model_checkpoint", "last_checkpoint")


class _EpochSeconds(pl.Callback):
    """The seconds of one epoch with all that happens at its end; it stands behind all others."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._start = 0.0

    def on_train_epoch_start(self, *_: Any) -> None:
        self._start = time.perf_counter()

    def on_train_epoch_end(self, *_: Any) -> None:
        self.seconds = time.perf_counter() - self._start


def measure(bench: Workbench) -> list[Measure]:
    """Compare the seconds of an epoch: batches, and what is counted when it ends.

    Validation and checkpoints are left out: both sides have the same.
    """
    seconds = in_turns(
        {
            "recorded": lambda: _epoch_s(bench, without=CHECKPOINTS),
            "plain": lambda: _epoch_s(bench, without=(*CHECKPOINTS, RECORDER)),
        },
        bench.options.repeats,
    )
    recorded, plain = (min(seconds[name]) for name in ("recorded", "plain"))
    return [
        Measure(
            "training with dynamics",
            recorded / plain,
            "x",
            f"{recorded:.2f} s with the recorder, {plain:.2f} s without, "
            f"{bench.timed_samples():,} samples",
            at_most(1.02),
            seconds,
        )
    ]


def _epoch_s(bench: Workbench, without: tuple[str, ...]) -> float:
    timer = _EpochSeconds()
    trainer = make_trainer(
        bench.cfg,
        [timer],
        limit_train_batches=bench.options.training_steps,
        without=without,
        limit_val_batches=0,
    )
    trainer.fit(bench.make_model(), bench.datamodule)
    return timer.seconds
