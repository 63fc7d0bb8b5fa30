"""The order in which arrays are given, which differs from that of scikit-learn."""

from typing import Any

from rnnrepair.errors import DataError


def refuse_order(x: Any, y: Any, x_test: Any, y_test: Any) -> None:
    """Refuse what ``train_test_split`` returns, given in the order in which it returns it.

    Raises:
        DataError: says the order.
    """
    sizes = [_size(each) for each in (x, y, x_test, y_test)]
    if None in sizes or sizes[0] == sizes[1]:
        return
    if sizes[0] == sizes[2] and sizes[1] == sizes[3]:
        raise DataError(
            f"The first and the third array have {sizes[0]} entries, the second and the fourth "
            f"{sizes[1]}: expected x, y, x_test, y_test in this order. train_test_split returns x, "
            "x_test, y, y_test."
        )


def _size(values: Any) -> int | None:
    """Return the number of entries, None where that cannot be told."""
    shape = getattr(values, "shape", None)
    if shape is not None:
        return int(shape[0]) if len(shape) else None
    return len(values) if hasattr(values, "__len__") else None
