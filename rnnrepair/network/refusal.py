"""What a user is told whose network cannot be read: what was tried, and what to write."""

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from rnnrepair.errors import ConfigurationError
from rnnrepair.network.taps import states_among
from rnnrepair.sequences import SequenceBatch

ADVICE = """    def trace(self, batch):
        # batch.inputs (B, T, F) or (B, T), batch.lengths (B,)
        hidden = ...       # (B, T, d) states
        step_logits = ...  # (B, T, C) what the network would answer after each step
        logits = ...       # (B, C) what it answers
        return RecurrentOutput(logits, step_logits, hidden, batch.lengths)"""


def refusal(module: nn.Module, call: str, reason: str) -> ConfigurationError:
    """Return what is raised.

    Args:
        module: that cannot be read.
        call: how it was called.
        reason: what went wrong.
    """
    name = type(module).__name__
    return ConfigurationError(
        f"{name} cannot be traced. Tried: {name}{call}; {reason}. Name the layer whose outputs are "
        "the states (tap=), or how the module is called (call=), or give it this method (from "
        f"rnnrepair.sequences import RecurrentOutput):\n{ADVICE}"
    )


def candidates(module: nn.Module, run: Callable[[], Any], batch: SequenceBatch) -> list[str]:
    """Return the names of layers that return a state for each step."""
    n_rows, n_steps = batch.inputs.shape[:2]
    shapes: dict[str, list[tuple[int, ...]]] = {}

    def watch(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(_: nn.Module, __: Any, output: Any) -> None:
            output = states_among(output)
            if isinstance(output, Tensor):
                shapes.setdefault(name, []).append(tuple(output.shape))

        return hook

    handles = [m.register_forward_hook(watch(n)) for n, m in module.named_modules() if n]
    try:
        run()
    finally:
        for handle in handles:
            handle.remove()
    return [
        name
        for name, seen in shapes.items()
        if (len(seen) == n_steps and all(len(s) == 2 and s[0] == n_rows for s in seen))
        or any(len(s) == 3 and {s[0], s[1]} == {n_rows, n_steps} for s in seen)
    ]
