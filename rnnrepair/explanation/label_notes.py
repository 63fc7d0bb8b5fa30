"""What is told of the label of a failure, and of those around it."""

from rnnrepair.explanation.findings import Findings, real

# Near copies told by their names; the table has all of them.
TOLD = 3


def is_suspect(found: Findings, row: int) -> bool:
    """Return whether a label at a failure is suspect; a pattern may explain that.

    It does not explain that the same input has another label in training.
    """
    shared = found.patterns_of(found.failures[row].index)
    return bool(found.doubt.suspect[row] & (found.doubt.copied[row] or not shared))


def is_own(found: Findings, row: int) -> bool:
    """Return whether what is suspect is the label of the failure itself."""
    return bool(found.doubt.own[row] | found.doubt.copied[row])


def suspect_told(found: Findings, row: int) -> str:
    """Say which labels are suspect at a failure and why, or why none is; empty for nothing."""
    if found.doubt.explained[row]:
        value = found.doubt.shared[int(found.doubt.explained_by[row])]
        return (
            f"Most training samples with {value.name} look mislabelled: they "
            "are, or what has this value differs"
        )
    if not found.doubt.suspect[row]:
        return ""
    shared = found.patterns_of(found.failures[row].index)
    if not is_suspect(found, row):
        return (
            f"What it shares ({', '.join(shared)}) may be why {why_suspect(found, row)}: look at "
            "that first; or its label is wrong"
        )
    whose = "LABEL SUSPECT" if is_own(found, row) else "LABELS OF NEIGHBOURS SUSPECT"
    return f"{whose}: {why_suspect(found, row)}"


def why_suspect(found: Findings, row: int) -> str:
    """Say what speaks against the label of a failure, or those around it; empty for nothing."""
    told = []
    if found.doubt.own[row]:
        told.append(_odds_told(found, row))
    if found.doubt.neighbours[row]:
        told.append("most neighbours that speak for the prediction look mislabelled themselves")
    if found.doubt.copied[row]:
        copies = real(found.doubt.copies[row])
        named = ", ".join(found.numbered(copies[:TOLD]))
        more = f" and {len(copies) - TOLD} more" if len(copies) > TOLD else ""
        told.append(f"near copies in training carry another label (samples {named}{more})")
    return "; ".join(told)


def _odds_told(found: Findings, row: int) -> str:
    """Say what odds are: of two counts of labels, multiplied."""
    failure, names = found.failures[row], found.names
    label, predicted = names.of_class(failure.label), names.of_class(failure.predicted)
    n_voters, odds = found.doubt.copies.shape[1], float(found.doubt.odds[row])
    return (
        f"training samples like it are labelled {predicted} rather than {label}, odds "
        f"{odds:.0f} to 1 (the {n_voters} nearest by last state times the {n_voters} nearest "
        "by input)"
    )
