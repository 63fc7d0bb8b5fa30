"""Hydra's configuration groups: ``pkg://rnnrepair.configs``."""
