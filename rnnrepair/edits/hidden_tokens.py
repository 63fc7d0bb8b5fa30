"""What hidden tokens become in data that have a meaning for it."""

from rnnrepair.edits.token_edits import TokenEdits
from rnnrepair.errors import ConfigurationError
from rnnrepair.sequences import DataSpec


def check_hidden(what: str, edits: object, spec: DataSpec) -> None:
    """Refuse edits that hide tokens by one that means something else.

    Args:
        what: the argument that chose the edits.
        edits: any.
        spec: of the data.

    Raises:
        ConfigurationError: they would hide words by padding, which networks mask, or by another
            token than the one for unknown words.
    """
    if not isinstance(edits, TokenEdits):
        return
    if spec.unknown is not None and edits.unknown != spec.unknown:
        raise ConfigurationError(
            f"{what}: hidden words become token {edits.unknown}, and unknown words are token "
            f"{spec.unknown} in these data: TokenEdits(unknown={spec.unknown})."
        )
    if edits.unknown == spec.padding:
        raise ConfigurationError(
            f"{what}: hidden words become token {edits.unknown}, which stands behind the end of "
            "shorter texts; a network that masks it would never see them. Give the token of "
            "unknown words: TokenEdits(unknown=...), and unknown=... of the data module."
        )
