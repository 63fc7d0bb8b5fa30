"""Repair by pattern: what failures have in common is taught, not each failure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from typing_extensions import override

from rnnrepair.edits import apply_edits
from rnnrepair.edits.sweeps import drawn_in
from rnnrepair.errors import Fault, SettingsError
from rnnrepair.patterns import (
    LEAST_FAILURES,
    Finder,
    Pattern,
    find_patterns,
    teachable_finders,
)
from rnnrepair.repair.controls import InfluenceRepair
from rnnrepair.repair.edited import copies_of, edited_proposal, n_copies, spread, unjudged
from rnnrepair.repair.known_pattern import KnownPattern, unsafe, wrong
from rnnrepair.repair.proposal import Proposal, RepairContext, Sought
from rnnrepair.repair.strategy import RepairStrategy
from rnnrepair.scores import Scored
from rnnrepair.seeding import torch_generator
from rnnrepair.settings import ProperShare, check_settings

# A pattern gets fewer samples once this share of what was wrong or doubtful in it is left.
FULL = 1 / 3
# Rounds after which a pattern that fails no less than at first is taught no more.
IN_VAIN = 3


class PatternRepair(RepairStrategy):
    """``pattern``: edits that failures were found to share, on many different training samples.

    Patterns are looked for once, before the first round: what later rounds leave of the failures
    tells what has been taught, and a search costs about as much as an epoch. Failures outside of
    them get what ``influence`` gives them. The samples of a pattern become fewer as its failures
    become right, and none is made once all of them are, or where three rounds have changed nothing.
    Where the failures of a column or a word share an edit too, the edit is taught: it can be made
    of every training sample.

    Source: ours.
    """

    name = "pattern"
    seeks_patterns = True
    saves = True
    # How often a training sample of words or columns is seen beside others, in a new network; None
    # for as often as the budget allows.
    most_often: int | None = None

    def __init__(
        self,
        share: ProperShare = 0.95,
        finders: Sequence[Finder] | None = None,
        rest: RepairStrategy | None = None,
    ) -> None:
        """Choose how much is spent on patterns.

        Args:
            share: of the samples of a round that patterns get at most, together; all where no other
                failures get any.
            finders: of the patterns; edits, words and the user's columns where None.
            rest: makes the samples for failures outside of patterns, ``InfluenceRepair`` where
                None; ``NoRepair`` makes none. Training samples of words and columns are edited
                where it edits samples.

        Raises:
            SettingsError: a value out of range, or a ``rest`` that does something else.
        """
        check_settings(PatternRepair, {"share": share})
        self.share = share
        self.finders = list(finders or teachable_finders())
        self.rest = rest or InfluenceRepair()
        if self.rest.cleans or self.rest.starts_anew:
            told = "expected a strategy that makes samples for the same network or none, got "
            raise SettingsError("PatternRepair", [Fault("rest", told + self.rest.name)])
        self.fits, self.needs = self.rest.fits, self.rest.needs
        self.edits_samples, self.lengthens = self.rest.edits_samples, self.rest.lengthens
        self.reads_phrases, self.augments = self.rest.reads_phrases, self.rest.augments
        self.begin()

    @override
    def begin(self) -> None:
        self.known: list[KnownPattern] = []
        self.seeks = True

    @override
    def check(self, budget: int) -> None:
        self.rest.check(budget)

    @override
    def explains(self, context: RepairContext) -> Tensor:
        self._seek(context.looked_through())
        index = context.evidence.failures.index
        inside = [torch.isin(index, known.pattern.inside) for known in self.known]
        return torch.stack(inside).any(0) if inside else super().explains(context)

    def propose(self, context: RepairContext, budget: int) -> Proposal:
        """Propose samples by pattern, and for the failures without one by influence."""
        sought = context.looked_through()
        self._seek(sought)
        self.known = [self._still_worth_it(known, sought) for known in self.known]
        # Nothing is made of samples that a strategy that cleans has taken out.
        teachable = [
            not known.given_up and len(self._pool(known, context)) > 0 for known in self.known
        ]
        index, total = context.evidence.failures.index, context.most(budget)
        inside = [
            torch.isin(index, known.pattern.inside) & can
            for known, can in zip(self.known, teachable, strict=True)
        ]
        taught = torch.zeros(len(index), dtype=torch.bool)
        for failing in inside:
            taught |= failing
        # What influence would not use is spent on patterns.
        alone = bool(taught.all()) or not self.rest.injects
        most = total if alone else int(self.share * total)
        parts = []
        for number, n in enumerate(self._doses(most, teachable, sought)):
            failing = inside[number].nonzero()[:, 0]
            if n and len(failing):
                known = self.known[number]
                parts.append(self._taught(known, n, failing, context, number))
                self.known[number] = replace(known, rounds=(*known.rounds, context.round))
        rest = (~taught).nonzero()[:, 0]
        n_rest = total - sum(len(part) for part in parts)
        if len(rest) and n_rest:
            parts.append(self._of_rest(context, rest, n_rest))
        return Proposal.joined(parts) if parts else Proposal.empty(context)

    def _still_worth_it(self, known: KnownPattern, sought: Sought) -> KnownPattern:
        """Give a pattern up that fails no less after some rounds than at first."""
        n = len(known.pattern.inside)
        left = wrong(known.pattern.inside, sought)
        # A few of its failures become right by themselves: they were chosen for failing.
        first, now = Scored.share(known.pattern.size, n), Scored.share(left, n)
        if len(known.rounds) < IN_VAIN or first.fell_to(now):
            return known
        return replace(known, given_up=True)

    def _doses(self, most: int, teachable: Sequence[bool], sought: Sought) -> list[int]:
        """Return how many of at most so many samples each pattern gets: by what is left of it."""
        left = [
            min(unsafe(known.pattern.inside, sought) / FULL, known.unsafe) if can else 0
            for known, can in zip(self.known, teachable, strict=True)
        ]
        at_first = sum(
            known.unsafe for known, can in zip(self.known, teachable, strict=True) if can
        )
        return [int(most * n / max(at_first, 1)) for n in left]

    def _seek(self, sought: Sought) -> None:
        """Look for patterns, once."""
        if not self.seeks:
            return
        found = find_patterns(sought.samples, self.finders)
        self.known = [KnownPattern(pattern, unsafe(pattern.inside, sought)) for pattern in found]
        self.seeks = False

    def _taught(
        self, known: KnownPattern, n: int, failing: Tensor, context: RepairContext, number: int
    ) -> Proposal:
        """Return n samples that have what a pattern's failures have in common.

        Args:
            known: the pattern.
            n: samples.
            failing: (m,) rows of its failures.
            context: of the round.
            number: of the pattern.
        """
        generator = torch_generator(context.seed, "pattern", number)
        pool = self._pool(known, context)
        if known.region is None and self.most_often is not None:
            n = min(n, n_copies(len(pool), context, self.most_often))
        failure = failing[torch.arange(n) % len(failing)]
        parents = context.fetch(pool[spread(len(pool), n, generator)])
        if known.region is not None:
            spec = context.looked_through().samples.spec
            edits = drawn_in(known.region, n, spec, generator)
            inputs = apply_edits(parents.inputs, edits, parents.lengths)
            made = unjudged(parents, inputs, failure, edits.to_list())
            return replace(made, region=torch.zeros_like(failure), regions=(known.region,))
        if self.edits_samples:
            seeded = replace(context, seed=context.seed + 1 + number)
            return edited_proposal(parents, failure, seeded)
        return copies_of(parents, failure)

    def _pool(self, known: KnownPattern, context: RepairContext) -> Tensor:
        """Return the (n,) training samples that a pattern is taught with."""
        if known.region is not None:
            return context.originals
        samples = known.pattern.samples
        samples = samples[torch.isin(samples, context.originals)]
        # A new network is trained on the repair split too.
        return torch.cat([samples, known.pattern.inside]) if self.starts_anew else samples

    def _of_rest(self, context: RepairContext, rows: Tensor, n: int) -> Proposal:
        """Return n samples for those failures outside of patterns that the rest serves."""
        own = replace(context, evidence=context.evidence.select(rows))
        rows = rows[self.rest.serves(own)]
        if len(rows) == 0:
            return Proposal.empty(context)
        own = replace(context, evidence=context.evidence.select(rows))
        made = self.rest.propose(own, -(-n // len(rows))).limited(n)
        return replace(made, failure=rows[made.failure])

    @property
    @override
    def patterns(self) -> list[Pattern]:
        return [known.pattern for known in self.known]

    @property
    @override
    def notes(self) -> list[str]:
        if self.seeks:
            return []
        # Nobody can teach what no training sample has; the repair split is trained on anew.
        alone = [
            known.pattern.description
            for known in self.known
            if known.region is None and not len(known.pattern.samples) and not self.starts_anew
        ]
        if alone:
            return [
                f"No training sample has what was found, so it is not taught: {told}."
                for told in alone
            ]
        if self.known:
            return []
        return [
            "No pattern that failures share was found (none is looked for among fewer than "
            f"{LEAST_FAILURES}): {self.done_without}."
        ]

    @property
    def done_without(self) -> str:
        """What is done where no pattern is found."""
        return f"samples were made failure by failure, as by {self.rest.name}"

    @property
    @override
    def taught_in(self) -> set[int]:
        return {number for known in self.known for number in known.rounds}

    @property
    @override
    def given_up(self) -> list[Pattern]:
        return [known.pattern for known in self.known if known.given_up]

    @override
    def give_up_patterns(self) -> None:
        self.known = [replace(known, given_up=True) for known in self.known]

    @override
    def take_back(self, first: int) -> None:
        self.known = [
            replace(known, rounds=tuple(number for number in known.rounds if number < first))
            for known in self.known
        ]

    @override
    def state_dict(self) -> dict[str, Any]:
        return {"seeks": self.seeks, "known": [known.state_dict() for known in self.known]}

    @override
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.seeks = state["seeks"]
        self.known = [KnownPattern.of_state(known) for known in state["known"]]
