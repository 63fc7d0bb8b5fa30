"""Numbers as people read them."""

import math

NO_NUMBER = "\N{EN DASH}"
_MINUS = "\N{MINUS SIGN}"


def percent(share: float | None) -> str:
    """Return a share in percent, a dash where there is none.

    Example:
        >>> percent(0.8754), percent(None) == percent(float("nan")) == NO_NUMBER
        ('87.5%', True)
    """
    return NO_NUMBER if share is None or not math.isfinite(share) else f"{share:.1%}"


def points(change: float) -> str:
    """Return the change of a share in percentage points.

    Example:
        >>> points(0.031), points(0.0)
        ('+3.1 points', '±0.0 points')
    """
    if not math.isfinite(change):
        return NO_NUMBER
    return f"{signed(round(100 * change, 1), '.1f')} points"


def signed(change: float, spec: str = "") -> str:
    """Return a number with a true minus, a plus, or plus-minus where it is 0.

    Example:
        >>> signed(0), signed(12)
        ('±0', '+12')
    """
    sign = "±" if change == 0 else "+" if change > 0 else _MINUS
    return sign + format(abs(change), spec)


def count(n: int, noun: str = "") -> str:
    """Return a number of things.

    Example:
        >>> count(1, "round"), count(47680, "candidate"), count(3001)
        ('1 round', '47,680 candidates', '3,001')
    """
    return f"{n:,}" + (f" {noun}{'' if n == 1 else 's'}" if noun else "")


def duration(seconds: float) -> str:
    """Return a time in the units that suit its size.

    Example:
        >>> duration(0.04), duration(6.84), duration(87.7), duration(7500)
        ('0.04 s', '6.8 s', '1 min 28 s', '2 h 5 min')
    """
    if seconds < 59.95:
        return f"{seconds:.2g} s" if seconds < 1 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def number(value: float) -> str:
    """Return three significant digits, a dash for what is no number.

    Example:
        >>> number(0.17008), number(0.0), number(1234.5)
        ('0.17', '0', '1,234')
    """
    if not math.isfinite(value):
        return NO_NUMBER
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
