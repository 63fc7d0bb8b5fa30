"""Changes of the training data: ten samples into a gigabyte, in a process of their own."""

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor

import torch

from benchmarks.measure import Measure, at_least, at_most
from benchmarks.memory import peak_mb, reset_peak
from benchmarks.workbench import Workbench
from rnnrepair.datamodules import Sequences
from rnnrepair.datamodules.store import Store
from rnnrepair.sequences import Changes

N_STEPS, N_FEATURES = 28, 28
BYTES = 1_000_000_000
N_ADDED = 10


def measure(_: Workbench) -> list[Measure]:
    """Apply changes, and make the data anew with them, as an array that is copied would."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        found = pool.submit(change_a_gigabyte).result()
    told = f"{N_ADDED} samples added to 1 GB in {found['apply_s'] * 1e3:.1f} ms"
    return [
        Measure(
            "changes of the data against a copy",
            found["copy_s"] / found["apply_s"],
            "x",
            f"{told}, a copy with them takes {found['copy_s']:.2f} s",
            at_least(100),
            found,
        ),
        Measure(
            "memory of changes", found["apply_mb"], "MB", f"{told}, above the data", at_most(5)
        ),
    ]


def change_a_gigabyte() -> dict[str, float]:
    """Return seconds and megabytes of a round of changes, and of a copy."""
    n = BYTES // (4 * N_STEPS * N_FEATURES)
    values = torch.ones(n * N_STEPS, N_FEATURES)
    store = Store(Sequences(values, torch.arange(n + 1) * N_STEPS), torch.zeros(n).long())
    inputs, lengths = torch.rand(N_ADDED, N_STEPS, N_FEATURES), torch.full((N_ADDED,), N_STEPS)
    changes = Changes(inputs, lengths, torch.zeros(N_ADDED).long())
    reset_peak()
    before, start = peak_mb(), time.perf_counter()
    store.apply(changes, 10)
    apply_s, apply_mb = time.perf_counter() - start, peak_mb() - before
    start = time.perf_counter()
    torch.cat([values, inputs.flatten(0, 1)])
    return {"apply_s": apply_s, "apply_mb": apply_mb, "copy_s": time.perf_counter() - start}
