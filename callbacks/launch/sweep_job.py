"""Runs one job of a multirun."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from rnnrepair.callbacks.launch.user_errors import told
from rnnrepair.errors import ConfigurationError
from rnnrepair.fingerprint import fingerprint_config
from rnnrepair.runs.jobs import Job, Status, finished_before

log = logging.getLogger(__name__)


def sweep_job(
    cfg: DictConfig,
    overrides: Sequence[str],
    check: Callable[[DictConfig], None],
    objective: Callable[[DictConfig], float | None],
) -> float | None:
    """Run one job of a multirun: not again if it has finished, and without stopping the others.

    A job that was interrupted goes on from its last checkpoint. Whatever goes wrong is written into
    its ``job.json``, so that the end of the multirun can name it.

    Args:
        cfg: composed configuration of the job.
        overrides: that make this job of the multirun.
        check: refuses a configuration that cannot run.
        objective: runs a configuration and returns what a sweeper optimizes.
    """
    folder = Path(cfg.paths.output_dir)
    job = Job(folder, "", Status.RUNNING, tuple(overrides))
    try:
        check(cfg)
        job = replace(job, fingerprint=job_fingerprint(cfg))
        done = finished_before(folder, job.fingerprint)
        if done is not None:
            log.info("Finished before, in %s: not run again (delete that folder to).", done.folder)
            return done.objective
        earlier = Job.read(folder)
        if earlier is not None and earlier.fingerprint not in {"", job.fingerprint}:
            # What that folder holds stays; the refusal is told beside it.
            job = replace(job, folder=folder.with_name(f"{folder.name}-refused"))
            raise ConfigurationError(
                f"{folder} holds another job ({' '.join(earlier.overrides)}): give the command "
                "that it was made with, or another hydra.sweep.dir."
            )
        last = folder / "checkpoints" / "last.ckpt"
        if earlier is not None and cfg.ckpt_path is None and last.is_file():
            log.info("Goes on from %s.", last)
            cfg.ckpt_path = str(last)
        job.write()
        value = objective(cfg)
    except Exception as error:
        reason = told(error)
        if reason is None:
            log.exception("The job failed.")
            reason = f"{type(error).__name__}: {error}"
        else:
            log.error("The job failed: %s", reason)
        replace(job, status=Status.FAILED, error=reason).write()
        return None
    replace(job, status=Status.FINISHED, objective=value).write()
    return value


def job_fingerprint(cfg: DictConfig) -> str:
    """Return a name of the configuration without its folder, and with or without progress bars.

    A job keeps it when its multirun is given other jobs, or goes on without a terminal.
    """
    anywhere = {"paths": {"output_dir": ""}, "trainer": {"enable_progress_bar": True}}
    elsewhere = OmegaConf.merge(cfg, anywhere)
    plain: dict[str, Any] = OmegaConf.to_container(elsewhere, resolve=True)  # type: ignore[assignment]
    return fingerprint_config(plain)[:32]
