"""Finds out how a foreign module is read, and checks it on real sequences."""

import math
from contextlib import nullcontext
from functools import partial

import torch
from torch import Tensor, nn

from rnnrepair.errors import NonFiniteError
from rnnrepair.network.calls import Call, Form, FoundCall, find_call
from rnnrepair.network.candidates import suggested
from rnnrepair.network.hooked import UNFIT, called
from rnnrepair.network.masks import settle_masks
from rnnrepair.network.perturbed import perturbed
from rnnrepair.network.prefixes import Readout, find_readout
from rnnrepair.network.reading import Reading
from rnnrepair.network.refusal import refusal
from rnnrepair.network.snapshot import unchanged
from rnnrepair.network.soundness import check_alone, check_labels, check_same_again, close
from rnnrepair.network.steps_axis import check_goes_along_steps
from rnnrepair.network.tapped import NoTapError, find_network
from rnnrepair.network.views import LABELS
from rnnrepair.network.watch import Watch
from rnnrepair.sequences import DataSpec, SequenceBatch
from rnnrepair.tensors import tensors_in

# Noise on weights may make what a module returns so many times as large.
STEEP = 100


def inspect(
    module: nn.Module,
    spec: DataSpec,
    batch: SequenceBatch,
    tap: str | None,
    call: Call | None,
    form: Form,
) -> Reading:
    """Find out how a module is read; it is left as it was.

    Args:
        module: in evaluation mode.
        spec: of the data.
        batch: a few sequences, longest first; B, T, F and C all different.
        tap: name of the layer whose outputs are the states; found where None.
        call: calls the module; found where None.
        form: in which training is given a batch.

    Raises:
        ConfigurationError: it cannot be read; says what was tried, and what to write.
        NonFiniteError: it answers NaN.
    """
    found = call if call is not None else find_call(module, batch, form)
    usual = _largest(module, found, batch)
    with perturbed(module, lambda: _largest(module, found, batch) <= STEEP * (1 + usual)):
        if isinstance(found, FoundCall):
            found = settle_masks(module, found, batch)
        told = found.told if isinstance(found, FoundCall) else "(as call= says)"
        read = partial(_inspect, module, found, told, batch, spec.n_classes)
        try:
            return read(tap)
        except NoTapError as error:
            taps = suggested(module, found, batch, spec.n_classes, read)
            raise refusal(module, told, str(error), taps) from error


def _inspect(
    module: nn.Module,
    call: Call,
    told: str,
    batch: SequenceBatch,
    n_classes: int,
    tap: str | None,
) -> Reading:
    watch = Watch()
    network, seen = find_network(module, call, told, batch, n_classes, tap, watch)
    check_goes_along_steps(network, seen, told)
    together = network.decoder(seen.output, len(batch))
    _check_numbers(module, together, batch)
    check_same_again(network, call, batch, told, watch)
    if LABELS in told:
        check_labels(network, batch, told)
    alone = check_alone(network, batch, told)
    _check_numbers(module, alone, batch)
    replay, readout, note = find_readout(network, seen, alone, told)
    if watch.drawing and readout == Readout.CUT:
        reason = f"it draws random numbers ({', '.join(sorted(watch.drawing))}), and {note}"
        raise refusal(module, told, reason)
    network.around = nullcontext()
    names = {part: name for name, part in module.named_modules()}
    line = [
        f"{type(module).__name__}{told}",
        f"states of {names[network.tap]} ({type(network.tap).__name__})",
        f"returns {network.decoder.told}",
        f"after each step: {readout.value}",
    ]
    if note:
        line.append(note)
    if watch.drawing:
        line.append(f"its answers are noisy: it draws random numbers ({sorted(watch.drawing)})")
    depends = not close(together, alone)
    if depends:
        line.append("its answers depend on the padding of a batch")
    return Reading(replay, readout, "; ".join(line), depends)


def _largest(module: nn.Module, call: Call, batch: SequenceBatch) -> float:
    """Return the largest number that the module returns, infinity for NaN.

    It is 0 where the call fails: that is told of elsewhere.
    """
    try:
        with unchanged(module):
            found = list(tensors_in(called(module, call, batch)))
    except UNFIT:
        return 0.0
    sizes = [float(t.detach().abs().max()) for t in found if t.is_floating_point() and t.numel()]
    return torch.inf if any(math.isnan(size) for size in sizes) else max(sizes, default=0.0)


def _check_numbers(module: nn.Module, answers: Tensor, batch: SequenceBatch) -> None:
    if bool(answers.isnan().any()):
        row = int(answers.isnan().any(1).nonzero()[0])
        raise NonFiniteError(
            f"{type(module).__name__} answers NaN to sequence {int(batch.index[row])}: check its "
            "weights and the data."
        )
