"""Studies of a network that is trained already, for programs of one's own."""

import logging
from collections.abc import Sequence
from pathlib import Path

from torch import nn

from rnnrepair.abstraction import AbstractionSettings
from rnnrepair.callbacks.analysis import log
from rnnrepair.callbacks.study_runner import run_studies
from rnnrepair.fingerprint import fingerprint_tensors
from rnnrepair.influence import TrainingDynamics
from rnnrepair.network import verified
from rnnrepair.network.calls import Call
from rnnrepair.progress import bars_if, bars_shown
from rnnrepair.protocols import RepairableData, set_up
from rnnrepair.record import RunRecord
from rnnrepair.report import write_page
from rnnrepair.studies import FinishedRun, Study, Train


def study_network(
    module: nn.Module,
    data: RepairableData,
    studies: Sequence[Study],
    *,
    output_dir: str | Path,
    settings: AbstractionSettings | None = None,
    tap: str | None = None,
    call: Call | None = None,
    dynamics: TrainingDynamics | None = None,
    train: Train | None = None,
    told: str = "as it was given",
    progress: bool = True,
) -> None:
    """Ask a trained network the questions of studies, and write tables, figures and a page.

    While a network is trained, ``StudyRunner`` among the callbacks does so when training ends.

    Args:
        module: any recurrent classifier, with its weights.
        data: that it was trained on, as they came: nothing injected, no labels mended.
        studies: to run, in this order.
        output_dir: gets ``study/`` and ``report.html``. The page of a run that is there is left
            as it is: ``scripts/report.py`` writes it again, the studies included.
        settings: how hidden states are grouped, where a study does not say otherwise.
        tap: name of the layer whose outputs are the states; found where None.
        call: calls the network with a batch; found where None.
        dynamics: what training has shown of each sample, where somebody has recorded it.
        train: trains the network again, for studies that want it.
        told: which network it is, for the reader, such as ``after 12 epochs``.
        progress: show progress bars, and print what studies conclude.

    Raises:
        ConfigurationError: the network cannot be read, the data are no data module for this, or a
            study does not fit them.
    """
    with bars_shown(progress):
        set_up(data)
    folder = Path(output_dir)
    run = FinishedRun(
        verified(module, data, tap, call),
        data,
        settings or AbstractionSettings(),
        progress=bars_if(progress),
        told=told,
        dynamics=dynamics,
        train=train,
    )
    concluded = run_studies(
        run, studies, folder, weights=fingerprint_tensors(*module.state_dict().values())
    )
    if RunRecord.is_in(folder):
        log.info(
            "%s is the page of a run and was left as it is: scripts/report.py run=%s adds the "
            "studies to it.",
            folder / "report.html",
            folder,
        )
    else:
        write_page(folder, data)
    # A program without logging would see nothing.
    if progress and not log.isEnabledFor(logging.INFO):
        print("\n".join([*concluded, f"Tables, figures and the page: {folder}"]))
