"""Labels that differ by blanks or by case alone: told, or made one class."""

import logging
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence

log = logging.getLogger(__name__)


def one_spelling(
    labels: Sequence[str], source: str, *, merge: bool, classes: Sequence[str] = ()
) -> list[str]:
    """Return n labels, each class of labels that differ by blanks or case alone under one name.

    The name is one of ``classes`` where one of them is spelled so, else the most frequent spelling
    without the blanks around it. Where they are not merged, a warning tells them.

    Args:
        labels: n names of classes.
        source: what the warning calls the data.
        merge: whether to merge them.
        classes: names that are known to be right.
    """
    spellings: dict[str, Counter[str]] = defaultdict(Counter)
    for label, n in Counter(labels).items():
        spellings[_folded(label)][label] += n
    known = {_folded(name): name for name in reversed(classes)}
    if merge:
        name = {
            folded: known.get(folded, found.most_common(1)[0][0].strip())
            for folded, found in spellings.items()
        }
        return [name[_folded(label)] for label in labels]
    several = {
        folded: sorted({*found, *([known[folded]] if folded in known else [])})
        for folded, found in spellings.items()
    }
    # Names of a header or of an argument may differ on purpose.
    apart = {folded for folded, names in several.items() if set(names) <= set(classes)}
    told = [names for folded, names in several.items() if len(names) > 1 and folded not in apart]
    if told:
        log.warning(
            "%s: labels differ by blanks or case alone, such as %s, and are classes of their own: "
            "set strip_labels=true to make them one.",
            source,
            told[0],
        )
    return list(labels)


def _folded(label: str) -> str:
    """Return what two spellings of one name have in common."""
    return " ".join(unicodedata.normalize("NFC", label).casefold().split())
