"""Ledger, influential samples and studies in W&B, where a W&B logger is there."""

from collections.abc import Sequence
from dataclasses import astuple, fields
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import WandbLogger
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from rnnrepair.protocols import names_of_samples
from rnnrepair.record import FoundPattern, Repair
from rnnrepair.repair import LedgerRow
from rnnrepair.report import ShownData
from rnnrepair.report.cards import failure_cards
from rnnrepair.report.studies import WrittenStudy
from rnnrepair.sequences import DataSpec, Kind, Names, SampleNames

MAX_ROWS = 10_000
# Training samples that are listed with what they share with failures.
MAX_ALIKE = 20
# Columns of the table of failures; steps count from 1.
_FAILURE: list[str | int] = [
    *("sample", "failure", "label", "predicted", "step", "nearest_samples", "nearest", "injected")
]
# Columns of the table of what failures have in common.
_PATTERN: list[str | int] = [
    *("pattern", "also", "within", "failures", "error_inside", "error_outside", "p"),
    *("injected", "became", "failing_samples", "training_samples"),
]


def log_tables(
    trainer: pl.Trainer, repair: Repair, ledger: Sequence[LedgerRow], data: ShownData
) -> None:
    """Log the tables to every W&B logger of the trainer."""
    for logger in trainer.loggers:
        if isinstance(logger, WandbLogger):
            _log_tables(logger, repair, ledger[:MAX_ROWS], data)


def _log_tables(
    logger: WandbLogger, repair: Repair, ledger: Sequence[LedgerRow], data: ShownData
) -> None:
    import wandb  # slow import, needed only with this logger

    names, samples = Names.of(data.spec), names_of_samples(data)
    columns: list[str | int] = [f.name for f in fields(LedgerRow)]
    tables = {"repair/ledger": wandb.Table(columns, [list(astuple(row)) for row in ledger])}
    influential = wandb.Table(_FAILURE)
    for card in failure_cards(repair.failures, data):
        near = torch.tensor([found.index for found in card.failure.neighbours], dtype=torch.int64)
        influential.add_data(
            samples.numbered(torch.tensor([card.failure.index]))[0],
            _shown(wandb, [card.inputs], data.spec),
            names.of_class(card.failure.label),
            names.of_class(card.failure.predicted),
            card.failure.step + 1,
            ", ".join(samples.numbered(near)),
            _shown(wandb, card.nearest, data.spec),
            _shown(wandb, card.injected, data.spec),
        )
    tables["influence/samples"] = influential
    if repair.patterns:
        tables["repair/patterns"] = wandb.Table(
            _PATTERN, [_pattern(found, samples) for found in repair.patterns]
        )
    # No step by hand: together with Lightning's own counter it makes tables vanish.
    logger.experiment.log(tables)


def _pattern(found: FoundPattern, samples: SampleNames) -> list[str | float]:
    became = [
        f"{split} {e.before} to {e.after} of {e.samples}" for split, e in found.splits.items()
    ]
    failing, alike = (
        ", ".join(samples.numbered(torch.tensor(index, dtype=torch.int64)))
        for index in (found.failures, found.samples[:MAX_ALIKE])
    )
    return [
        *(found.description, ", ".join(trait.description for trait in found.also), found.within),
        len(found.failures),
        *(found.error_inside, found.error_outside, found.p),
        *(found.injected, "; ".join(became), failing, alike),
    ]


def _shown(wandb: object, samples: Sequence[Tensor], spec: DataSpec) -> object:
    """Return samples side by side as one picture, or as lines of words."""
    if len(samples) == 0:
        return None
    if spec.kind == Kind.TOKENS:
        names = Names.of(spec)
        return "\n".join(names.text_of(tokens) for tokens in samples)
    strip = pad_sequence(list(samples)).flatten(1)
    low, high = float(strip.min()), float(strip.max())
    pixels = (strip - low) / max(high - low, 1e-9) * 255
    return wandb.Image(pixels.byte().numpy())  # type: ignore[attr-defined]


def log_study(logger: WandbLogger, study: WrittenStudy) -> None:
    """Log figures and tables of a study to W&B."""
    import wandb  # slow import, needed only with this logger

    place = f"study/{study.name}"
    entries: dict[str, Any] = {
        f"{place}/{title}": wandb.Image(str(study.picture(title))) for title in study.figures
    }
    entries |= {
        f"{place}/{title}_table": wandb.Table(dataframe=study.table(title))
        for title in study.tables
    }
    logger.experiment.log(entries)
