"""Look between networks: ``python scripts/interpolate.py run=<folder> [factor=val | factor=.75]``.

Prints what networks between the unrepaired and the final one of a run repair and break, and enters
the way into its record, its summary and its page, as ``repair.interpolate=true`` does at the end of
a run. With ``factor`` it writes one of them to ``checkpoints/interpolated.ckpt``.
"""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import hydra
import torch
from omegaconf import DictConfig

from rnnrepair.atomic import write_file
from rnnrepair.callbacks.launch.finished import FinishedFolder, inject_again
from rnnrepair.callbacks.launch.refused_overrides import telling_refusals
from rnnrepair.callbacks.launch.threads import use_threads
from rnnrepair.callbacks.launch.unknown_keys import check_keys
from rnnrepair.callbacks.launch.user_errors import ending_in_one_line
from rnnrepair.errors import ConfigurationError, IncompatibleCheckpointError
from rnnrepair.network import verified
from rnnrepair.record import Interpolation, Repair, RunRecord, write_curve, write_summary
from rnnrepair.repair import curve_of, interpolated
from rnnrepair.report import print_interpolation, write_page
from rnnrepair.scores import Monitor

# What there is for runs of programs of one's own.
OWN = (
    "repair_chain(interpolate=True, output_dir=...) in your program looks between the networks "
    "when training ends"
)

log = logging.getLogger("interpolate")

# In checkpoints/ of a run; and the factor that is not a number.
NAME, VAL = "interpolated.ckpt", "val"


def interpolate(cfg: DictConfig) -> Interpolation:
    """Find the way of a run, and write all that is told of it; return it.

    Raises:
        ConfigurationError: no such factor.
        IncompatibleCheckpointError: the run has not ended, repairs no network, or was made of other
            data.
    """
    _check_factor(cfg.factor)
    use_threads(cfg.threads)
    finished = FinishedFolder.open(Path(cfg.run).expanduser(), cfg.data_dir, OWN)
    record = RunRecord.load(finished.folder)
    if record.repair is None:
        raise IncompatibleCheckpointError(
            f"run={finished.folder} has counted targets and repaired no network, so nothing is "
            "between: name a run of callbacks=repair."
        )
    unrepaired, saved = finished.checkpoint("base"), finished.checkpoint()
    data = finished.data(saved)
    way = _way(finished, record.repair, Monitor(record.monitor), unrepaired, saved, data)
    record = replace(record, repair=replace(record.repair, interpolation=way))
    record.save(finished.folder)
    write_summary(record, finished.folder)
    table = write_curve(way, finished.folder)
    inject_again(data, saved)  # the page shows injected samples
    write_page(finished.folder, data)
    print_interpolation(way)
    log.info("Written: %s", table)
    if cfg.factor is not None:
        factor = way.factor if cfg.factor == VAL else cfg.factor
        weights = interpolated(unrepaired["state_dict"], saved["state_dict"], factor)
        path = finished.folder / "checkpoints" / NAME
        with write_file(path) as draft:
            torch.save({**saved, "state_dict": weights, "factor": factor}, draft)
        log.info("Written: %s, the network at factor %g", path, factor)
    return way


def _check_factor(factor: Any) -> None:
    is_number = isinstance(factor, int | float) and not isinstance(factor, bool)
    if not (factor is None or factor == VAL or (is_number and 0 <= factor <= 1)):
        raise ConfigurationError(
            f"factor={factor!r}: expected a number from 0 (unrepaired) to 1 (final), or {VAL} for "
            "the best on val."
        )


def _way(
    finished: FinishedFolder,
    repair: Repair,
    monitor: Monitor,
    unrepaired: dict[str, Any],
    saved: dict[str, Any],
    data: Any,
) -> Interpolation:
    module = finished.network(data, saved)
    collector = finished.cfg.callbacks.get("trace_collector") or {}
    network = verified(module, data, collector.get("tap"))
    # In the end the repair split is trained on.
    answers = {split: of for split, of in repair.answers.items() if split != "repair"}
    curve = curve_of(
        module,
        unrepaired["state_dict"],
        lambda split: network.predict(data.loader(split)),
        {split: of.unrepaired for split, of in answers.items()},
        {split: of.final for split, of in answers.items()},
    )
    return Interpolation.of(curve, monitor)


@hydra.main(version_base="1.3", config_path="../configs", config_name="interpolate")
def main(cfg: DictConfig) -> None:
    """Interpolate; what a user can mend ends the program with one line."""
    with ending_in_one_line(log):
        check_keys(cfg, "interpolate")
        interpolate(cfg)


if __name__ == "__main__":
    with telling_refusals("interpolate"):
        main()
