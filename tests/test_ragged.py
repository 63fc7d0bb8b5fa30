"""The one layout of sequences, against plain lists."""

from dataclasses import dataclass
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from rnnrepair.errors import ConfigurationError
from rnnrepair.sequences import DataSpec, Kind, Ragged, Target, check_fits, offsets_of


@dataclass(frozen=True)
class Toy(Ragged):
    STEPS = ("value", "pair", "missing")
    ROWS = ("name",)

    value: Tensor
    pair: Tensor
    offsets: Tensor
    name: Tensor
    common: str = "kept"
    missing: Tensor | None = None


def toy(seed, n=7):
    g = torch.Generator().manual_seed(seed)
    lengths = torch.randint(0, 5, (n,), generator=g)
    value = torch.randint(100, (int(lengths.sum()),), generator=g)
    return Toy(value, torch.stack([value, -value], 1), offsets_of(lengths), torch.arange(n) + 10)


def rows_of(ragged):
    """(name, values) of every sequence; both step columns must agree."""
    bounds = ragged.offsets.tolist()
    assert torch.equal(ragged.pair, torch.stack([ragged.value, -ragged.value], 1))
    values = [ragged.value[a:b].tolist() for a, b in pairwise(bounds)]
    return list(zip(ragged.name.tolist(), values, strict=True))


@pytest.mark.parametrize("seed", range(5))
def test_sequences_are_selected_cut_and_joined_as_lists_are(seed):
    ragged = toy(seed)
    rows = rows_of(ragged)
    assert len(ragged) == len(rows)
    assert ragged.n_steps == sum(len(values) for _, values in rows)
    order = [5, 0, 0, 3]
    assert rows_of(ragged.select(torch.tensor(order))) == [rows[i] for i in order]
    mask = torch.arange(7) % 2 == 0
    assert rows_of(ragged.select(mask)) == rows[::2]
    assert rows_of(ragged.between(2, 6)) == rows[2:6]
    assert rows_of(ragged.between(0, 3).joined(ragged.between(3, 7))) == rows
    other = toy(seed + 100, 3)
    assert rows_of(ragged.joined(other)) == rows + rows_of(other)
    assert ragged.select(mask).common == "kept"
    assert ragged.select(mask).missing is None


@pytest.mark.parametrize("lengths", [[3, 1, 2], [2, 2]])
def test_padding_and_the_step_before(lengths):
    value = torch.arange(sum(lengths)) + 1
    offsets = offsets_of(torch.tensor(lengths))
    ragged = Toy(value, torch.stack([value, -value], 1), offsets, torch.arange(len(lengths)))
    table = ragged.padded(ragged.value, max(lengths), 0)
    rows = [values for _, values in rows_of(ragged)]
    for row, values in zip(table.tolist(), rows, strict=True):
        assert row == values + [0] * (max(lengths) - len(values))
    before = ragged.previous(ragged.value, -1)
    assert before.tolist() == [v for values in rows for v in (-1, *values[:-1])]
    assert ragged.value[ragged.last_step].tolist() == [values[-1] for values in rows]


class Rotation:
    name = "rotation"
    fits = frozenset({Kind.IMAGE})


class Insertion:
    name = "insertion"
    fits = frozenset({Kind.TOKENS})


def test_all_misfits_are_named_in_one_message():
    spec = DataSpec("series", 9, 4)
    assert (spec.kind, spec.target) == (Kind.SERIES, Target.SEQUENCE)
    with pytest.raises(ConfigurationError) as told:
        check_fits([("edits", Rotation()), ("strategy", Insertion())], spec)
    assert "The data are series" in str(told.value)
    assert "edits rotation is made for image; strategy insertion is made for tokens" in str(
        told.value
    )
    check_fits([("edits", Rotation())], DataSpec(Kind.IMAGE, 28, 10))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "text"}, "DataSpec.kind: .* one of .*tokens.*got 'text'"),
        ({"target": "word"}, "DataSpec.target: .* one of"),
        ({"n_classes": 1}, "n_classes: expected .* at least 2, got 1"),
        ({"step_width": 0}, "step_width: expected .* at least 1"),
    ],
)
def test_a_description_that_cannot_be_is_refused(change, message):
    with pytest.raises(ConfigurationError, match=message):
        DataSpec(**{"kind": "image", "step_width": 28, "n_classes": 10} | change)
