"""What the arguments of a module's forward are, by the names that people give them."""

from collections.abc import Sequence

# Without underscores, in small letters.
INPUTS = frozenset(
    [
        *("x", "xs", "input", "inputs", "inp", "data", "features", "feats", "src", "source"),
        *("seq", "seqs", "sequence", "sequences", "series", "signal", "text", "texts", "words"),
        *("token", "tokens", "inputids", "ids", "tokenids", "sentence", "sentences", "image"),
    ]
)
LENGTHS = frozenset(
    [
        *("length", "lengths", "len", "lens", "lengthsx", "nsteps", "numsteps", "steps"),
        *("seqlen", "seqlens", "seqlength", "seqlengths", "sequencelength", "sequencelengths"),
        *("inputlength", "inputlengths", "xlen", "xlens", "xlength", "xlengths"),
        *("textlen", "textlens", "textlength", "textlengths", "validlen", "validlens"),
        *("srclen", "srclens", "srclength", "srclengths", "sentlen", "sentlens", "sentlengths"),
    ]
)
MASKS = frozenset(["mask", "attentionmask", "inputmask", "srcmask", "sequencemask", "validmask"])
PADDING_MASKS = frozenset(["paddingmask", "padmask", "keypaddingmask", "srckeypaddingmask"])
STATES = frozenset(
    [
        *("hidden", "hiddenstate", "hiddenstates", "state", "states", "h", "hx", "h0", "hc", "hn"),
        *("initstate", "initialstate", "inithidden", "initialhidden", "prevstate", "prevhidden"),
        "carry",
    ]
)
LABELS = frozenset(["label", "labels", "y", "target", "targets"])

ROLES = (
    (frozenset(["batch"]), "the whole batch"),
    (LENGTHS, "lengths"),
    (MASKS, "the mask of real steps"),
    (PADDING_MASKS, "the mask of padding"),
    (STATES | LABELS, "None"),
)


def role_of(name: str) -> str | None:
    """Return the view that an argument of this name is given.

    Returns:
        A name of ``VIEWS``, ``"None"`` for nothing, None where nobody can know.
    """
    return next((role for names, role in ROLES if _plain(name) in names), None)


def inputs_among(names: Sequence[str]) -> str | None:
    """Return the argument that takes the inputs: the first of such a name.

    Where none has one, it is the first of all, if its name does not say something else.
    """
    named = next((name for name in names if _plain(name) in INPUTS), None)
    if named is None and names and role_of(names[0]) in {None, "None"}:
        return names[0]
    return named


def _plain(name: str) -> str:
    return name.replace("_", "").lower()
