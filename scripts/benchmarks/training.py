"""Training through Trainer, loader and module against a bare PyTorch loop, and augmented."""

from benchmarks.measure import Measure, at_least, in_turns
from benchmarks.workbench import Workbench, train_bare


def measure(bench: Workbench) -> list[Measure]:
    """Compare samples per second of the same network, optimizer and batch size.

    Augmented training, at the share of the main job, is compared with plain training.

    Validation and checkpoints are outside both clocks; what callbacks, logger and progress bar
    do during the batches is inside.
    """
    data = bench.training_batch()
    batch_size = bench.cfg.datamodule.batch_size
    n_samples = bench.timed_samples()
    n_steps = -(-n_samples // batch_size)
    seconds = in_turns(
        {
            "trainer": bench.trainer_s,
            "augmented": lambda: bench.trainer_s(share=bench.options.augmentation_share),
            "bare": lambda: train_bare(bench.make_model(), data, batch_size, n_steps),
        },
        bench.options.repeats,
    )
    ours, augmented, bare = (
        n_samples / min(seconds[name]) for name in ("trainer", "augmented", "bare")
    )
    return [
        Measure(
            "training speed",
            ours / bare,
            "x",
            f"Trainer {ours:,.0f} samples/s, bare loop {bare:,.0f} samples/s",
            at_least(0.9),
            seconds,
        ),
        Measure(
            "augmented training speed",
            augmented / ours,
            "x",
            f"{bench.options.augmentation_share:.0%} of the samples edited: {augmented:,.0f} "
            f"samples/s, plain {ours:,.0f} samples/s",
            at_least(0.77),
            seconds,
        ),
    ]
