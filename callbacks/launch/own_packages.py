"""Packages of the user's own: those in the folder that a command is given in are found."""

import sys
from pathlib import Path


def search_in(folder: Path) -> None:
    """Let packages in a folder be imported, before others of their name, as Python itself does."""
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
