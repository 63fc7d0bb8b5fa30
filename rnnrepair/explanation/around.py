"""A text in one line, of which the responsible segment must be seen."""

from collections.abc import Sequence

from rnnrepair.record import Span

# Characters of a text that are shown around its responsible segment.
AROUND = 100


def around(words: Sequence[str], segment: Span, separator: str) -> str:
    """Return a text in one line: the segment in brackets, and what stands around it.

    Words are added on both sides in turn while ``AROUND`` characters hold them.

    Example:
        >>> around("it was not great".split(), (2, 3), " ")
        'it was [not] great'
    """
    first, end = segment
    start, stop = segment
    room = AROUND - sum(len(word) for word in words[first:end])
    while start > 0 or stop < len(words):
        before = words[start - 1] if start > 0 else ""
        behind = words[stop] if stop < len(words) else ""
        room -= len(before) + len(behind) + 2 * len(separator)
        if room < 0:
            break
        start, stop = max(start - 1, 0), min(stop + 1, len(words))
    parts = [
        separator.join(words[start:first]),
        f"[{separator.join(words[first:end])}]",
        separator.join(words[end:stop]),
    ]
    told = separator.join(part for part in parts if part)
    return f"{'... ' if start > 0 else ''}{told}{' ...' if stop < len(words) else ''}"
