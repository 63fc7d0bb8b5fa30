"""One number of threads is that of every library which has some."""

import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from rnnrepair.callbacks.launch.threads import use_threads


@pytest.fixture
def two_threads():
    torch.set_num_threads(2)
    with threadpool_limits(2):
        yield
        use_threads(None)
    torch.set_num_threads(1)


def test_linear_algebra_has_no_more_threads_than_torch(two_threads):
    use_threads(1)
    assert torch.get_num_threads() == 1
    assert {pool["num_threads"] for pool in threadpool_info()} == {1}


def test_nothing_is_changed_where_nothing_is_said(two_threads):
    use_threads(None)
    assert torch.get_num_threads() == 2
    assert {pool["num_threads"] for pool in threadpool_info()} == {2}


def test_what_an_earlier_run_has_set_is_lifted(two_threads):
    use_threads(1)
    use_threads(1)
    use_threads(None)
    assert torch.get_num_threads() == 2
    assert {pool["num_threads"] for pool in threadpool_info()} == {2}
