"""What is known of the jobs of a multirun: which ended, which failed and why."""

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from rnnrepair.atomic import write_file

FILE = "job.json"


class Status(StrEnum):
    """How far a job has come."""

    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"


@dataclass(frozen=True)
class Job:
    """One job of a multirun.

    Attributes:
        folder: of its run.
        fingerprint: of its configuration.
        status: see ``Status``.
        overrides: what it was called with.
        objective: what it returned.
        error: why it failed.
    """

    folder: Path
    fingerprint: str
    status: Status
    overrides: tuple[str, ...] = ()
    objective: float | None = None
    error: str = ""

    @property
    def number(self) -> str:
        """Its number in the multirun: the name of its folder up to a dash."""
        return self.folder.name.partition("-")[0]

    @classmethod
    def read(cls, folder: Path) -> "Job | None":
        """Return what a folder says of its job, None where it says nothing."""
        path = folder / FILE
        if not path.is_file():
            return None
        known = json.loads(path.read_text(encoding="utf-8"))
        return cls(
            folder,
            known["fingerprint"],
            Status(known["status"]),
            tuple(known["overrides"]),
            known["objective"],
            known["error"],
        )

    def write(self) -> None:
        """Leave word in the folder; the file is replaced in one step."""
        content = {name: value for name, value in asdict(self).items() if name != "folder"}
        with write_file(self.folder / FILE) as draft:
            draft.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def words_of(folder: Path) -> set[tuple[str, int, int]]:
    """Return what tells the words of the jobs of a multirun from any that are written later."""
    files = ((path, path.stat()) for path in folder.glob(f"*/{FILE}"))
    return {(path.parent.name, at.st_ino, at.st_mtime_ns) for path, at in files}


def jobs_of(folder: Path, before: Collection[tuple[str, int, int]] = ()) -> list[Job]:
    """Return the jobs of a multirun in the order of their numbers.

    Args:
        folder: of the multirun.
        before: words that are too old, see ``words_of``. Clocks would not tell: they are set.
    """
    names = {name for name, *_ in words_of(folder) - set(before)}
    jobs = [job for name in names if (job := Job.read(folder / name)) is not None]
    return sorted(jobs, key=lambda job: (len(job.number), job.number, job.folder.name))


def finished_before(folder: Path, fingerprint: str) -> Job | None:
    """Return the finished job of this configuration, in this folder or one beside it."""
    for job in jobs_of(folder.parent):
        if job.fingerprint == fingerprint and job.status is Status.FINISHED:
            return job
    return None


def outcome_lines(jobs: Sequence[Job]) -> list[str]:
    """Return a line for every job that failed or did not end."""
    return [
        f"{job.folder.name} ({' '.join(job.overrides)}): {job.error or 'did not end'}"
        for job in jobs
        if job.status is not Status.FINISHED
    ]
