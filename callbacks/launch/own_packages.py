"""Packages of the user's own: those in the folder that a command is given in are found."""

import sys
from pathlib import Path


def search_in(folder: Path) -> None:
    """Let packages in a folder be imported; what is found elsewhere comes first."""
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
