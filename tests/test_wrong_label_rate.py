"""How many labels are wrong, from votes alone, against planted ones."""

import pytest
import torch

from rnnrepair.influence.labels import linear_labels, regression_labels, wrong_label_rate
from rnnrepair.influence.labels import neighbour_labels as neighbours

N = 2000


def neighbour_labels(features, label, n_classes):
    return neighbours(features, label, n_classes)[0]


def overlapping(n_classes, n=N, seed=0, apart=2.0):
    """Classes of which a few samples in a hundred lie on the side of another."""
    g = torch.Generator().manual_seed(seed)
    label = torch.arange(n) % n_classes
    # A class may be wider than another, and its samples harder.
    width = 0.6 + 0.6 * (label == 0)
    centre = apart * torch.nn.functional.one_hot(label, 6)
    return (centre + width[:, None] * torch.randn(n, 6, generator=g)).numpy(), label


def planted(label, n_classes, share, only=None, seed=1):
    """Labels of which a share is another class, of one class alone where ``only`` names it."""
    g = torch.Generator().manual_seed(seed)
    wrong = torch.rand(len(label), generator=g) < share
    if only is not None:
        wrong &= label == only
    step = torch.randint(1, n_classes, (len(label),), generator=g)
    return torch.where(wrong, (label + step) % n_classes, label), wrong


@pytest.mark.parametrize("judge", [neighbour_labels, linear_labels, regression_labels])
@pytest.mark.parametrize("n_classes", [2, 5])
@pytest.mark.parametrize("share", [0.05, 0.1, 0.3])
def test_planted_labels_are_counted(judge, n_classes, share):
    features, label = overlapping(n_classes)
    given, wrong = planted(label, n_classes, share)
    found = wrong_label_rate(judge(features, given, n_classes), given)
    is_wrong = float(wrong.float().mean())
    # It is a limit: of few wrong labels the fourth that tells is a small count.
    assert 0.85 * is_wrong < found < 1.2 * is_wrong + 0.025


@pytest.mark.parametrize("judge", [neighbour_labels, linear_labels, regression_labels])
@pytest.mark.parametrize("n_classes", [2, 5])
def test_right_labels_of_hard_samples_are_not_counted(judge, n_classes):
    features, label = overlapping(n_classes)
    votes = judge(features, label, n_classes)
    hard = float((votes.argmax(1) != label).float().mean())
    assert hard > 0.02
    assert wrong_label_rate(votes, label) < hard / 3


def test_labels_wrong_in_one_class_alone_are_counted():
    features, label = overlapping(2)
    given, wrong = planted(label, 2, 0.3, only=1)
    found = wrong_label_rate(neighbour_labels(features, given, 2), given)
    is_wrong = float(wrong.float().mean())
    assert 0.85 * is_wrong < found < 1.25 * is_wrong


def test_a_class_without_samples_is_nobodys():
    features, label = overlapping(2)
    votes = neighbour_labels(features, label, 2)
    none = torch.full((len(votes), 1), 0.0, dtype=votes.dtype)
    assert wrong_label_rate(torch.cat([none, votes], 1), label + 1) < 0.03


def test_what_is_added_to_all_votes_for_a_class_changes_nothing():
    """Votes that neglect a class do so for its wrong labels too."""
    features, label = overlapping(2)
    given, _ = planted(label, 2, 0.1)
    votes = linear_labels(features, given, 2).double()
    moved = votes + torch.tensor([0.0, 0.25])
    assert wrong_label_rate(moved, given) == pytest.approx(wrong_label_rate(votes, given))


def test_few_samples_tell_nothing():
    features, label = overlapping(2, n=100)
    assert wrong_label_rate(neighbour_labels(features, label, 2), label) == 1
