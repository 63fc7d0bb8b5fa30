"""Numbers are told apart from others, and read as they are."""

import pytest

from rnnrepair.sequences.written import written


@pytest.mark.parametrize(
    ("value", "resolution", "text"),
    [
        (101543.2, 5.0, "101543"),
        (101543.2, 0.5, "101543.2"),
        (101543.2, 1e4, "102000"),
        (-1310.4, 0.0, "-1310"),
        (1.7e9, 0.0, "1700000000"),
        (1_732_968_123.0, 10.0, "1732968120"),
        (0.00456, 1e-5, "0.00456"),
        (3e-7, 0.0, "3e-07"),
        (1.0, 1e-9, "1"),
        (0.0, 0.1, "0"),
        (float("inf"), 0.1, "inf"),
    ],
)
def test_a_number_has_as_many_digits_as_say_something(value, resolution, text):
    assert written(value, resolution) == text
