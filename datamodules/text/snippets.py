"""Rated sentences of film reviews."""

from typing import Any

from rnnrepair.datamodules.held_out import hold_out
from rnnrepair.datamodules.text.cleaning import LoadedTexts
from rnnrepair.datamodules.text.snippets_source import CLASSES, read_snippets
from rnnrepair.datamodules.text.text_datamodule import TextDataModule
from rnnrepair.sequences import SampleNames
from rnnrepair.settings import ProperShare, check_settings

# What sentences are called.
NAMED = "number of the sentence among those that are not rated 0, from 0"


class MovieSnippetsDataModule(TextDataModule):
    """10,604 sentences with the mean of twenty ratings; positive above 0, negative below.

    Source: Hutto and Gilbert, VADER, ICWSM 2014.
    """

    def __init__(
        self, test_share: ProperShare = 0.2, verify_checksum: bool = True, **text: Any
    ) -> None:
        """Choose where the snippets come from.

        Args:
            test_share: share of the sentences that is kept for test.
            verify_checksum: compare the archive with its known digest.
            **text: see ``TextDataModule``.

        Raises:
            SettingsError: a value out of range.
        """
        check_settings(MovieSnippetsDataModule, locals())
        super().__init__(CLASSES, **text)
        self.test_share = test_share
        self.verify_checksum = verify_checksum

    def read(self) -> LoadedTexts:
        """Read the sentences.

        Raises:
            MissingDataError: pip cannot fetch them.
            DataError: the archive is damaged.
        """
        pairs = read_snippets(self.data_dir, self.cache_dir, self.verify_checksum)
        return with_test(pairs, self.test_share)


def with_test(pairs: list[tuple[str, str]], test_share: float) -> LoadedTexts:
    """Hold out a test set of (class, sentence) pairs."""
    order, n_train = hold_out([label for label, _ in pairs], test_share)
    chosen = [pairs[row] for row in order.tolist()]
    return LoadedTexts(
        [text for _, text in chosen],
        [label for label, _ in chosen],
        n_train,
        "snippets",
        names=SampleNames(order.numpy(), "snippet", NAMED),
    )
