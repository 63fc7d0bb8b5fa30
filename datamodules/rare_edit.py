"""A pattern that few training samples have: a failure mode that nobody was told of."""

import logging
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from rnnrepair.datamodules.loaded import LoadedData
from rnnrepair.datamodules.sequences import Sequences, in_memory
from rnnrepair.edits import EditFamily
from rnnrepair.errors import ConfigurationError
from rnnrepair.seeding import torch_generator
from rnnrepair.sequences import Kind, SampleNames
from rnnrepair.settings import ProperShare, Share, check_settings

log = logging.getLogger(__name__)


class RareEdit:
    """Edits a small share of the training sequences, and adds a test set of edited ones.

    Which are edited, and how, is a matter of the data set: it is the same in every seed. The
    ordinary test set stays as it is but for ``in_test``; ``test_rare`` holds all its sequences,
    edited.
    """

    def __init__(self, edits: EditFamily, share: ProperShare = 0.01, in_test: Share = 0.0) -> None:
        """Choose the pattern.

        Args:
            edits: that it is drawn from.
            share: of the training sequences that have it, and so of what is drawn from them: fit,
                repair, and val where the data have none of their own.
            in_test: share of the test sequences that have it: failures that the study
                ``breakdown`` should explain.

        Raises:
            SettingsError: a value out of range.
        """
        check_settings(RareEdit, locals())
        self.edits = edits
        self.share = share
        self.in_test = in_test

    def plant(self, data: LoadedData) -> LoadedData:
        """Return the data with the pattern.

        Args:
            data: as loaded, before they are split.

        Raises:
            ConfigurationError: edits of another kind of data, or sequences that are not in memory.
        """
        sequences = self._sequences(data)
        inputs, lengths = sequences.take(torch.arange(len(data.label)))
        generator = torch_generator(0, "rare digits")
        n_rare = max(1, round(self.share * data.n_train))
        rare = torch.randperm(data.n_train, generator=generator)[:n_rare]
        inputs[rare] = self._edited(inputs[rare], lengths[rare], generator)
        test = torch.arange(data.first_test, data.end_test)
        edited = self._edited(inputs[test], lengths[test], generator)
        n_in_test = round(self.in_test * len(test))
        if n_in_test:
            chosen = torch.randperm(len(test), generator=generator)[:n_in_test]
            inputs[test[chosen]] = edited[chosen]
        inputs = torch.cat([inputs, edited])
        log.info(
            "%d of %d training samples are edited on purpose, copies of the %d test samples, "
            "and %d of these.",
            n_rare,
            data.n_train,
            len(test),
            n_in_test,
        )
        # Copies stay those of the samples as they were, for loading has learnt from the fit split.
        copies = data.copies
        if copies is not None:
            copies = torch.cat([copies, copies.max() + 1 + torch.arange(len(test))])
        names = data.names or SampleNames(np.arange(len(data.label)))
        return replace(
            data,
            sequences=replace(
                Sequences.from_padded(inputs, torch.cat([lengths, lengths[test]])),
                padding=sequences.padding,
                width=sequences.width,
            ),
            label=torch.cat([data.label, data.label[test]]),
            more_tests={**data.more_tests, "test_rare": len(test)},
            copies=copies,
            groups=None if data.groups is None else torch.cat([data.groups, data.groups[test]]),
            names=names.joined(f"{name} edited" for name in names.of(test)),
            columns={
                name: [*values, *(values[i] for i in test.tolist())]
                for name, values in data.columns.items()
            },
        )

    def _edited(self, inputs: Tensor, lengths: Tensor, generator: torch.Generator) -> Tensor:
        return self.edits.apply(inputs, self.edits.draw(len(inputs), generator), lengths)

    def _sequences(self, data: LoadedData) -> Sequences:
        """Return the sequences, or refuse them."""
        if data.kind not in self.edits.fits or data.kind == Kind.TOKENS:
            raise ConfigurationError(
                f"rare: {self.edits.name} edits do not fit {data.kind} data, "
                f"{sorted(self.edits.fits)} they fit."
            )
        return in_memory(data.sequences, "rare")
