"""Lines of text that belong to the one above them."""


def indented(first: str, *below: str) -> str:
    r"""Return a line, and those of some others that are not empty, indented below it.

    Example:
        >>> indented("sample 7", "", "Segment 2 .. 3.")
        'sample 7\n    Segment 2 .. 3.'
    """
    return "\n    ".join([first, *(line for line in below if line)])
