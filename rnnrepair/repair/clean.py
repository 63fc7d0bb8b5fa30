"""Cleaning: suspicious training samples are drawn less often, relabelled or removed."""

import logging
from dataclasses import replace
from typing import Annotated

import torch
from torch import Tensor
from typing_extensions import override

from rnnrepair.errors import ConfigurationError
from rnnrepair.influence import LabelDoubt, Suspicion, tie_order
from rnnrepair.repair.mend import Action, Mend
from rnnrepair.repair.proposal import Proposal, RepairContext
from rnnrepair.repair.strategy import RepairStrategy
from rnnrepair.settings import ProperShare, Share, check_settings, one_of

log = logging.getLogger(__name__)

ACTIONS = (Action.REWEIGHT, Action.RELABEL, Action.REMOVE)


class CleanLabels(RepairStrategy):
    """``clean``: mends what training goes on with, and makes no samples.

    Mended are training samples whose label is suspect, most suspicious first, and failures whose
    own label is suspect, as far as training would see them in the end. Those are never relabelled:
    a split that measures must not measure by what a repair believes.

    Source: ours.
    """

    name = "clean"
    injects = False
    cleans = True

    def __init__(
        self,
        action: Annotated[str, one_of(ACTIONS)] = Action.REWEIGHT,
        share: ProperShare = 0.3,
        weight: Share = 0.1,
    ) -> None:
        """Choose what is done, and how much of it.

        Args:
            action: ``reweight``: an epoch sees a sample with probability ``weight``; ``relabel``:
                it gets the label that the evidence speaks for; ``remove``: it is not trained on.
            share: of the original training samples, mended at most, over all rounds.
            weight: see ``action``.

        Raises:
            SettingsError: a value out of range.
        """
        check_settings(CleanLabels, locals())
        self.action = Action(action)
        self.relabels = self.action is Action.RELABEL
        self.share = share
        self.weight = weight

    @override
    def propose(self, context: RepairContext, budget: int) -> Proposal:
        """Mend all that is suspect and not settled, within the limits."""
        suspicion, doubt = judged_labels(context)
        n_explained = int(suspicion.explained.sum())
        if n_explained:
            told = ", ".join(value.name for value in suspicion.shared)
            log.info(
                "%d doubted labels are left as they are, since what they share (%s) may be why: "
                "they stand at the end of the table of suspects. If they are wrong, fill it in "
                "and give it back as corrections.",
                n_explained,
                told,
            )
        mends = self._of_training(context, suspicion) + self._of_failures(context, doubt)
        return replace(Proposal.empty(context), mends=mends)

    def _of_training(self, context: RepairContext, suspicion: Suspicion) -> list[Mend]:
        wanted = suspicion.suspect & ~torch.isin(suspicion.index, context.settled)
        if self.action is Action.RELABEL:
            wanted &= suspicion.suggested != context.original_label
        rows = _most_suspicious_first(suspicion, context.seed)
        rows = _within_limits(rows[wanted[rows]], context, self.share)
        return [
            self._mend(self.action, index, was, suggested, score)
            for index, was, suggested, score in zip(
                suspicion.index[rows].tolist(),
                context.original_label[rows].tolist(),
                suspicion.suggested[rows].tolist(),
                suspicion.score[rows].tolist(),
                strict=True,
            )
        ]

    def _of_failures(self, context: RepairContext, doubt: LabelDoubt) -> list[Mend]:
        failures = context.evidence.failures
        rows = doubt.own & ~torch.isin(failures.index, context.settled)
        action = Action.REMOVE if self.action is Action.RELABEL else self.action
        return [
            self._mend(action, index, was, was, s)
            for index, was, s in zip(
                failures.index[rows].tolist(),
                failures.label[rows].tolist(),
                doubt.score[rows].tolist(),
                strict=True,
            )
        ]

    def _mend(self, action: Action, index: int, was: int, suggested: int, score: float) -> Mend:
        label = suggested if action is Action.RELABEL else was
        weights = {Action.RELABEL: 1.0, Action.REMOVE: 0.0, Action.REWEIGHT: self.weight}
        return Mend(index, action, was, label, weights[action], score)


def judged_labels(context: RepairContext) -> tuple[Suspicion, LabelDoubt]:
    """Return what a round knows of labels.

    Raises:
        ConfigurationError: nobody has judged them.
    """
    if context.suspicion is None or context.doubt is None:
        raise ConfigurationError(
            "Cleaning needs suspicion and doubt: RepairContext(suspicion=suspect_labels(view), "
            "doubt=doubt_labels(...))."
        )
    return context.suspicion, context.doubt


def _most_suspicious_first(suspicion: Suspicion, seed: int) -> Tensor:
    """Return the (N,) rows by falling score, equal ones by chance."""
    order = tie_order(suspicion.index, seed)
    return order[suspicion.score[order].argsort(descending=True, stable=True)]


def _within_limits(rows: Tensor, context: RepairContext, share: float) -> Tensor:
    """Return the first of some rows of the original samples that may be mended.

    Over all rounds at most a share of the samples, and at most half of those of a class.
    """
    label = context.original_label.clone()
    label[torch.searchsorted(context.originals, context.mended)] = context.mended_label
    size = label.bincount()
    room = size // 2 - context.mended_label.bincount(minlength=len(size))
    allowed = torch.ones(len(rows), dtype=torch.bool)
    for c in label[rows].unique().tolist():
        of_class = (label[rows] == c).nonzero()[:, 0]
        if len(of_class) > int(room[c]):
            log.warning(
                "%d samples of class %d are suspect, %d more can be mended: not above half of a "
                "class. Look at its labels yourself.",
                len(of_class),
                c,
                max(int(room[c]), 0),
            )
            allowed[of_class[max(int(room[c]), 0) :]] = False
    rows = rows[allowed]
    left = int(share * len(label)) - len(context.mended)
    if len(rows) > left:
        log.warning(
            "%d suspect samples are left as they are: share=%s of the training samples is mended "
            "at most.",
            len(rows) - max(left, 0),
            share,
        )
    return rows[: max(left, 0)]
