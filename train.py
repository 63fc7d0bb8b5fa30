"""Train, analyse and repair: ``python train.py [-m] +experiment=NAME [overrides]``."""

import sys
from pathlib import Path

from rnnrepair import callbacks
from rnnrepair.callbacks.launch import main

if __name__ == "__main__":
    here, installed = (Path(file).resolve().parent for file in (__file__, callbacks.__file__))
    if installed != here / "callbacks":
        # The package beside this file would run with the callbacks of another checkout.
        sys.exit(f"train.py: rnnrepair is installed from {installed.parent}: pip install -e {here}")
    main()
