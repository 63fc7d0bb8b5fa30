"""When a network is analysed."""

from dataclasses import dataclass
from typing import Annotated

from rnnrepair.settings import Count, at_least, check_settings


@dataclass(frozen=True)
class Calendar:
    """After ``start`` completed epochs, and then after every ``every`` more, up to ``end``.

    Attributes:
        start: completed epochs at the first analysis; 0 analyses before training.
        every: epochs between analyses.
        end: completed epochs after which nothing is analysed any more; None: never.
    """

    start: Annotated[int, at_least(0)] = 1
    every: Count = 1
    end: int | None = None

    def __post_init__(self) -> None:
        """Refuse a calendar without days.

        Raises:
            SettingsError: a value out of range.
        """
        check_settings(Calendar, vars(self))

    def includes(self, epoch: int) -> bool:
        """Return whether the network is analysed after ``epoch`` completed epochs."""
        return self.rounds_until(epoch) > self.rounds_until(epoch - 1)

    def rounds_until(self, epoch: int) -> int:
        """Return how many analyses there are up to ``epoch`` completed epochs.

        Example:
            >>> calendar = Calendar(start=10, every=2, end=13)
            >>> [calendar.rounds_until(epoch) for epoch in (9, 10, 11, 12, 20)]
            [0, 1, 1, 2, 2]
        """
        last = epoch if self.end is None else min(epoch, self.end)
        return 0 if last < self.start else (last - self.start) // self.every + 1
