"""All wide edits of a kind of data."""

import torch

from rnnrepair.edits.edit import EditBatch
from rnnrepair.edits.image_sweeps import IMAGE_JITTER, image_sweeps
from rnnrepair.edits.series_sweeps import (
    dead_in,
    dead_sweep,
    series_jitter,
    series_sweeps,
)
from rnnrepair.edits.sweep import Sweep
from rnnrepair.errors import DataError
from rnnrepair.sequences import DataSpec, EditRegion, Kind


def sweeps_of(spec: DataSpec) -> list[Sweep]:
    """Return the wide edits of a kind of data; none of texts."""
    if spec.kind == Kind.IMAGE:
        return image_sweeps(spec)
    return series_sweeps(spec) if spec.kind == Kind.SERIES else []


def sweep_of(name: str, spec: DataSpec) -> Sweep | None:
    """Return the wide edit of a name: one of ``sweeps_of``, or dead channels of any choice.

    None where these data have no such edit.
    """
    found = next((sweep for sweep in sweeps_of(spec) if sweep.name == name), None)
    dead = dead_in(name)
    if found is None and spec.kind == Kind.SERIES and dead and dead[-1] < spec.step_width:
        return dead_sweep(spec, dead)
    return found


def still(spec: DataSpec) -> Sweep:
    """Return edits that only vary as all do: what swept ones are compared with."""
    jitter = series_jitter(spec) if spec.kind == Kind.SERIES else IMAGE_JITTER
    return Sweep("still", "as they are", jitter)


def drawn_in(region: EditRegion, n: int, spec: DataSpec, generator: torch.Generator) -> EditBatch:
    """Draw n edits of a region, every size as likely.

    Args:
        region: of a sweep of these data.
        n: edits.
        spec: of the data.
        generator: draws.

    Raises:
        DataError: the data have no such sweep.
    """
    sweep = sweep_of(region.sweep, spec)
    if sweep is None:
        known = ", ".join(each.name for each in sweeps_of(spec)) or "none"
        raise DataError(
            f"Edits {region.sweep}: expected one of {known} for these data: they were found in "
            "other data, or by another version."
        )
    size = torch.rand(n, generator=generator)
    return sweep.draw(region.low + (region.high - region.low) * size, generator)
