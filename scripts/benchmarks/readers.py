"""Readers of series: a large ``.ts`` file and a long table, each in a process of its own."""

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from benchmarks.measure import Measure, at_most
from benchmarks.memory import peak_mb, reset_peak
from benchmarks.workbench import Workbench
from rnnrepair.datamodules.series.reading import read_series
from rnnrepair.datamodules.series.tables import Columns

# Of the .ts file: 100 MB of recordings of unequal length.
TS_BYTES, N_CHANNELS, STEPS = 100_000_000, 3, (50, 151)
# Recordings that are made; the file repeats them.
N_BLOCK = 400
# Of the long table.
N_ROWS, N_RECORDING = 10_000_000, 100
# Share of the .ts file that is read by splitting lines, as a reader without numpy would.
NAIVE_SHARE = 0.05


def measure(_: Workbench) -> list[Measure]:
    """Write the files, and read each of them once."""
    with TemporaryDirectory() as folder:
        series, table = Path(folder) / "large.ts", Path(folder) / "long.csv"
        write_ts(series)
        write_long(table)
        fresh = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=fresh) as pool:
            ts = pool.submit(read, series).result()
        with ProcessPoolExecutor(1, mp_context=fresh) as pool:
            long = pool.submit(read, table).result()
        naive_s = read_naively(series) / NAIVE_SHARE
        start = time.perf_counter()
        pd.read_csv(table)
        pandas_s = time.perf_counter() - start
    return [
        Measure(
            "reader of .ts files",
            ts["seconds"],
            "s",
            f"{ts['file_mb']:.0f} MB; splitting lines would take {naive_s:.1f} s",
            at_most(10),
            ts,
        ),
        Measure(
            "memory of that reader",
            ts["peak_mb"] / ts["file_mb"],
            "x",
            f"peak {ts['peak_mb']:.0f} MB above libraries, for {ts['file_mb']:.0f} MB",
            at_most(3),
        ),
        Measure(
            "reader of long tables",
            long["seconds"],
            "s",
            f"{N_ROWS:,} rows, {long['file_mb']:.0f} MB; pandas alone reads them in "
            f"{pandas_s:.1f} s",
            at_most(30),
            long,
        ),
    ]


def read(path: Path) -> dict[str, float]:
    """Return seconds and megabytes of reading a file."""
    reset_peak()
    before, start = peak_mb(), time.perf_counter()
    read_series(path, Columns("id", "time", "label", None, {}, None))
    seconds = time.perf_counter() - start
    return {
        "seconds": seconds,
        "peak_mb": peak_mb() - before,
        "file_mb": path.stat().st_size / 1e6,
    }


def read_naively(path: Path) -> float:
    """Return the seconds of splitting the lines of a part of the file into floats."""
    n_bytes, start = NAIVE_SHARE * path.stat().st_size, time.perf_counter()
    seen = 0
    with path.open() as file:
        for line in file:
            seen += len(line)
            if line[0] != "@":
                *channels, _ = line.split(":")
                np.array([[float(value) for value in channel.split(",")] for channel in channels])
            if seen > n_bytes:
                break
    return time.perf_counter() - start


def write_ts(path: Path) -> None:
    """Write recordings of unequal length until the file is large."""
    random = np.random.default_rng(0)

    def line(number: int) -> str:
        n_steps = random.integers(*STEPS)
        channels = random.normal(size=(N_CHANNELS, n_steps)).round(5).astype(str)
        return ":".join([*(",".join(channel) for channel in channels), "abc"[number % 3]]) + "\n"

    block = "".join(map(line, range(N_BLOCK))).encode()
    with path.open("wb") as file:
        file.write(b"@problemName large\n@univariate false\n@classLabel true a b c\n@data\n")
        for _ in range(-(-TS_BYTES // len(block))):
            file.write(block)


def write_long(path: Path) -> None:
    """Write a table of a row for each step, one channel."""
    row = np.arange(N_ROWS)
    value = np.random.default_rng(0).normal(size=N_ROWS).round(4)
    pd.DataFrame(
        {
            "id": row // N_RECORDING,
            "time": row % N_RECORDING,
            "x": value,
            "label": np.array(["rest", "walk"])[row // N_RECORDING % 2],
        }
    ).to_csv(path, index=False)
