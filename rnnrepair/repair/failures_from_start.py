"""Trains a new network, which sees what the first one got wrong more often: Just Train Twice."""

import torch

from rnnrepair.repair.edited import more_often
from rnnrepair.repair.proposal import Proposal, RepairContext
from rnnrepair.repair.strategy import RepairStrategy
from rnnrepair.settings import Count, check_settings


class FailuresFromStart(RepairStrategy):
    """``failures_from_start``: a new network that sees what the first one gets wrong more often.

    It is trained as ``augment`` and ``all`` train one: on the fit and the repair split, for as many
    steps at the same rates as base and repair take together. The failures of the repair split and
    the training samples that the first network gets wrong are copied.

    Source: Liu et al., Just Train Twice (ICML 2021), section 4; here the mistakes on samples that
    the first network was not trained on count too, and its training is not cut short.
    """

    name = "failures_from_start"
    starts_anew = True
    saves = True
    takes_all = True

    def __init__(self, times: Count = 10, augments: bool = False) -> None:
        """Choose how often mistakes are seen, and how all is augmented.

        Args:
            times: how many times as often as others; less often where copies would take more than
                half of an epoch, or more than the repair's budget allows.
            augments: whether augmentation draws the repair's edits, as that of ``augment`` does.

        Raises:
            SettingsError: a value out of range.
        """
        check_settings(FailuresFromStart, locals())
        self.times = times
        self.augments = augments

    def propose(self, context: RepairContext, budget: int) -> Proposal:
        """Return copies of the mistakes, each as often as any other or once more."""
        failures = context.evidence.failures.index
        own = torch.cat([context.originals[~context.original_correct], failures])
        everyone = torch.arange(len(failures))
        return more_often(own, self.times, everyone, context, budget)
