"""What a user is told whose network cannot be read: what was tried, and what to write."""

from torch import nn

from rnnrepair.errors import ConfigurationError

ADVICE = """    def trace(self, batch):
        # batch.inputs (B, T, F) or (B, T), .lengths (B,), further .static[name], .beside[name]
        hidden = ...       # (B, T, d) states
        step_logits = ...  # (B, T, C) what the network would answer after each step
        logits = ...       # (B, C) what it answers
        return RecurrentOutput(logits, step_logits, hidden, batch.lengths)"""


def refusal(
    module: nn.Module,
    call: str,
    reason: str,
    taps: str = "Name the layer whose outputs are the states (tap=). ",
    mend: str | None = None,
) -> ConfigurationError:
    """Return what is raised.

    Args:
        module: that cannot be read.
        call: how it was called.
        reason: what went wrong.
        taps: how to name the layer whose outputs are the states.
        mend: what to change in the module, where neither tap nor call would help.
    """
    name = type(module).__name__
    if mend is not None:
        return ConfigurationError(f"{name} cannot be traced. Tried: {name}{call}; {reason}. {mend}")
    return ConfigurationError(
        f"{name} cannot be traced. Tried: {name}{call}; {reason}. {taps}Or say how the module is "
        "called (call=), or give it this method (from rnnrepair.sequences import "
        f"RecurrentOutput):\n{ADVICE}"
    )
