"""Training through Trainer, loader and module against a bare PyTorch loop."""

from benchmarks.measure import Measure, at_least, in_turns
from benchmarks.workbench import Workbench, train_bare


def measure(bench: Workbench) -> list[Measure]:
    """Compare samples per second of the same network, optimizer and batch size.

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
            "bare": lambda: train_bare(bench.make_model(), data, batch_size, n_steps),
        },
        bench.options.repeats,
    )
    ours, bare = (n_samples / min(seconds[name]) for name in ("trainer", "bare"))
    return [
        Measure(
            "training speed",
            ours / bare,
            "x",
            f"Trainer {ours:,.0f} samples/s, bare loop {bare:,.0f} samples/s",
            at_least(0.9),
            seconds,
        )
    ]
