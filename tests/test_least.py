"""The least of rows are those that sorting finds, whatever their width."""

import pytest
import torch

from rnnrepair.patterns.least import least, least_with_columns


@pytest.mark.parametrize("m", [1, 2, 5, 8, 25, 128, 129])
@pytest.mark.parametrize("k", [1, 3, 5])
def test_they_are_those_of_a_stable_sort(m, k):
    k = min(k, m)
    distance = torch.rand(40, 6, m, generator=torch.Generator().manual_seed(m))
    # Ties, zeros and what is never near.
    distance = (8 * distance).round() / 8
    distance[::7] = torch.inf
    distance[3, 2, m // 2 :] = torch.inf
    expected = distance.sort(dim=2, stable=True)
    values, columns = least_with_columns(distance, k)
    assert torch.equal(values, expected.values[..., :k])
    assert torch.equal(columns, expected.indices[..., :k])
    assert torch.equal(least(distance, k), expected.values[..., :k])


def test_small_and_large_distances_keep_their_order_and_rows_may_lie_anywhere():
    distance = torch.tensor([[2e-38, 0.0, 3e38, 4e-38, torch.inf]]).repeat(3, 1)
    values, columns = least_with_columns(distance.T.contiguous().T, 4)
    assert columns[0].tolist() == [1, 0, 3, 2]
    assert torch.equal(values[2], distance[2, [1, 0, 3, 2]])
