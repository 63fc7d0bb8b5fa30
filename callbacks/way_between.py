"""Asks the networks between the unrepaired and the final one."""

from collections.abc import Mapping

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

from rnnrepair.callbacks.analysis import upstream
from rnnrepair.callbacks.base_checkpoint import BaseCheckpoint
from rnnrepair.callbacks.trace_collector import TraceCollector, repairable_data
from rnnrepair.network import Predictions
from rnnrepair.protocols import Split
from rnnrepair.repair import Curve, curve_of


def way_between(
    trainer: pl.Trainer,
    pl_module: pl.LightningModule,
    reader: Callback,
    before: Mapping[Split, Predictions],
    after: Mapping[Split, Predictions],
) -> Curve:
    """Return what each of them repairs and breaks, on all splits but the repair split.

    In the end that may be trained on.

    Args:
        trainer: with the callbacks of the chain and a ``BaseCheckpoint``.
        pl_module: the final network; it is left as it was.
        reader: that asks.
        before: answers of the unrepaired network.
        after: answers of the final one.
    """
    network, data = upstream(trainer, TraceCollector, reader).network, repairable_data(trainer)
    wanted = [split for split in after if split != "repair"]
    return curve_of(
        pl_module,
        upstream(trainer, BaseCheckpoint, reader).weights(),
        lambda split: network.predict(data.loader(split)),
        {split: before[split] for split in wanted},
        {split: after[split] for split in wanted},
    )
