"""The key ``threads``, which every program has."""

import torch
from threadpoolctl import threadpool_limits

from rnnrepair.errors import ConfigurationError


def faulty_threads(threads: object) -> list[str]:
    """Return what is wrong with a value of ``threads``, nothing where it can be used."""
    is_number = isinstance(threads, int) and not isinstance(threads, bool)
    if threads is None or (is_number and threads >= 1):  # type: ignore[operator]
        return []
    return [f"threads: expected an integer of at least 1, or null for all cores, got {threads!r}"]


def use_threads(threads: int | None) -> None:
    """Let torch, numpy, scipy and scikit-learn use so many threads; None leaves their choice.

    Runs side by side with one thread each would else wait for one another: the linear algebra of
    numpy and scipy takes all cores, whatever torch is told. What an earlier run of the same process
    has set is lifted first, as between the jobs of a sweep.

    Raises:
        ConfigurationError: no number of threads.
    """
    wrong = faulty_threads(threads)
    if wrong:
        raise ConfigurationError(f"{wrong[0]}.")
    while _limits:
        _limits.pop().lift()
    if threads is not None:
        _limits.append(_Limit(threads))


class _Limit:
    """A number of threads that can be taken back."""

    def __init__(self, threads: int) -> None:
        self._of_torch = torch.get_num_threads()
        torch.set_num_threads(threads)
        self._of_others = threadpool_limits(threads)

    def lift(self) -> None:
        self._of_others.restore_original_limits()
        torch.set_num_threads(self._of_torch)


# That of this process, if one is set.
_limits: list[_Limit] = []
