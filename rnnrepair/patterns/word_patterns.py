"""Failures that read the same word, or the same two words one behind the other."""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from rnnrepair.patterns.context import PatternContext
from rnnrepair.patterns.numbered import is_among, rows_by_number
from rnnrepair.patterns.pattern import Alike, Candidate
from rnnrepair.sequences import Kind, Names, SequenceBatch

# Training samples read at a time.
AT_A_TIME = 2000
# Words and pairs that are looked at, the commonest; bounds the memory of large data.
MOST = 10_000


class WordPatterns:
    """Texts that hold a word, or two words in this order with none between; of other data, none.

    Source: ours.
    """

    name = "word"

    def candidates(self, context: PatternContext, difficulty: Tensor) -> list[Candidate]:
        """Return the samples of every word and pair that enough of them hold, but not all."""
        del difficulty
        if context.spec.kind != Kind.TOKENS:
            return []
        names = Names.of(context.spec)
        held = []
        for width in (1, 2):
            of_width = rows_by_number(*_held(context.batch, width), len(context))
            held += [(value, width, rows) for value, rows in of_width]
        held.sort(key=lambda one: -len(one[2]))
        found = []
        for value, width, rows in held[:MOST]:
            inside = is_among(rows, len(context))
            parameters = _parameters(value, width)
            words = names.text_of(torch.tensor(_words(parameters)))
            told = f"reads {names.token}{'s' if width > 1 else ''} {words!r}"
            found.append(Candidate(self.name, told, inside, parameters, alike=Alike.CLASS))
        return found

    def refined(self, context: PatternContext, candidate: Candidate, stratum: Tensor) -> Candidate:
        """Add the training samples that hold it."""
        del stratum
        parts = context.originals.split(AT_A_TIME)
        own = [i[_holds(context.fetch(i), candidate.parameters)] for i in parts]
        return replace(candidate, samples=torch.cat(own))

    def again(self, context: PatternContext, parameters: Mapping[str, float | str]) -> Tensor:
        """Return (S,) bool: the samples that hold it."""
        return _holds(context.batch, parameters)


def _held(batch: SequenceBatch, width: int) -> tuple[Tensor, Tensor]:
    """Return the (n,) numbers of the words, or pairs, of B texts, and the (n,) rows of each."""
    batch = batch.without_front()
    row, step = batch.mask.nonzero(as_tuple=True)
    number = batch.inputs.long()
    if width == 1:
        return number[row, step], row
    follows = step + 1 < batch.lengths[row]
    row, step = row[follows], step[follows]
    # Words have numbers below 2 ** 31.
    return number[row, step] << 31 | number[row, step + 1], row


def _parameters(number: int, width: int) -> dict[str, float | str]:
    return {"word": number} if width == 1 else {"word": number >> 31, "next": number & (2**31 - 1)}


def _words(parameters: Mapping[str, float | str]) -> list[int]:
    return [int(parameters[name]) for name in ("word", "next") if name in parameters]


def _holds(batch: SequenceBatch, parameters: Mapping[str, float | str]) -> Tensor:
    """Return (B,) bool: texts that hold a word or a pair."""
    words = _words(parameters)
    number, row = _held(batch, len(words))
    wanted = words[0] if len(words) == 1 else words[0] << 31 | words[1]
    return is_among(row[number == wanted], len(batch))
