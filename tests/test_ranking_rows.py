"""The smallest of each row, against a stable sort."""

import pytest
import torch

from rnnrepair.influence.ranking import smallest_of_rows


@pytest.mark.parametrize("n", [1, 5, 6, 40, 700])
@pytest.mark.parametrize("values", [2, 7, 100_000])
def test_the_smallest_of_rows_are_those_of_a_stable_sort(n, values):
    top = 5
    distance = torch.randint(values, (50, n), generator=torch.Generator().manual_seed(n)).float()
    distance[::3, : n // 2] = torch.inf
    found = smallest_of_rows(distance.clone(), top)
    column = distance.argsort(dim=1, stable=True)[:, :top]
    k = column.shape[1]
    assert torch.equal(found.row[:, :k], column)
    assert torch.equal(found.distance[:, :k], distance.gather(1, column))
    assert (found.row[:, k:] == -1).all()
    assert found.distance[:, k:].isinf().all()


def test_nothing_is_smallest_of_rows_without_columns():
    found = smallest_of_rows(torch.zeros(3, 0), 2)
    assert found.row.tolist() == [[-1, -1]] * 3
