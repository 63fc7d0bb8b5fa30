"""What cleaning has done, in one line."""

from rnnrepair.record import Cleaned, SplitAnswers
from rnnrepair.scores import Monitor, confusion, score


def cleaning_line(cleaned: Cleaned, val: SplitAnswers, monitor: str) -> str:
    """Return what was mended and taken back, and val before and after.

    Args:
        cleaned: what was done.
        val: answers of the unrepaired and the final network.
        monitor: the score, see ``Monitor``.
    """
    told = [
        f"labels: {cleaned.relabelled} relabelled, {cleaned.reweighted} drawn less often, "
        f"{cleaned.removed} removed; changes taken back, injected samples included: "
        f"{cleaned.taken_back}"
    ]
    if cleaned.estimated_wrong is not None:
        told.append(
            "if wrong labels are spread at random, at most "
            f"{cleaned.estimated_wrong:.1%} of them were wrong"
        )
    if cleaned.withheld:
        told.append(f"{cleaned.withheld} failures without samples, for their labels are in doubt")
    before, after = (
        score(confusion(val.label, answer), Monitor(monitor)) for answer in (val.before, val.after)
    )
    told.append(f"{Monitor(monitor).value} on val {before:.4f} before, {after:.4f} after")
    return "; ".join(told)
