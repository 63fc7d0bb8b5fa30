"""What a pattern was taught by: training samples with its edit."""

import torch
from torch import Tensor

from rnnrepair.edits import apply_edits
from rnnrepair.edits.sweeps import drawn_in, sweep_of
from rnnrepair.record import FoundPattern
from rnnrepair.report.cards import ShownData
from rnnrepair.seeding import torch_generator


def taught_inputs(pattern: FoundPattern, data: ShownData, at_most: int) -> list[Tensor]:
    """Return the training samples nearest to a pattern's edit, each with an edit of its region.

    Args:
        pattern: of a run.
        data: of the run.
        at_most: samples.

    Returns:
        (T, F) features of each; none where no edit explains the pattern.
    """
    region, chosen = pattern.taught.region, pattern.taught.samples[:at_most]
    # A page may be of a run of another version.
    if region is None or sweep_of(region.sweep, data.spec) is None or not chosen:
        return []
    batch = data.fetch(torch.tensor(chosen))
    generator = torch_generator(0, "taught", pattern.taught.description)
    edits = drawn_in(region, len(chosen), data.spec, generator)
    edited = apply_edits(batch.inputs, edits, batch.lengths)
    return [one[:n] for one, n in zip(edited, batch.lengths.tolist(), strict=True)]
