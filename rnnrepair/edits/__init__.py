"""Label-preserving edits of images, series and tokens: augmentation and repair draw from them."""

from rnnrepair.edits.edit import IDENTITY, Edit, EditBatch
from rnnrepair.edits.family import EditFamily, fitted
from rnnrepair.edits.hidden_tokens import check_hidden
from rnnrepair.edits.image_edits import ImageEdits
from rnnrepair.edits.ranged_edits import RangedEdits
from rnnrepair.edits.registry import apply_edits, check_known
from rnnrepair.edits.series_edits import SeriesEdits
from rnnrepair.edits.swept_edits import SweptEdits
from rnnrepair.edits.token_edits import TokenEdits

__all__ = [
    "IDENTITY",
    "Edit",
    "EditBatch",
    "EditFamily",
    "ImageEdits",
    "RangedEdits",
    "SeriesEdits",
    "SweptEdits",
    "TokenEdits",
    "apply_edits",
    "check_hidden",
    "check_known",
    "fitted",
]
