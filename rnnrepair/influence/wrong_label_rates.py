"""How many training labels are wrong, where something else explains the doubt of some."""

from dataclasses import dataclass, replace

from torch import Tensor

from rnnrepair.influence.labels import are_grouped, wrong_label_rate

# Levels of the limit of the share of wrong labels: as many as the limit allows are expected, but of
# a hundred recordings it is loose, and most of so many suspects would be right.
LIMIT, LIKELY = 0.95, 0.5


@dataclass(frozen=True)
class WrongLabelRates:
    """How many of N labels are wrong, by votes that know no label of the sample they judge.

    Attributes:
        at_most: share that is wrong at most, 1 where the inputs do not tell.
        expected: share that is wrong as far as labels are called suspect.
        telling: (N, C) of each kind; none where the inputs do not tell.
        label: (N,) int64.
        group: (N,) int64, equal where samples belong together.
        seed: of the order of equal votes.
    """

    at_most: float
    expected: float
    telling: tuple[Tensor, ...]
    label: Tensor
    group: Tensor
    seed: int

    @classmethod
    def of(
        cls, telling: tuple[Tensor, ...], label: Tensor, group: Tensor, seed: int
    ) -> "WrongLabelRates":
        """Estimate both shares, see the attributes."""
        at_most, expected = (
            min((wrong_label_rate(of, label, seed, group, level) for of in telling), default=1.0)
            for level in (LIMIT, LIKELY if are_grouped(group) else LIMIT)
        )
        return cls(at_most, expected, telling, label, group, seed)

    def without(self, explained: Tensor) -> "WrongLabelRates":
        """Return the rates where (N,) bool samples are doubted for something else.

        Of the few that may be left, the shares are unknown, so those of all count.
        """
        telling = tuple(votes[~explained] for votes in self.telling)
        rest = WrongLabelRates.of(
            telling, self.label[~explained], self.group[~explained], self.seed
        )
        return replace(
            self,
            at_most=min(self.at_most, rest.at_most),
            expected=min(self.expected, rest.expected),
        )
