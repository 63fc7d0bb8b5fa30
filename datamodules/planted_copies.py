"""Copies of test samples with another label among the training samples, put in on purpose."""

import logging
from dataclasses import replace

import torch

from rnnrepair.datamodules.prepared import Prepared
from rnnrepair.datamodules.sequences import in_memory
from rnnrepair.errors import ConfigurationError
from rnnrepair.seeding import torch_generator
from rnnrepair.sequences import SequenceBatch
from rnnrepair.settings import Count, Share, check_settings

log = logging.getLogger(__name__)


class PlantedCopies:
    """Puts copies of some test samples into training, with one wrong label for all of a sample.

    They take the place of samples of the fit split, so that it is as large as before. This is what
    data hold that were collected twice and labelled by two people.
    """

    def __init__(self, share: Share = 0.1, copies: Count = 3, seed: int = 0) -> None:
        """Choose how many there are.

        Args:
            share: of the test samples that are copied.
            copies: of each.
            seed: of the samples, of what they take the place of, and of their labels.

        Raises:
            SettingsError: a value out of range.
        """
        check_settings(PlantedCopies, locals())
        self.share = share
        self.copies = copies
        self.seed = seed

    def plant(self, made: Prepared) -> Prepared:
        """Return the data with the copies.

        Raises:
            ConfigurationError: the copies are more than the fit split has samples, or sequences are
                not in memory.
        """
        sequences, fit, test = (
            in_memory(made.data.sequences, "fault"),
            made.splits["fit"],
            made.splits["test"],
        )
        generator = torch_generator(self.seed, "planted copies")
        order = torch.randperm(len(test), generator=generator)
        copied = test[order[: round(self.share * len(test))]]
        if len(copied) * self.copies > len(fit):
            raise ConfigurationError(
                f"fault: {self.copies} copies of {len(copied)} test samples are more than the "
                f"{len(fit)} samples of the fit split: lower share or copies."
            )
        source = copied.repeat(self.copies)
        rows = fit[torch.randperm(len(fit), generator=generator)[: len(source)]]
        # 1 .. C - 1, so that no label is the true one.
        n_classes = made.spec.n_classes
        step = torch.randint(1, n_classes, (len(copied),), generator=generator)
        batch = SequenceBatch(rows, *sequences.take(source), made.label[source])
        label, true = made.label.clone(), made.data.label.clone()
        true[rows] = true[source]
        label[rows] = (true[source] + step.repeat(self.copies)) % n_classes
        log.info(
            "On purpose: %d of %d test samples stand in the fit split, %d times each, with "
            "another label.",
            len(copied),
            len(test),
            self.copies,
        )
        data = replace(made.data, sequences=sequences.replaced(batch), label=true)
        return replace(made, data=data, label=label)
