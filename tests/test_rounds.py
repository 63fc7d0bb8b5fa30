"""When a repair stops, and why."""

import pytest

from rnnrepair.repair import StopReason, reason_to_stop

GOING_ON = {
    "n_failures": 9,
    "rounds_made": 1,
    "rounds": 3,
    "room": 10,
    "val_accuracy": [0.90, 0.91],
    "patience": 1,
}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, None),
        ({"rounds_made": 0, "val_accuracy": [0.9]}, None),
        ({"rounds_made": 3}, StopReason.ROUNDS_DONE),
        ({"rounds_made": 3, "n_failures": 0}, StopReason.ROUNDS_DONE),
        ({"n_failures": 0}, StopReason.NO_FAILURES),
        ({"room": 0}, StopReason.SHARE_REACHED),
        ({"room": -1}, StopReason.SHARE_REACHED),
        ({"val_accuracy": [0.90, 0.90]}, StopReason.NO_GAIN_ON_VAL),  # equal is no gain
        ({"val_accuracy": [0.90, 0.89]}, StopReason.NO_GAIN_ON_VAL),
        ({"val_accuracy": [0.90, 0.89], "patience": 2}, None),
        (
            {"rounds_made": 2, "val_accuracy": [0.90, 0.89, 0.89], "patience": 2},
            StopReason.NO_GAIN_ON_VAL,
        ),
        ({"rounds_made": 2, "val_accuracy": [0.90, 0.89, 0.92], "patience": 2}, None),
        # A gain before the last rounds does not count.
        (
            {"rounds_made": 3, "rounds": 9, "val_accuracy": [0.8, 0.9, 0.85, 0.89], "patience": 2},
            StopReason.NO_GAIN_ON_VAL,
        ),
    ],
)
def test_repair_stops_for_the_right_reason_when(change, reason):
    assert reason_to_stop(**{**GOING_ON, **change}) is reason


def test_every_reason_has_a_message():
    messages = {reason.message for reason in StopReason}
    assert len(messages) == len(StopReason)
    assert all(messages)
