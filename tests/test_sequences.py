"""Ragged sequences in memory, and batches of like length."""

import pytest
import torch

from rnnrepair.datamodules import Sequences
from rnnrepair.datamodules.batching import EpochBatches
from rnnrepair.errors import DataError
from rnnrepair.sequences import Names

TOKENS = [[5, 6, 7], [8], [9, 2], [3, 4, 5, 6, 7]]


def ragged(rows=TOKENS, padding=1):
    lengths = torch.tensor([len(row) for row in rows])
    inputs = torch.zeros(len(rows), int(lengths.max()), dtype=torch.int64)
    for i, row in enumerate(rows):
        inputs[i, : len(row)] = torch.tensor(row)
    return Sequences.from_padded(inputs, lengths, padding)


def test_names_that_blanks_tell_apart_are_in_quotes():
    names = Names(("good", " good", "good "))
    assert [names.of_class(c) for c in range(4)] == ["good", "' good'", "'good '", "3"]
    number_of = names.number_of(4)
    for as_told, as_given in zip(range(4), ("good", " good", "good ", "3"), strict=True):
        assert number_of(names.of_class(as_told)) == number_of(as_given) == as_told


def test_a_class_called_by_a_number_is_found_by_that_name_first():
    number_of = Names(("7", "1")).number_of(2)
    assert [number_of(name) for name in ("7", "1", "0", "2")] == [0, 1, 0, None]


def test_take_pads_to_the_longest_of_those_taken():
    inputs, lengths = ragged().take(torch.tensor([2, 0, 2]))
    assert inputs.tolist() == [[9, 2, 1], [5, 6, 7], [9, 2, 1]]
    assert inputs.dtype == torch.int64
    assert lengths.tolist() == [2, 3, 2]


def test_take_of_nothing_is_empty():
    inputs, lengths = ragged().take(torch.tensor([], dtype=torch.int64))
    assert inputs.shape[0] == len(lengths) == 0


def test_features_come_back_as_they_were_where_they_count():
    inputs = torch.rand(4, 5, 2)
    lengths = torch.tensor([5, 1, 3, 5])
    back, same = Sequences.from_padded(inputs, lengths).take(torch.arange(4))
    mask = torch.arange(5) < lengths[:, None]
    assert torch.equal(same, lengths)
    assert torch.equal(back[mask], inputs[mask])
    assert not back[~mask].any()


def test_sequences_of_one_length_are_the_padded_tensor():
    inputs = torch.rand(4, 5, 2)
    back, _ = Sequences.from_padded(inputs, torch.full((4,), 5)).take(torch.tensor([3, 1]))
    assert torch.equal(back, inputs[[3, 1]])


def test_extended_keeps_what_was_there_and_adds_the_rest():
    more = ragged().like(torch.tensor([[4, 4, 9], [7, 9, 9]]), torch.tensor([2, 1]))
    extended = ragged().joined(more)
    inputs, lengths = extended.take(torch.arange(6))
    rows = [row[:n] for row, n in zip(inputs.tolist(), lengths.tolist(), strict=True)]
    assert rows == [*TOKENS, [4, 4], [7]]


def test_parts_joined_are_the_whole():
    whole = ragged()
    joined = whole.between(0, 2).joined(whole.between(2, 4))
    assert torch.equal(joined.values, whole.values)
    assert torch.equal(joined.offsets, whole.offsets)


@pytest.mark.parametrize(
    ("inputs", "lengths", "message"),
    [
        (torch.zeros(2, 3, dtype=torch.int64), torch.tensor([1, 4]), r"1 \.\. 3"),
        (torch.zeros(2, 3, dtype=torch.int64), torch.tensor([0, 2]), r"1 \.\. 3"),
        (torch.zeros(2, 3, dtype=torch.int64), torch.tensor([1]), "as many"),
        (torch.zeros(2, 3, 4), torch.tensor([1, 1]), "both be"),
        (torch.zeros(2, 3), torch.tensor([1, 1]), "both be"),
    ],
)
def test_extended_refuses_what_does_not_fit(inputs, lengths, message):
    with pytest.raises(DataError, match=message):
        ragged().like(inputs, lengths)


def batches_of(lengths, **options):
    batches = EpochBatches(torch.arange(len(lengths)) + 100, 8, lengths=lengths, **options)
    batches.set_epoch(3)
    return [plan.index for plan in batches]


def test_buckets_hold_every_sample_once_and_waste_less_padding():
    lengths = torch.randint(1, 200, (501,), generator=torch.Generator().manual_seed(0))

    def padded_steps(batches):
        return sum(int(lengths[b - 100].max()) * len(b) for b in batches)

    bucketed = batches_of(lengths, bucket_batches=20, shuffle=True)
    chance = batches_of(lengths, bucket_batches=1, shuffle=True)
    assert torch.cat(bucketed).sort().values.tolist() == list(range(100, 601))
    assert len(bucketed) == len(chance) == 63
    # Without padding it would be lengths.sum(); buckets of 160 come close to it.
    assert padded_steps(bucketed) < 1.12 * int(lengths.sum())
    assert padded_steps(chance) > 1.5 * int(lengths.sum())
    # Short batches do not come first.
    first = torch.cat(bucketed[:30])
    assert 60 < float(lengths[first - 100].float().mean()) < 140


def test_buckets_depend_on_seed_and_epoch_alone():
    lengths = torch.arange(1, 65)
    one = batches_of(lengths, bucket_batches=4, shuffle=True, seed=1)
    torch.rand(3)
    same = batches_of(lengths, bucket_batches=4, shuffle=True, seed=1)
    other = batches_of(lengths, bucket_batches=4, shuffle=True, seed=2)
    assert all(map(torch.equal, one, same))
    assert not all(map(torch.equal, one, other))


def test_buckets_change_nothing_where_lengths_are_equal():
    equal = batches_of(torch.full((40,), 7), bucket_batches=4, shuffle=True)
    none = batches_of(torch.full((40,), 7), bucket_batches=1, shuffle=True)
    assert all(map(torch.equal, equal, none))
