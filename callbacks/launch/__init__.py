"""From a Hydra configuration to a finished run: what ``train.py`` and ``rnnrepair-train`` do."""

from rnnrepair.callbacks.launch.build import Run, build
from rnnrepair.callbacks.launch.main import main
from rnnrepair.callbacks.launch.plan import plan_epochs

__all__ = ["Run", "build", "main", "plan_epochs"]
