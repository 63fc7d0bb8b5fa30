"""The published repair of a backdoor: for each attack, remove the poison on whose way it comes."""

from dataclasses import dataclass

import torch
from torch import Tensor

from rnnrepair.influence.transitions import previous_code
from rnnrepair.sequences import Poison
from rnnrepair.studies.attack import Attacks, poisoned_contexts
from rnnrepair.traces import Traces


@dataclass(frozen=True, eq=False)
class RemovalSet:
    """Poisoned samples that are removed for some attacks.

    Attributes:
        index: (n,) int64 ascending samples.
        attack: (m,) int64 numbers of the attacks that have this set.
    """

    index: Tensor
    attack: Tensor


def removal_sets(
    fit: Traces, test: Traces, poison: Poison, attacks: Attacks, chosen: Tensor
) -> list[RemovalSet]:
    """Return the different removal sets of attacks, those of most attacks first.

    An attack removes all poisoned samples that read the trigger in a state and prediction which the
    attacked sample comes through too. Knows the trigger.

    Source: RNNRepair appendix B.5.

    Args:
        fit: traces of the training samples, in ascending order of index.
        test: traces of the attacked samples without the trigger, in ascending order of index.
        poison: what the training samples hold.
        attacks: A of them.
        chosen: (A,) bool, those that have a set.
    """
    context, code = poisoned_contexts(fit, poison), previous_code(test)
    of_set: dict[tuple[int, ...], list[int]] = {}
    for number in chosen.nonzero()[:, 0].tolist():
        row = int(torch.searchsorted(test.index, attacks.index[number]))
        visited = code[test.offsets[row] : test.offsets[row + 1]]
        removed = poison.index[torch.isin(context, visited)]
        of_set.setdefault(tuple(removed.tolist()), []).append(number)
    most_first = sorted(of_set.items(), key=lambda item: -len(item[1]))
    return [RemovalSet(torch.tensor(i), torch.tensor(a)) for i, a in most_first]
