"""Downloads that appear whole or not at all."""

import logging
from pathlib import Path
from urllib.error import URLError

from torch.hub import download_url_to_file

from rnnrepair.errors import MissingDataError

log = logging.getLogger(__name__)


def download(url: str, path: Path) -> Path:
    """Download a file; it appears whole or not at all. Its reader checks what it holds.

    Raises:
        MissingDataError: it cannot be had; names the URL and the folder to put it into.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        log.info("Downloading %s", url)
        download_url_to_file(url, str(path), progress=False)
    except (URLError, OSError, RuntimeError) as error:
        raise MissingDataError(
            f"the download of {url} failed ({error}): put the file into {path.parent.resolve()} by "
            "hand, or set data_dir (or RNNREPAIR_DATA) to the folder that holds it"
        ) from error
    return path
