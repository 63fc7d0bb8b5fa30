"""Numbers as people write them."""

import math

# Digits of a number of which nothing is known, and of a float64 at most.
DIGITS, MOST = 3, 15


def written(value: float, resolution: float = 0.0) -> str:
    """Return a number in three digits, or in as many more as tell it from others.

    Args:
        value: any.
        resolution: difference that says something; 0 where none is known.

    Example:
        >>> written(0.17008), written(1310.2), written(101543.2, resolution=5)
        ('0.17', '1310', '101543')
    """
    digits = DIGITS
    if resolution > 0 and value != 0 and math.isfinite(value):
        wanted = math.floor(math.log10(abs(value))) - math.floor(math.log10(resolution)) + 1
        digits = min(max(DIGITS, wanted), MOST)
    short = f"{value:.{digits}g}"
    # Of measurements, an exponent is for what is too small to write otherwise.
    return f"{float(short):.0f}" if "e+" in short and abs(value) < 10**MOST else short
