"""Collects the reduced states of whole splits of a data module."""

from collections.abc import Iterable

from rnnrepair.abstraction.collect import Collected, collect
from rnnrepair.abstraction.fit import AbstractionSettings, pca_sample
from rnnrepair.network import TracedNetwork
from rnnrepair.progress import Progress, silent
from rnnrepair.protocols import RepairableData, Split

# Sequences a step while the sample of the PCA is read.
SAMPLE_BATCH = 500


def collect_splits(
    network: TracedNetwork,
    data: RepairableData,
    splits: Iterable[Split],
    settings: AbstractionSettings,
    progress: Progress = silent,
) -> Collected:
    """Run the network once over some splits, and once over the sample that the PCA sees.

    Args:
        network: verified.
        data: set up.
        splits: of the data; ``fit`` with the samples that are injected.
        settings: of the abstraction.
        progress: see ``Progress``.
    """
    parts = pca_sample(data.indices("fit"), settings).split(SAMPLE_BATCH)
    return collect(
        network,
        (data.fetch(part) for part in progress(parts, "a sample")),
        {split: progress(data.loader(split), split) for split in splits},
        settings.reduction_dims,
    )
