"""Sequences: what kind of data they are, and how they are kept and handed over."""

from rnnrepair.sequences.batch import RecurrentOutput, SequenceBatch
from rnnrepair.sequences.changes import Changes
from rnnrepair.sequences.corrected import Corrected
from rnnrepair.sequences.edit_distance import nearly_equal
from rnnrepair.sequences.edit_region import COPY, EditRegion, joined_regions
from rnnrepair.sequences.named_group import holds_any, value_of_group, word_numbers
from rnnrepair.sequences.names import Names
from rnnrepair.sequences.phrases import Phrases
from rnnrepair.sequences.poison import Poison, Trigger
from rnnrepair.sequences.ragged import Ragged, offsets_of, smallest_int, steps_of
from rnnrepair.sequences.rough_scale import RoughScale, fetching_scaled
from rnnrepair.sequences.sample_names import (
    SampleName,
    SampleNames,
    names_from,
    table_columns,
    value_text,
)
from rnnrepair.sequences.spec import EVERY_KIND, DataSpec, Fits, Kind, Target, check_fits

__all__ = [
    "COPY",
    "EVERY_KIND",
    "Changes",
    "Corrected",
    "DataSpec",
    "EditRegion",
    "Fits",
    "Kind",
    "Names",
    "Phrases",
    "Poison",
    "Ragged",
    "RecurrentOutput",
    "RoughScale",
    "SampleName",
    "SampleNames",
    "SequenceBatch",
    "Target",
    "Trigger",
    "check_fits",
    "fetching_scaled",
    "holds_any",
    "joined_regions",
    "names_from",
    "nearly_equal",
    "offsets_of",
    "smallest_int",
    "steps_of",
    "table_columns",
    "value_of_group",
    "value_text",
    "word_numbers",
]
