"""What a repair is refused for before any training."""

import pytorch_lightning as pl
import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.callbacks import (
    ModelCheckpoint,
    StochasticWeightAveraging,
    WeightAveraging,
)

from rnnrepair.callbacks.analysis import log
from rnnrepair.callbacks.epoch_steps import epoch_steps
from rnnrepair.callbacks.final_average import FinalAverage
from rnnrepair.callbacks.trace_collector import TraceCollector
from rnnrepair.callbacks.trajectory_recorder import steps_recorder_of
from rnnrepair.edits import EditFamily, TokenEdits, check_hidden, check_known, fitted
from rnnrepair.patterns import LEAST_INSIDE, columns_without_groups
from rnnrepair.protocols import RepairableData, columns_of_samples, phrases_of
from rnnrepair.repair import RepairStrategy
from rnnrepair.sequences import Fits, check_fits

# Share of the repair texts with unknown words, where training meets none, up to which they are
# passed over instead of refused.
FEW_UNKNOWN = 0.1


def check_made(strategy: object, edits: object) -> None:
    """Refuse names where objects are expected: configurations alone know names.

    Raises:
        MisconfigurationException: says what to import.
    """
    if isinstance(strategy, str):
        raise MisconfigurationException(
            f"strategy: expected an object, got the name {strategy!r}: {_strategy_named(strategy)}."
        )
    if isinstance(strategy, type):
        raise MisconfigurationException(
            f"strategy: expected an object, got the class {strategy.__name__}: "
            f"strategy={strategy.__name__}()."
        )
    if isinstance(edits, str):
        raise MisconfigurationException(
            f"edit: expected an object, got the name {edits!r}: from rnnrepair.edits import "
            "ImageEdits, SeriesEdits or TokenEdits, and give one, such as edit=SeriesEdits()."
        )
    if isinstance(edits, type):
        raise MisconfigurationException(
            f"edit: expected an object, got the class {edits.__name__}: edit={edits.__name__}()."
        )


def _strategy_named(name: str) -> str:
    """Return how the strategy that has a name in configurations is made."""
    below = _all_below(RepairStrategy)
    public = [kind for kind in below if not kind.__name__.startswith("_")]
    kinds = {getattr(kind, "name", ""): kind.__name__ for kind in public}
    kinds |= {"augment": "TrainOnAll", "all": "TrainOnAll"}
    cleans, _, then = name.rpartition("+")
    if cleans == "clean" and then in kinds:
        told = f"import CleanThen, {kinds[then]}, and give strategy=CleanThen({kinds[then]}())"
    elif name in kinds:
        told = f"import {kinds[name]}, and give strategy={kinds[name]}()"
    else:
        names = sorted(set(kinds.values()))
        told = f"import {', '.join(names)}, and give one, such as strategy={names[0]}()"
    return f"from rnnrepair.repair {told}"


def _all_below(kind: type[object]) -> list[type[object]]:
    ours = [k for k in kind.__subclasses__() if k.__module__.startswith("rnnrepair.")]
    return [found for each in ours for found in (each, *_all_below(each))]


def check_data(strategy: RepairStrategy, data: RepairableData, *, resumes: bool) -> None:
    """Refuse data that an earlier fit has left changed, or that lack what a strategy rests on."""
    if data.n_rounds and not resumes:
        raise MisconfigurationException(
            f"The data hold {data.n_injected} repair samples of an earlier fit, in {data.n_rounds} "
            "rounds of changes, so the network would be called unrepaired and is not: make the "
            "data module anew, or undo its rounds with take_back()."
        )
    if strategy.augments and not data.augments:
        raise MisconfigurationException(
            f"The strategy {strategy.name} is training with augmentation, and there is none: give "
            "the data module Augmentation(share, edits) with a share above 0, or choose a strategy "
            "that needs none, such as pattern_from_start or guided."
        )
    if strategy.reads_phrases and phrases_of(data) is None:
        raise MisconfigurationException(
            f"The strategy {strategy.name} is made of labelled phrases, and these data "
            f"({data.source}) know none: take SSTDataModule with the trees themselves "
            "(source=folder or download) and tokenizer=split, let your data module answer "
            "rnnrepair.protocols.KnowsPhrases, or choose a strategy that needs none, such as "
            "ContrastRepair (guided) or FailureRepair (failures)."
        )


