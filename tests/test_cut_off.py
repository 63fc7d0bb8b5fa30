"""Texts that somebody has cut are told by their lengths."""

from dataclasses import dataclass

import pytest
import torch

from rnnrepair.explanation.cut_off import cut_off
from rnnrepair.sequences import DataSpec, Kind, SequenceBatch
from rnnrepair.traces import Traces


@dataclass
class Texts:
    """Answers as data do, with lengths alone."""

    lengths: torch.Tensor
    kind: Kind = Kind.TOKENS

    @property
    def spec(self):
        return DataSpec(self.kind, 1, 2)

    def fetch(self, index):
        inputs = torch.zeros(len(index), int(self.lengths.max()), dtype=torch.int64)
        return SequenceBatch(index, inputs, self.lengths[index], index % 2)


def lengths_of(n, generator, at_most=None):
    """Return the lengths of texts, few of them long, cut at a length."""
    lengths = (4 + 10 * torch.rand(n, generator=generator).neg().log1p().neg()).long()
    return lengths if at_most is None else lengths.clamp_max(at_most)


def traces_of(index, wrong):
    n = len(index)
    label = torch.zeros(n, dtype=torch.int64)
    return Traces(torch.zeros(n), wrong.long(), torch.arange(n + 1), index, label, 1, 2)


def told_of(lengths, kind=Kind.TOKENS, wrong=None):
    n = len(lengths) * 3 // 4
    wrong = torch.zeros(len(lengths), dtype=torch.bool) if wrong is None else wrong
    index = torch.arange(len(lengths))
    train, test = (traces_of(part, wrong[part]) for part in (index[:n], index[n:]))
    return cut_off(Texts(lengths, kind), train, test, "test")


@pytest.mark.parametrize("seed", range(5))
def test_texts_of_any_length_are_not_told(seed):
    assert told_of(lengths_of(4000, torch.Generator().manual_seed(seed))) == ""


@pytest.mark.parametrize("at_most", [10, 20, 40])
def test_cut_ones_are_told_with_how_many_of_them_are_wrong(at_most):
    lengths = lengths_of(4000, torch.Generator().manual_seed(0), at_most)
    wrong = (lengths == at_most) & (torch.arange(4000) % 2 == 0)
    told = told_of(lengths, wrong=wrong)
    share = float((lengths[:3000] == at_most).double().mean())
    assert told.startswith(f"{share:.1%} of the training texts and ")
    assert f"exactly {at_most} steps" in told
    inside = float(wrong[3000:][lengths[3000:] == at_most].double().mean())
    assert told.endswith(f"In test {inside:.0%} of them are wrong, of all others 0.0%.")


def test_so_it_is_where_the_split_alone_is_cut():
    lengths = lengths_of(4000, torch.Generator().manual_seed(0))
    longest = int(lengths.max())
    lengths[3000:3200] = longest
    assert f"and {float((lengths[3000:] == longest).double().mean()):.1%} of test" in told_of(
        lengths
    )


def test_what_is_of_one_length_or_no_text_is_not_told():
    assert told_of(torch.full((400,), 12)) == ""
    cut = lengths_of(4000, torch.Generator().manual_seed(0), 20)
    assert told_of(cut) != ""
    assert told_of(cut, Kind.SERIES) == ""
