"""How one module is read, once that is known: states and answers after each step."""

from dataclasses import dataclass

import torch
from torch import Tensor

from rnnrepair.errors import ConfigurationError
from rnnrepair.network.cut import cut_steps
from rnnrepair.network.hooked import HookedModule, Pass
from rnnrepair.network.prefixes import ONE_CALL, SORTED, Readout, in_one_call
from rnnrepair.network.replay import Replay
from rnnrepair.network.soundness import close
from rnnrepair.network.stream import refuse_no_answers


@dataclass(frozen=True)
class Reading:
    """How a module is read.

    Attributes:
        replay: the module with its hooks.
        readout: how its step predictions are found.
        told: all of it in one line, for people.
        depends_on_padding: whether a sequence is answered otherwise in a longer batch.
    """

    replay: Replay
    readout: Readout
    told: str
    depends_on_padding: bool = False

    @property
    def network(self) -> HookedModule:
        """The module with its hooks."""
        return self.replay.network

    def steps(self, seen: Pass, logits: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return (B, T', d) states, (B, T', C) logits after each step, and (B,) lengths.

        Args:
            seen: of the sequences, longest first.
            logits: (B, C) the module's answers to them.

        Raises:
            ConfigurationError: the logits of last steps are not the module's answers, although they
                were on the sequences that it was verified on.
            NonFiniteError: the module answers NaN.
        """
        if self.readout == Readout.CUT:
            hidden, steps, lengths = cut_steps(self.network, seen.batch)
        else:
            hidden, lengths = seen.hidden, self.network.lengths(seen)
        last = torch.arange(len(lengths)), lengths - 1
        if self.readout in ONE_CALL:
            steps = in_one_call(self.replay, seen, self.readout)
            if self.depends_on_padding or close(steps[last], logits):
                return hidden, steps, lengths
        if self.readout != Readout.CUT:
            # Training may have made more count than that.
            steps = self.replay.every_prefix(seen, lengths)
        if not self.depends_on_padding and not close(steps[last], logits):
            refuse_no_answers(logits, seen.batch.index)
            raise ConfigurationError(
                f"{self.told}: on these sequences its answers are not those of their last steps: "
                f"its states {SORTED}; else give it a method trace(batch)."
            )
        return hidden, steps, lengths
