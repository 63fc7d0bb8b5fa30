"""Settings of the process that suit the training of recurrent networks."""

import ctypes
import gc
import platform
from collections.abc import Iterator
from contextlib import contextmanager

import torch

# Parameters of glibc's mallopt (malloc.h).
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
_LARGEST = 2**31 - 1


def tune_process() -> None:
    """Keep freed memory, and take numbers too small to be normal for zero; call it first.

    Gradients that vanish over a hundred steps end as denormal numbers, which a CPU multiplies far
    more slowly than others; on texts of 400 tokens they make up most of the backward pass.
    """
    keep_freed_memory()
    torch.set_flush_denormal(True)


def keep_freed_memory() -> bool:
    """Stop glibc from giving large freed blocks back to the system; return whether it obeyed.

    By default every block above 32 MB at most is mapped anew, page by page, and unmapped when it is
    freed. A recurrent layer frees and asks for the same blocks in every batch: training a GRU on
    long texts on the CPU would spend more time in the kernel than in arithmetic. The process keeps
    its peak memory until it ends. Other systems are left alone.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(_M_TRIM_THRESHOLD, _LARGEST)) and bool(mallopt(_M_MMAP_MAX, 0))


@contextmanager
def collector_at_rest() -> Iterator[None]:
    """Keep Python's garbage collector from looking at what was there before the block.

    Otherwise it walks through the objects of all imported modules again and again, a quarter of a
    second each time. A program that keeps the collector from looking at objects of its own
    (``gc.freeze``) is left alone: to undo this here would undo that too.
    """
    if gc.get_freeze_count():
        yield
        return
    gc.collect()  # or the rubbish of an earlier run would be kept for good
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
