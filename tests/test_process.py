"""What the process is told, seen by what it then does."""

import gc
import platform
import subprocess
import sys

import pytest

from rnnrepair.process import collector_at_rest

# Least page faults of allocating and touching 64 MB, of several times, in a process of its own: a
# machine that takes back what lies idle makes some more at times.
PROGRAM = """
import resource, sys, torch
torch.set_num_threads(1)
if sys.argv[1] == "keep":
    from rnnrepair.process import keep_freed_memory
    assert keep_freed_memory()
torch.ones(64_000_000)  # the process has needed more before
faults = []
for _ in range(10):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(16_000_000)
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
print(min(faults))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has mallopt")
def test_freed_blocks_are_used_again():
    faults = {
        how: int(
            subprocess.run(
                [sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=True
            ).stdout
        )
        for how in ("default", "keep")
    }
    assert faults["keep"] < faults["default"] / 2


def test_vanished_gradients_are_zero():
    program = """
import torch
from rnnrepair.process import tune_process
small = torch.tensor(1e-30)
before = float(small * 1e-10)  # a denormal number
tune_process()
print(before, float(small * 1e-10))
"""
    said = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    before, after = map(float, said.split())
    assert before > 0
    assert after == 0


@pytest.fixture
def thawed():
    """The collector as it is in a program; in tests it does not look at what they have imported."""
    gc.unfreeze()
    yield
    gc.freeze()


def test_collector_looks_at_everything_again_afterwards(thawed):
    with collector_at_rest():
        assert gc.get_freeze_count() > 10_000
    assert gc.get_freeze_count() == 0


def test_what_a_program_has_frozen_stays_frozen(thawed):
    frozen = [object()]

    def is_looked_at():
        # The number of frozen objects says less: other threads let go of some.
        return any(found is frozen for found in gc.get_objects())

    assert is_looked_at()
    gc.freeze()
    with collector_at_rest():
        assert not is_looked_at()
    assert not is_looked_at()
