"""Every kind of edit by its name."""

from torch import Tensor

from rnnrepair.edits.edit import EditBatch
from rnnrepair.edits.family import EditFamily
from rnnrepair.edits.image_edits import ImageEdits
from rnnrepair.edits.series_edits import SeriesEdits
from rnnrepair.edits.token_edits import TokenEdits
from rnnrepair.errors import ConfigurationError

# By the name that an edit carries. Limits only matter where edits are drawn.
FAMILIES: dict[str, EditFamily] = {
    "image": ImageEdits(),
    "series": SeriesEdits(),
    "hide": TokenEdits(),
}


def apply_edits(inputs: Tensor, edits: EditBatch, lengths: Tensor) -> Tensor:
    """Return (B, T, ...) inputs changed by edits that were drawn before, by whatever family.

    Args:
        inputs: (B, T, F) features or (B, T) tokens.
        edits: B edits of one kind.
        lengths: (B,) steps without padding.

    Raises:
        ConfigurationError: no family makes edits of this kind.
    """
    check_known(edits)
    return FAMILIES[edits.name].apply(inputs, edits, lengths)


def check_known(edits: EditBatch) -> None:
    """Refuse a kind of edit that a ledger could not be read with.

    Raises:
        ConfigurationError: names the kinds that there are.
    """
    if edits.name not in FAMILIES:
        raise ConfigurationError(
            f"There is no kind of edit {edits.name!r}, known are {sorted(FAMILIES)}: enter its "
            "family in FAMILIES of rnnrepair/edits/registry.py, or take the version that made it."
        )
