"""What a pattern was taught by: training samples with its edit."""

import torch
from torch import Tensor

from rnnrepair.edits import apply_edits
from rnnrepair.edits.sweep import sweeps_of
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
    taught = pattern.taught
    wanted = taught.parameters.get("edit")
    sweep = next((s for s in sweeps_of(data.spec) if s.name == wanted), None)
    chosen = taught.samples[:at_most]
    if sweep is None or not chosen:
        return []
    batch = data.fetch(torch.tensor(chosen))
    generator = torch_generator(0, "taught", taught.told)
    low, high = (float(taught.parameters[end]) for end in ("from", "to"))
    place = low + (high - low) * torch.rand(len(chosen), generator=generator)
    edited = apply_edits(batch.inputs, sweep.draw(place, generator), batch.lengths)
    return [one[:n] for one, n in zip(edited, batch.lengths.tolist(), strict=True)]
