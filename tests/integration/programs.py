"""Programs as a user starts them: processes of their own, with arguments, folder and output.

To import the libraries takes longer than most of what programs do in tests. A server imports them
once, and forks itself for every program.
"""

import atexit
import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {"WANDB_MODE": "offline", "OMP_NUM_THREADS": "1"}
IMPORTED = ("rnnrepair.callbacks.launch", "rnnrepair.callbacks", "matplotlib.pyplot", "pandas")
SECONDS = 300

_server = multiprocessing.get_context("forkserver")
_server.set_forkserver_preload(list(IMPORTED))


def run_program(
    folder: Path, path: Path | str, *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end.

    Args:
        folder: where it runs.
        path: of the program, from the root of the repository.
        arguments: of the command line.

    Returns:
        Its exit status and what it has printed.
    """
    with tempfile.TemporaryDirectory() as printed:
        files = [Path(printed) / name for name in ("out", "err")]
        started = str(ROOT / path), arguments, folder, {**os.environ, **ENVIRONMENT}, files
        process = _server.Process(target=_run, args=started)
        process.start()
        process.join(SECONDS)
        late = process.exitcode is None
        process.kill()
        process.join()
        out, err = (file.read_text("utf-8") for file in files)
        assert not late, f"{path} ran for more than {SECONDS} s: {out}{err}"
        return subprocess.CompletedProcess(arguments, process.exitcode, out, err)


def _run(
    path: str,
    arguments: tuple[str, ...],
    folder: Path,
    environment: Mapping[str, str],
    files: list[Path],
) -> None:
    import torch

    for number, file in zip((1, 2), files, strict=True):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT), number)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    # What Python does before a program begins.
    sys.argv = [path, *arguments]
    sys.path = [str(Path(path).parent), *(p for p in sys.path if p and Path(p) != ROOT)]
    torch.set_num_threads(1)  # OMP_NUM_THREADS is read on import
    try:
        runpy.run_path(path, run_name="__main__")
    finally:
        # Processes of multiprocessing leave without.
        atexit._run_exitfuncs()
