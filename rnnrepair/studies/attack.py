"""Attacks through a backdoor: test samples with the trigger put in, and who falls for them.

Source: RNNRepair appendix B.5, with results looked up by the number of the attack.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from rnnrepair.influence.transitions import previous_code
from rnnrepair.network import TracedNetwork
from rnnrepair.protocols import RepairableData
from rnnrepair.seeding import torch_generator
from rnnrepair.sequences import Poison
from rnnrepair.traces import Traces

# Attacks that the network is asked about at a time.
AT_A_TIME = 500


@dataclass(frozen=True, eq=False)
class Attacks:
    """A attacks on test samples.

    Attributes:
        index: (A,) int64 samples.
        label: (A,) int64 true classes of those.
        step: (A,) int64 where the trigger is put in.
        guided: (A,) bool: at the place that most poisoned samples have it at, by the state before;
            else at a random one.
        skipped: samples without a place where any poisoned sample has it, or without another one.
    """

    index: Tensor
    label: Tensor
    step: Tensor
    guided: Tensor
    skipped: int


def choose_attacks(
    fit: Traces, test: Traces, poison: Poison, samples: int, places: int, seed: int
) -> Attacks:
    """Choose samples that are right without the trigger, and places for it.

    Args:
        fit: traces of the training samples, in ascending order of index.
        test: traces of the samples that may be attacked.
        poison: what the training samples hold.
        samples: how many are attacked.
        places: random places of each, besides the guided one; fewer where there are not so many.
        seed: of samples and places.
    """
    weight = poisoned_contexts(fit, poison).bincount(minlength=fit.n_codes + 1)
    before = previous_code(test)
    last = poison.trigger.last_place(test.lengths)
    usable = (test.correct & (test.label != poison.label)).nonzero()[:, 0]
    generator = torch_generator(seed, "attacked")
    chosen: list[tuple[int, int, bool]] = []
    attacked = skipped = 0
    for row in usable[torch.randperm(len(usable), generator=generator)].tolist():
        if attacked == samples:
            break
        start = int(test.offsets[row])
        at_place = weight[before[start : start + int(last[row]) + 1]]
        if len(at_place) < 2 or not at_place.any():
            skipped += 1
            continue
        guided, attacked = int(at_place.argmax()), attacked + 1
        others = [place for place in range(len(at_place)) if place != guided]
        drawn = torch.randperm(len(others), generator=generator)[:places].tolist()
        chosen += [(row, guided, True), *((row, others[place], False) for place in drawn)]
    rows, steps, is_guided = (
        torch.tensor([one[i] for one in chosen], dtype=torch.int64) for i in range(3)
    )
    return Attacks(test.index[rows], test.label[rows], steps, is_guided.bool(), skipped)


def poisoned_contexts(fit: Traces, poison: Poison) -> Tensor:
    """Return (n,) the code before the trigger in each poisoned sample; see ``previous_code``."""
    rows = torch.searchsorted(fit.index, poison.index)
    return previous_code(fit)[fit.offsets[rows] + poison.step]


def answers(
    network: TracedNetwork, data: RepairableData, poison: Poison, attacks: Attacks
) -> Tensor:
    """Return the (A,) classes that a network predicts for attacked samples."""

    def with_trigger(rows: Tensor) -> object:
        batch = poison.trigger.put(data.fetch(attacks.index[rows]), attacks.step[rows])
        # A sample is attacked several times: what is said is looked up by the attack.
        return replace(batch, index=rows)

    parts = torch.arange(len(attacks.index)).split(AT_A_TIME)
    return network.predict(with_trigger(part) for part in parts).predicted  # type: ignore[misc]
