"""What reduced states depend on beside the network and the data."""

from pathlib import Path

from rnnrepair import network
from rnnrepair.abstraction.fit import AbstractionSettings
from rnnrepair.fingerprint import fingerprint_config, fingerprint_files

# Files of the abstraction that shape reduced states.
REDUCING = ("collect.py", "collect_splits.py", "fit.py", "reduced.py", "reduction.py")


def reduction_fingerprint(settings: AbstractionSettings, tap: str | None) -> str:
    """Return a digest of how hidden states are read and reduced, the code of that included.

    Reduced states depend on the reduction alone, not on how states are grouped.

    Args:
        settings: of the abstraction.
        tap: name of the layer whose outputs are the states, where the user named one.
    """
    return fingerprint_config(
        {
            "dims": settings.reduction_dims,
            "sequences": settings.fit_sequences,
            "seed": settings.seed,
            "tap": tap,
            "code": fingerprint_files(
                [
                    *(Path(__file__).with_name(name) for name in REDUCING),
                    *Path(network.__path__[0]).glob("*.py"),
                ]
            ),
        }
    )