def check_edits(strategy: RepairStrategy, edits: EditFamily | None, data: RepairableData) -> None:
    """Refuse a strategy or edits that do not suit the data, and edits that are lacking."""
    parts: list[tuple[str, Fits]] = [("strategy", strategy)]
    if strategy.edits_samples or strategy.augments:
        if edits is None:
            raise MisconfigurationException(
                f"The strategy {strategy.name} edits samples, and no edits are given: "
                "repair_chain(edit=...) or RepairInjection(edits=...), with ImageEdits(), "
                "SeriesEdits() or TokenEdits(), whatever keeps the labels of the data."
            )
        check_known(fitted(edits, data.spec).draw(1, torch.Generator()))
    if edits is not None:
        # Those that the strategy does not draw from too: whoever gives them means them to be used.
        parts.append(("edits", edits))
    check_fits(parts, data.spec)
    strategy.training_edits(edits, data.spec)
    if strategy.edits_samples or strategy.augments:
        check_hidden("edits", edits, data.spec)
    if strategy.lengthens and data.keeps_lengths:
        raise MisconfigurationException(
            f"The strategy {strategy.name} makes longer samples, and these data have no room: "
            "items have further inputs at each step, or one width that the longest sequence fills. "
            "Choose a strategy that edits in place, or pad the items to more steps and let them "
            "tell their length: (inputs, length, label)."
        )
    _check_unknown(strategy, edits, data)


def _check_unknown(
    strategy: RepairStrategy, edits: EditFamily | None, data: RepairableData
) -> None:
    """Refuse to inject unknown words where training meets none; few texts that hold some get none.

    See ``proposed``.
    """
    unknown = data.spec.unknown
    if not strategy.injects or unknown is None or data.trains_unknown():
        return
    hides = strategy.edits_samples and isinstance(edits, TokenEdits)
    holds = torch.cat([torch.eq(b.inputs, unknown).any(1) for b in data.loader("repair")])
    # Only failures can be passed over, and only where samples are all that is made of them.
    spared = 0.0 if strategy.cleans or strategy.starts_anew else FEW_UNKNOWN
    if hides or float(holds.double().mean()) > spared:
        held = "" if hides else f" ({int(holds.sum())} of {len(holds)} texts of repair hold some)"
        raise MisconfigurationException(
            f"Repair samples would hold words that are unknown{held}, and no training text does: "
            "they alone would train the vector of <unk>. Raise min_count of the data module until "
            "rare words of training are unknown too, or let training hide words: "
            "Augmentation(share, TokenEdits())."
        )


def check_trained_on(trainer: pl.Trainer, collector: TraceCollector) -> None:
    """Refuse a training that ends where the first samples are injected or mended."""
    last = trainer.max_epochs
    first = collector.first_analysis(last)
    automatic = trainer.lightning_module.automatic_optimization
    # Lightning itself sets the steps of a trial run.
    counts = automatic and trainer.max_steps >= 0 and not trainer.fast_dev_run  # type: ignore[attr-defined]
    steps = epoch_steps(trainer) if counts else None
    if steps is not None and trainer.max_steps <= first * steps:
        raise MisconfigurationException(
            f"The first repair samples are injected after {first} epochs of {steps} steps each, "
            f"and training ends by then (max_steps={trainer.max_steps}): nothing would be trained "
            "on them. Raise max_steps, or begin earlier (start_epoch)."
        )
    if last == first and collector.should_analyse(first):
        raise MisconfigurationException(
            f"The first repair samples are injected after {first} epochs, and training ends "
            f"there (max_epochs={last}): nothing would be trained on them. Raise max_epochs to "
            f"{first + 1} or more, or begin earlier (start_epoch)."
        )


def check_begins_anew(trainer: pl.Trainer, first: int, called: str) -> None:
    """Refuse to call a network new whose weights nobody puts back; tell one that is trained less.

    Args:
        trainer: with its callbacks.
        first: completed epochs of the unrepaired network.
        called: name of the strategy.
    """
    callbacks = trainer.callbacks  # type: ignore[attr-defined]
    if not any(getattr(callback, "begins_anew", False) for callback in callbacks):
        raise MisconfigurationException(
            f"The strategy {called} trains a new network, and no callback puts the initial weights "
            "back: give the trainer FromScratch() behind RepairInjection (repair_chain does)."
        )
    last = trainer.max_epochs or -1
    if 0 < last < 2 * first:
        log.warning(
            "The new network of %s is trained for %d epochs, the unrepaired one for %d: raise "
            "max_epochs to %d or more.",
            called,
            last - first,
            first,
            2 * first,
        )


