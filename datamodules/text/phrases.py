"""Which constituents of trees may be trained on, and with what label."""

import logging
from collections.abc import Mapping, Sequence

import numpy as np
import torch

from rnnrepair.datamodules.text.constituents import NEUTRAL, constituents
from rnnrepair.sequences import Phrases, SampleName, SequenceBatch

log = logging.getLogger(__name__)


def read_phrases(
    trees: Mapping[str, str],
    names: Sequence[SampleName],
    sentences: SequenceBatch,
    held_out: SequenceBatch,
    unknown: int,
) -> Phrases:
    """Return the constituents that are neither neutral nor the whole sentence; 1 is positive.

    Left out are phrases that a held-out sentence consists of, and those of unknown words alone,
    which would say what an unknown word means. Sentences are left out, and counted in the log,
    whose tokens are not the words of their tree (they were cut, or hold a trigger), or whose label
    is another than their tree's (it was planted or corrected).

    Args:
        trees: by the name of their sentence.
        names: of the n sentences.
        sentences: n training sentences, in ascending order of index.
        held_out: sentences that nothing may be learnt of.
        unknown: token of words without a number.

    Raises:
        DataError: a tree is none.
    """
    never = {tokens.numpy().tobytes() for tokens in held_out.sequences()}
    found: list[tuple[int, int, int, int]] = []
    n_other = 0
    for name, index, tokens, label in zip(
        names,
        sentences.index.tolist(),
        sentences.sequences(),
        sentences.label.tolist(),
        strict=True,
    ):
        *parts, whole = constituents(trees[str(name)], f"The tree of {name}")
        if whole.end != len(tokens) or (whole.grade > NEUTRAL) != (label == 1):
            n_other += 1
            continue
        words = tokens.numpy()
        found += [
            (index, part.first, part.end, int(part.grade > NEUTRAL))
            for part in parts
            if part.grade != NEUTRAL
            and part.end - part.first < len(words)
            and _may_be_learnt(words[part.first : part.end], never, unknown)
        ]
    if n_other:
        log.warning(
            "%d of %d training sentences are not what their trees say (their words or their label "
            "differ): their phrases are left out.",
            n_other,
            len(sentences),
        )
    return Phrases(*torch.tensor(found, dtype=torch.int64).reshape(-1, 4).T.contiguous())


def _may_be_learnt(words: np.ndarray, never: set[bytes], unknown: int) -> bool:
    return bool((words != unknown).any()) and words.tobytes() not in never
