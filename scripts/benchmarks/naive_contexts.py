"""Context matches as they were published: transitions as strings, every suffix searched for.

Source: docs/method.md 5.3, with the delimiter that the original lacks.
"""

from rnnrepair.traces import Traces

Step = tuple[int, int, int]


def transitions(traces: Traces, row: int) -> list[Step]:
    """Return (code before, token, code after) of every step; the first comes from START."""
    own = slice(int(traces.offsets[row]), int(traces.offsets[row + 1]))
    code = traces.code[own].tolist()
    tokens = traces.token[own].tolist()  # type: ignore[index]
    return list(zip([traces.n_codes, *code], tokens, code, strict=False))


def as_text(steps: list[Step]) -> str:
    """Return transitions as one string, each between bars."""
    return "|" + "|".join(" ".join(map(str, step)) for step in steps) + "|"


def common_run(context: list[Step], candidate: list[Step]) -> int:
    """Return the length of the longest suffix of the context that the candidate contains."""
    text = as_text(candidate)
    run = 0
    while run < len(context) and as_text(context[-run - 1 :]) in text:
        run += 1
    return run


def longest_runs(fit: Traces, failures: Traces, row: int, step: int, label: int) -> dict[int, int]:
    """Return, for every training sequence of a label that comes to the state, its run."""
    context = transitions(failures, row)[:step]
    reached = context[-1][2] if context else None
    found = {}
    for sample in range(len(fit)):
        if int(fit.label[sample]) != label:
            continue
        steps = transitions(fit, sample)
        if reached is None or any(after == reached for _, _, after in steps):
            found[int(fit.index[sample])] = common_run(context, steps)
    return found
