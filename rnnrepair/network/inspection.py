"""Finds out how a foreign module is read, and checks it on real sequences."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from rnnrepair.errors import ConfigurationError, NonFiniteError
from rnnrepair.network.calls import Call, FoundCall, find_call
from rnnrepair.network.hooked import UNFIT, HookedModule, Pass, called
from rnnrepair.network.outputs import find_decoder
from rnnrepair.network.refusal import candidates, refusal
from rnnrepair.network.replay import Replay, first_backward
from rnnrepair.network.taps import Part, playing, recording, recurrent_layers
from rnnrepair.sequences import DataSpec, SequenceBatch

# How far states are moved to see whether an output is bounded.
FAR = 1e4


class Readout(StrEnum):
    """How it is found what the network would answer after each step."""

    OWN = "the module's own trace"
    POINTWISE = "the module's own layers on each state"
    REPLAY = "the module's own layers on the states up to each step"


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


class Squashed(TorchFunctionMode):
    """Keeps what sigmoids and softmaxes return."""

    def __init__(self) -> None:
        """Start with nothing seen."""
        super().__init__()
        self.outputs: list[Tensor] = []

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call the function, and look at its name."""
        output = func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", "")
        if name in {"sigmoid", "sigmoid_", "softmax"} and isinstance(output, Tensor):
            self.outputs.append(output)
        return output


def inspect(
    module: nn.Module, spec: DataSpec, batch: SequenceBatch, tap: str | None, call: Call | None
) -> Reading:
    """Find out how a module is read.

    Args:
        module: in evaluation mode.
        spec: of the data.
        batch: a few sequences, longest first; B, T, F and C all different.
        tap: name of the layer whose outputs are the states; found where None.
        call: calls the module; found where None.

    Raises:
        ConfigurationError: it cannot be read; says what was tried, and what to write.
        NonFiniteError: it answers NaN.
    """
    found = call if call is not None else find_call(module, batch)
    told = found.told if isinstance(found, FoundCall) else "(as call= says)"
    network = HookedModule(module, found, *_tap(module, found, told, batch, tap))
    with Squashed() as squashed:
        seen = network.run(batch)
    network.decoder = find_decoder(
        seen.output, len(batch), spec.n_classes, squashed.outputs, lambda: _far(network, seen)
    )
    alone = torch.cat([_answer_alone(network, batch, row, told) for row in range(len(batch))])
    if bool(alone.isnan().any()):
        row = int(alone.isnan().any(1).nonzero()[0])
        raise NonFiniteError(
            f"{type(module).__name__} answers NaN to sequence {int(batch.index[row])}: check its "
            "weights and the data."
        )
    replay = _replay(network, seen, alone, told)
    readout = _cheapest(replay, seen)
    names = {part: name for name, part in module.named_modules()}
    line = [
        f"{type(module).__name__}{told}",
        f"states of {names[network.tap]} ({type(network.tap).__name__})",
        f"returns {network.decoder.told}",
        f"after each step: {readout.value}",
    ]
    depends = not close(network.decoder(seen.output, len(batch)), alone)
    if depends:
        line.append("its answers depend on the padding of a batch")
    return Reading(replay, readout, "; ".join(line), depends)


def _tap(
    module: nn.Module, call: Call, told: str, batch: SequenceBatch, name: str | None
) -> tuple[nn.Module, list[nn.Module]]:
    """Return the layer whose outputs are the states, and all layers that are watched."""
    layers = recurrent_layers(module)
    if name is not None:
        layers[name] = module.get_submodule(name)
    with recording(list(layers.values())) as recorded:
        try:
            called(module, call, batch)
        except UNFIT as error:
            raise ConfigurationError(refusal(module, told, f"that failed: {error}")) from error
    ran = [r.layer for r in recorded]
    if name is not None and layers[name] not in ran:
        raise ConfigurationError(f"The layer tap={name!r} did not run: name one that does.")
    if not ran:
        others = candidates(module, lambda: called(module, call, batch), batch)
        reason = "no nn.RNN, nn.LSTM, nn.GRU or cell of them ran"
        if others:
            reason += f"; layers that return a state a step: tap= one of {others}"
        raise ConfigurationError(refusal(module, told, reason))
    return ran[-1] if name is None else layers[name], ran


def _far(network: HookedModule, seen: Pass) -> Any:
    """Return the output for states far outside of what training makes."""
    hidden, tap = torch.randn_like(seen.hidden) * FAR, network.tap
    states = None
    if isinstance(tap, nn.RNNBase):  # lower layers and cells may be read, too
        n = tap.num_layers * (2 if tap.bidirectional else 1)
        widths = (tap.proj_size or tap.hidden_size, tap.hidden_size)
        states = tuple(FAR * torch.randn(n, len(hidden), width).to(hidden) for width in widths)
    part = Part(hidden, first_backward(tap, hidden), states, seen.states[seen.tap].one_by_one)
    with playing([(tap, part)]):
        return network.output(seen.batch)


def _answer_alone(network: HookedModule, batch: SequenceBatch, row: int, told: str) -> Tensor:
    one = _alone(batch, row)
    try:
        return network.logits(one)
    except UNFIT as error:
        reason = f"it works on a batch and fails on one sequence of {int(one.lengths[0])} steps"
        message = refusal(network.module, told, f"{reason}: {error}")
        raise ConfigurationError(message) from error


def _alone(batch: SequenceBatch, row: int) -> SequenceBatch:
    """Return one sequence without its padding."""
    return batch.rows(torch.tensor([row]), int(batch.lengths[row]))


def _replay(network: HookedModule, seen: Pass, alone: Tensor, told: str) -> Replay:
    """Return a replay that says of whole sequences what the module says of them."""
    lengths, reasons = network.lengths(seen).tolist(), []
    for reads_all_layers in (False, True):
        replay = Replay(network, reads_all_layers=reads_all_layers)
        try:
            last = torch.cat(
                [replay.prefix(seen, n, torch.tensor([row])) for row, n in enumerate(lengths)]
            )
        except UNFIT as error:
            reasons.append(f"its own layers on recorded states failed: {error}")
            continue
        if close(last, alone):
            return replay
        reasons.append(
            f"its own layers on recorded states answer {_example(last, alone)}: something passes "
            "the states by"
        )
    raise ConfigurationError(refusal(network.module, told, reasons[-1]))


def _cheapest(replay: Replay, seen: Pass) -> Readout:
    """Whether each state can be read by itself, which takes one call instead of T."""
    if replay.reads_all_layers:
        return Readout.REPLAY
    try:
        points = replay.every_state(seen)
    except UNFIT:
        return Readout.REPLAY
    lengths = replay.network.lengths(seen)
    longest = int(lengths.max())
    for n in sorted({1, min(2, longest), (longest + 1) // 2, longest}):
        rows = (lengths >= n).nonzero()[:, 0]
        if not close(points[rows, n - 1], replay.prefix(seen, n, rows)):
            return Readout.REPLAY
    return Readout.POINTWISE


def close(left: Tensor, right: Tensor) -> bool:
    """Whether two ways to the same logits agree: sums in another order, and in half precision."""
    coarse = left.dtype in {torch.float16, torch.bfloat16}
    scale = 50.0 if coarse else 1.0
    return torch.allclose(left.float(), right.float(), rtol=1e-3 * scale, atol=1e-4 * scale)


def _example(found: Tensor, expected: Tensor) -> str:
    row = int((found - expected).abs().nan_to_num(torch.inf).amax(1).argmax())
    left, right = ([round(float(v), 3) for v in logits[row]] for logits in (found, expected))
    return f"{left}, the module itself {right}"
