"""Independent random streams by name, so that a change in one stage never shifts another."""

import hashlib

import torch


def derive_seed(seed: int, *names: str | int) -> int:
    """Return a 63-bit seed for the stream called ``names``.

    Args:
        seed: the run's seed.
        names: what the stream is for, for example ``("mixture", epoch)``.

    Example:
        >>> derive_seed(0, "pca") == derive_seed(0, "pca")
        True
        >>> derive_seed(0, "pca") == derive_seed(0, "mixture")
        False
    """
    digest = hashlib.sha256(repr((seed, names)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def torch_generator(seed: int, *names: str | int) -> torch.Generator:
    """Return a CPU generator for the stream called ``names``."""
    return torch.Generator().manual_seed(derive_seed(seed, *names))
