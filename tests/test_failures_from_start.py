"""The control that trains twice, the second time on the mistakes."""

from dataclasses import replace

import pytest
import torch

from rnnrepair.errors import SettingsError
from rnnrepair.repair import FailuresFromStart
from rnnrepair.sequences import COPY


@pytest.fixture
def context(repair_case):
    """A round in which the network gets every eighth training sample wrong."""
    correct = torch.arange(len(repair_case.context.originals)) % 8 != 0
    return replace(repair_case.context, original_correct=correct)


@pytest.mark.parametrize("times", [4, 6])
def test_mistakes_of_both_splits_are_seen_as_often_as_said(context, repair_case, times):
    made = FailuresFromStart(times).propose(context, 1000)
    failures = context.evidence.failures.index
    mistakes = {*context.originals[~context.original_correct].tolist(), *failures.tolist()}
    index, copies = made.parent.unique(return_counts=True)
    assert set(index.tolist()) == mistakes
    assert int(copies.max() - copies.min()) <= 1
    n_all = sum(len(repair_case.data.indices(split)) for split in ("fit", "repair"))
    drawn = (len(context.originals) - len(made)) / n_all
    seen = (drawn + len(made) / len(mistakes)) / drawn
    assert seen == pytest.approx(times, rel=0.05)
    assert torch.equal(made.inputs, context.fetch(made.parent).inputs)
    # Augmentation edits copies as it does their originals.
    assert (made.region == COPY).all()


def test_copies_end_with_the_budget_and_serve_all_failures(context):
    made = FailuresFromStart(100).propose(context, 1)
    assert sorted(made.failure.tolist()) == list(range(len(context.evidence)))


def test_settings_are_checked():
    with pytest.raises(SettingsError, match="times"):
        FailuresFromStart(times=0)
