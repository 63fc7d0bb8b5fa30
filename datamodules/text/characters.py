"""Texts as characters: what a reader takes for one, whatever it is written with."""

import unicodedata

# Joins what stands around it to one sign: families of emoji, ligatures of Indian scripts.
JOINER = "\u200d"


def characters(text: str) -> list[str]:
    """Return the characters of a text; joined, they are the text in Unicode's form NFC.

    Combining marks (accents, vowel signs, variation selectors, tones of skin) and what a joiner
    joins stay with the character that they stand behind, two letters of a flag are one character.
    White space of any length is one blank, none at the ends.
    """
    found: list[str] = []
    for sign in " ".join(unicodedata.normalize("NFC", text).split()):
        if found and _continues(found[-1], sign):
            found[-1] += sign
        else:
            found.append(sign)
    return found


def _continues(before: str, sign: str) -> bool:
    """Return whether a sign belongs to the character before it."""
    if before == " ":
        return False
    marks = unicodedata.category(sign).startswith("M") or "\U0001f3fb" <= sign <= "\U0001f3ff"
    flag = _is_regional(sign) and len(before) == 1 and _is_regional(before)
    return marks or flag or sign == JOINER or before.endswith(JOINER)


def _is_regional(sign: str) -> bool:
    return "\U0001f1e6" <= sign <= "\U0001f1ff"
