"""Says at the end of a multirun which jobs failed. The one callback of Hydra's, not Lightning's."""

import logging
import sys
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig
from typing_extensions import override

from rnnrepair.report.jobs import jobs_of, outcome_lines

log = logging.getLogger(__name__)


class SweepEnd(Callback):
    """Names the jobs that failed, once all are done, and lets the command fail."""

    @override
    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        folder = Path(config.hydra.sweep.dir)
        jobs = jobs_of(folder)
        failed = outcome_lines(jobs)
        log.info("%d of %d jobs finished: %s", len(jobs) - len(failed), len(jobs), folder)
        for line in failed:
            log.error("Failed: %s", line)
        if failed:
            log.error("Give the same command with hydra.sweep.dir=%s to go on.", folder)
            sys.exit(1)
