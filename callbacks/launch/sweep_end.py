"""Says at the end of a multirun which jobs failed. The one callback of Hydra's, not Lightning's."""

import logging
import sys
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig
from typing_extensions import override

from rnnrepair.runs.jobs import jobs_of, outcome_lines, words_of

log = logging.getLogger(__name__)


class SweepEnd(Callback):
    """Names the jobs of this command that failed, once all are done, and lets it fail."""

    def __init__(self) -> None:
        """Remember nothing yet."""
        self._before = set[tuple[str, int, int]]()

    @override
    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        self._before = words_of(Path(config.hydra.sweep.dir))

    @override
    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        folder = Path(config.hydra.sweep.dir)
        jobs = jobs_of(folder, self._before)
        failed = outcome_lines(jobs)
        log.info(
            "%d jobs were run, %d of them finished: %s",
            len(jobs),
            len(jobs) - len(failed),
            folder,
        )
        for line in failed:
            log.error("Failed: %s", line)
        if failed:
            log.error("Mend what is wrong and go on with hydra.sweep.dir=%s.", folder)
            sys.exit(1)
