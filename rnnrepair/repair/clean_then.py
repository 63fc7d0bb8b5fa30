"""Cleaning together with a strategy that makes samples."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from typing_extensions import override

from rnnrepair.errors import Fault, SettingsError
from rnnrepair.patterns import Pattern
from rnnrepair.repair.clean import CleanLabels, judged_labels
from rnnrepair.repair.proposal import Proposal, RepairContext
from rnnrepair.repair.propose_for import propose_for
from rnnrepair.repair.strategy import RepairStrategy


class CleanThen(RepairStrategy):
    """``clean+NAME``: cleans, and makes the samples of another strategy of what can be trusted.

    A failure whose own label is suspect, or the labels of its neighbours, gets no samples: they
    would teach the network the fault. Its share of the budget goes to nobody. Samples are made of
    no training sample whose label is suspect, mended or not, by no later epoch either.

    Source: ours.
    """

    def __init__(self, then: RepairStrategy, clean: CleanLabels | None = None) -> None:
        """Choose both.

        Args:
            then: makes the samples.
            clean: mends labels; ``CleanLabels()`` where None.

        Raises:
            SettingsError: ``then`` makes no samples, or one of both trains a new network.
        """
        if not then.injects or then.cleans or then.starts_anew:
            told = f"expected a strategy that makes samples for the same network, got {then.name}"
            raise SettingsError(type(self).__name__, [Fault("then", told)])
        self.then = then
        self.clean = clean or CleanLabels()
        if self.clean.starts_anew:
            told = (
                f"expected CleanLabels, which goes on with the same network, got {self.clean.name}"
            )
            raise SettingsError(type(self).__name__, [Fault("clean", told)])
        # Whatever is asked of the strategy that makes the samples is asked of both.
        for trait in RepairStrategy.__annotations__:
            setattr(self, trait, getattr(then, trait))
        self.name = f"{self.clean.name}+{then.name}"
        self.cleans, self.relabels = True, self.clean.relabels

    @override
    def begin(self) -> None:
        self.then.begin()

    @override
    def check(self, budget: int) -> None:
        self.then.check(budget)

    @override
    def check_known(
        self,
        columns: Mapping[str, Sequence[str]],
        token_names: Sequence[str],
        training: Tensor,
        label: Tensor,
    ) -> None:
        self.then.check_known(columns, token_names, training, label)

    @override
    def explains(self, context: RepairContext) -> Tensor:
        return self.then.explains(context)

    @property
    @override
    def patterns(self) -> Sequence[Pattern]:
        return self.then.patterns

    @property
    @override
    def notes(self) -> Sequence[str]:
        return self.then.notes

    @property
    @override
    def taught_in(self) -> Collection[int]:
        return self.then.taught_in

    @property
    @override
    def given_up(self) -> Sequence[Pattern]:
        return self.then.given_up

    @override
    def give_up_patterns(self) -> None:
        self.then.give_up_patterns()

    @override
    def take_back(self, first: int) -> None:
        self.then.take_back(first)

    @override
    def state_dict(self) -> dict[str, Any]:
        return self.then.state_dict()

    @override
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.then.load_state_dict(state)

    @override
    def serves(self, context: RepairContext) -> Tensor:
        return _doubtful(self._undoubted(context)) | self.then.serves(context)

    def propose(self, context: RepairContext, budget: int) -> Proposal:
        """Propose samples for the failures that can be trusted, and what is to be mended."""
        context = self._undoubted(context)
        cleaned = self.clean.propose(context, budget)
        kept = (~_doubtful(context)).nonzero()[:, 0]
        made = propose_for(self.then, _trusted(context), kept, budget)
        return replace(made, mends=cleaned.mends, untrusted=_suspect(context))

    def _undoubted(self, context: RepairContext) -> RepairContext:
        """Return the same without doubt about failures whose cause has been found."""
        _, doubt = judged_labels(context)
        open_ = ~self.then.explains(context)
        doubt = replace(doubt, own=doubt.own & open_, neighbours=doubt.neighbours & open_)
        return replace(context, doubt=doubt)


def _doubtful(context: RepairContext) -> Tensor:
    """Return (M,) bool: failures whose own label is suspect, or those of their neighbours."""
    _, doubt = judged_labels(context)
    return doubt.own | doubt.neighbours


def _suspect(context: RepairContext) -> Tensor:
    """Return the (u,) indices of training samples and failures whose own label is suspect."""
    suspicion, doubt = judged_labels(context)
    failures = context.evidence.failures.index
    return torch.cat([suspicion.index[suspicion.suspect], failures[doubt.own]])


def _trusted(context: RepairContext) -> RepairContext:
    """Return the same without training samples whose label is or was suspect."""
    suspicion, _ = judged_labels(context)
    suspect = torch.cat([suspicion.index[suspicion.suspect], context.mended])
    trusted = ~torch.isin(context.originals, suspect)
    return replace(
        context,
        evidence=context.evidence.without(suspect),
        originals=context.originals[trusted],
        original_label=context.original_label[trusted],
        original_correct=context.original_correct[trusted],
    )
