"""What every way to repair has in common."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from rnnrepair.edits import EditFamily
from rnnrepair.influence import Role
from rnnrepair.patterns import Finder, Pattern
from rnnrepair.repair.proposal import Proposal, RepairContext
from rnnrepair.sequences import EVERY_KIND, DataSpec, Kind


class RepairStrategy(ABC):
    """A way to repair; compared with others at equal budget and equal optimizer steps.

    Attributes:
        name: for the summary and the ledger.
        fits: kinds of data that it can be used on.
        needs: roles of training samples that it reads.
        injects: whether it makes samples at all.
        cleans: whether it mends training samples; it is told how suspicious labels are, then.
        relabels: whether mended samples get other labels.
        takes_all: whether it is given every failure, however many there are.
        edits_samples: whether it makes samples by the repair's edits.
        lengthens: whether samples have more steps than what they were made from.
        starts_anew: whether it trains a new network on all the data instead of repairing one.
        seeks_patterns: whether it looks for what failures have in common; it is told where, then,
            and what it has taught is taken back where val falls.
        finders: of such patterns.
        saves: whether it makes fewer samples than it may, where less is left to teach.
        augments: whether it needs training to be augmented, by what ``training_edits`` says.
        reads_phrases: whether it is made of labelled phrases, which the data must know then.
    """

    name: str
    fits: frozenset[Kind] = EVERY_KIND
    needs: frozenset[Role] = frozenset()
    injects: bool = True
    cleans: bool = False
    takes_all: bool = False
    relabels: bool = False
    edits_samples: bool = False
    lengthens: bool = False
    starts_anew: bool = False
    seeks_patterns: bool = False
    finders: Sequence[Finder] = ()
    saves: bool = False
    augments: bool = False
    reads_phrases: bool = False

    def begin(self) -> None:  # noqa: B027 (most learn nothing)
        """Forget what another run has taught it; a checkpoint is loaded afterwards."""

    def check(self, budget: int) -> None:  # noqa: B027 (most strategies fill any budget)
        """Refuse settings that can never fill the budget.

        Raises:
            SettingsError: names the argument.
        """

    def check_known(  # noqa: B027 (most name nothing)
        self,
        columns: Mapping[str, Sequence[str]],
        token_names: Sequence[str],
        training: Tensor,
        label: Tensor,
    ) -> None:
        """Refuse columns, words or classes that the strategy names and the data lack.

        Args:
            columns: of all samples, by name.
            token_names: by token; empty where inputs are features.
            training: (n,) int64 samples of the fit and the repair split.
            label: (n,) int64 of these.

        Raises:
            ConfigurationError: names the column, the value, the word or the class, and what there
                is.
        """

    def training_edits(self, edits: EditFamily | None, spec: DataSpec) -> EditFamily | None:
        """Return what augmentation draws from while a new network is trained; None: as before.

        Args:
            edits: of the repair.
            spec: of the data.

        Raises:
            ConfigurationError: the edits are of a family that the strategy can add nothing to.
        """
        return edits if self.augments else None

    def serves(self, context: RepairContext) -> Tensor:
        """Return (M,) bool: the failures that the strategy can make samples for."""
        return torch.ones(len(context.evidence), dtype=torch.bool)

    def explains(self, context: RepairContext) -> Tensor:
        """Return (M,) bool: failures whose cause it has found.

        Their labels are not in doubt, whoever else fails at them.
        """
        return torch.zeros(len(context.evidence), dtype=torch.bool)

    @property
    def patterns(self) -> Sequence[Pattern]:
        """What it has found that failures have in common."""
        return ()

    @property
    def notes(self) -> Sequence[str]:
        """What a reader of the results must know of what it has found."""
        return ()

    @property
    def taught_in(self) -> Collection[int]:
        """Numbers of the rounds that taught patterns, and that hold."""
        return ()

    @property
    def given_up(self) -> Sequence[Pattern]:
        """Those that are taught no more, since teaching them mended nothing or did harm."""
        return ()

    def give_up_patterns(self) -> None:  # noqa: B027 (most find none)
        """Teach none of them any more: what they were taught with is taken back."""

    def take_back(self, first: int) -> None:  # noqa: B027 (most learn nothing)
        """Forget what was made in round ``first`` and later ones: the data have it no more.

        Args:
            first: number of the round, see ``RepairContext``.
        """

    def state_dict(self) -> dict[str, Any]:
        """Return what it has learnt in the rounds before, as plain values: checkpoints hold it."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:  # noqa: B027 (most learn nothing)
        """Take up what it had learnt."""

    @abstractmethod
    def propose(self, context: RepairContext, budget: int) -> Proposal:
        """Propose ``budget`` samples for each failure it serves (fewer if candidates run out)."""
