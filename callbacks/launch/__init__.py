"""From a Hydra configuration to a finished run: what ``train.py`` and ``rnnrepair-train`` do."""

from rnnrepair.callbacks.launch.build import Run, build
from rnnrepair.callbacks.launch.main import main
from rnnrepair.callbacks.launch.plan import plan_epochs
from rnnrepair.callbacks.launch.resolvers import register_open_sections, register_resolvers

__all__ = ["Run", "build", "main", "plan_epochs"]

# Hydra imports this package wherever a job runs, on another machine too (configs/hydra).
register_resolvers()
register_open_sections()