def check_initial(collector: TraceCollector, called: str) -> None:
    """Refuse to train a new network from the weights that are to be repaired.

    Args:
        collector: of a training that goes on from no checkpoint.
        called: name of the strategy.
    """
    if collector.calendar.start == 0:
        raise MisconfigurationException(
            f"The strategy {called} trains a new network from the weights that the module begins "
            "with, and those are what is repaired (start_epoch=0): build the module anew, and give "
            "the checkpoint of its training (trainer.fit(..., ckpt_path=...)), with start_epoch at "
            "the epochs that it has made."
        )


def check_in_place(strategy: RepairStrategy, release_epoch: int | None, called: str) -> None:
    """Refuse to train on the repair split where samples take the place of their parents."""
    if strategy.starts_anew or release_epoch is not None:
        raise MisconfigurationException(
            "in_place is for protocols whose repair split may be a part of the test set, and "
            f"the strategy {called} or release_epoch would train on it: choose another strategy, "
            "and release_epoch=None."
        )


def check_teachers(strategy: RepairStrategy, called: str) -> None:
    """Refuse teachers beside a strategy that cleans."""
    if strategy.cleans:
        raise MisconfigurationException(
            f"teachers and the strategy {called} both withhold samples where labels are in doubt: "
            "choose teachers=0, or a strategy that does not clean."
        )


def check_no_steps_kept(trainer: pl.Trainer, called: str) -> None:
    """Refuse to record steps on samples that change: they cannot be made again."""
    if steps_recorder_of(trainer) is not None:
        raise MisconfigurationException(
            f"SGDInfluence makes the steps of training again, and the strategy {called} edits "
            "samples anew in every epoch, or changes labels: leave out TrajectoryRecorder, or "
            "choose another strategy."
        )


def tell_silent_columns(data: RepairableData) -> None:
    """Warn of the user's columns that no pattern can be told by."""
    silent = columns_without_groups(columns_of_samples(data), data.indices("repair"))
    if silent:
        log.warning(
            "No pattern can be told by %s: expected a value that at least %d of the repair "
            "split's samples have, or numbers.",
            ", ".join(silent),
            LEAST_INSIDE,
        )


def check_trainer(trainer: pl.Trainer) -> None:
    """Refuse the settings under which injected samples or their checkpoints get lost."""
    if trainer.reload_dataloaders_every_n_epochs != 1:  # type: ignore[attr-defined]
        raise MisconfigurationException(
            "RepairInjection adds training samples between epochs, and the trainer would never "
            "see them: Trainer(reload_dataloaders_every_n_epochs=1) (it is "
            f"{trainer.reload_dataloaders_every_n_epochs})."  # type: ignore[attr-defined]
        )
    if trainer.overfit_batches:  # type: ignore[attr-defined]
        raise MisconfigurationException(
            "Trainer(overfit_batches) trains on the same few batches for good, so that no repair "
            "sample would be seen: leave it out, or give limit_train_batches."
        )
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        averages = isinstance(callback, WeightAveraging | StochasticWeightAveraging)
        if averages and not isinstance(callback, FinalAverage):
            raise MisconfigurationException(
                f"{type(callback).__name__} ends with an average of networks from before and after "
                "rounds of repair, and analyses see the weights that are averaged. Leave it out, "
                "or take rnnrepair.callbacks.FinalAverage(start_epoch), which begins behind the "
                "repair."
            )
    validates_inside = trainer.check_val_every_n_epoch == 1 and trainer.val_check_interval == 1.0
    for callback in trainer.checkpoint_callbacks:
        late = getattr(callback, "_save_on_train_epoch_end", None)
        if isinstance(callback, ModelCheckpoint) and not late and not validates_inside:
            raise MisconfigurationException(
                "A ModelCheckpoint would save before the repair samples of the epoch are injected, "
                "and a resumed run would lose them: ModelCheckpoint(save_on_train_epoch_end=True)."
            )
