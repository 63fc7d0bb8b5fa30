"""Where a training step makes the network's answers: read there, they cost no pass of their own."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from rnnrepair.network.outputs import Decoder, possible_decoders
from rnnrepair.network.soundness import close
from rnnrepair.network.training_call import watch_training


@dataclass(frozen=True)
class AnswerInTraining:
    """The call of a part of a module, in its training step, that returns the module's answers.

    Attributes:
        part: of the module, or the module itself.
        name: of the part; empty for the module itself.
        call: which of the calls of the part in one step, from 0.
        decoder: finds the logits of what it returns.
    """

    part: nn.Module
    name: str
    call: int
    decoder: Decoder

    @property
    def told(self) -> str:
        """What is read, for people."""
        where = self.name or "forward"
        return f"{where} ({type(self.part).__name__}), {self.decoder.told}"

    def attach(self, keep: Callable[[Any], None]) -> RemovableHandle:
        """Give ``keep`` what the call returns, once, in the step that follows."""
        number = count()

        def hook(_: nn.Module, __: Any, output: Any) -> None:
            if next(number) == self.call:
                keep(output)

        return self.part.register_forward_hook(hook)


def answer_in_training(
    module: nn.Module, trained_on: Any, logits: Tensor
) -> AnswerInTraining | None:
    """Find the outermost call in a module's training step that returns its answers.

    Any layer will do whose output says the same: a training step may call ``self(...)``, a part of
    the module, or layer after layer. Log-probabilities and logits say the same.

    Args:
        module: in evaluation mode, with a training step; it is left as it was.
        trained_on: B sequences in the form of training.
        logits: (B, C) the module's answers to them.

    Returns:
        None where no part returns them: the step calls ``self.forward`` past the hooks and ends in
        functions of torch, or it changes its inputs first.
    """
    n_rows, n_classes = logits.shape
    answers = logits.log_softmax(-1)
    names = {part: name for name, part in module.named_modules()}
    calls: Counter[nn.Module] = Counter()
    found: list[AnswerInTraining] = []

    def saw(part: nn.Module, output: Any) -> None:
        # At once: a step may go on with an output in place.
        found.extend(
            AnswerInTraining(part, names[part], calls[part], decoder)
            for decoder in possible_decoders(output, n_rows, n_classes)
            if _says(decoder(output, n_rows), answers)
        )
        calls[part] += 1

    watch_training(module, trained_on, saw)
    return found[-1] if found else None


def _says(logits: Tensor, answers: Tensor) -> bool:
    """Whether logits are the same answers, given as log-probabilities."""
    # Rounded as the network rounds, which says how near the two must be.
    said = logits.float().log_softmax(-1).to(logits.dtype)
    return said.device == answers.device and close(said, answers)


def decoded(answer: AnswerInTraining, output: Any, n_rows: int) -> Tensor:
    """Return a copy of the (B, C) float32 logits in what the call returned, without its graph.

    Raises:
        RuntimeError: it is of another number of sequences.
    """
    with torch.no_grad():
        logits = answer.decoder(output, n_rows)
        return logits.detach().to(torch.float32, copy=True)
