"""What is read where: inputs as symbols, with what stands around them and what the network says.

Tokens are symbols. The values of a channel become symbols by their level, and equal ones that
follow each other are read as one.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from rnnrepair.influence.transitions import previous_code
from rnnrepair.influence.view import TrainingView
from rnnrepair.network import TracedNetwork
from rnnrepair.sequences import Names, SequenceBatch
from rnnrepair.sequences.written import written
from rnnrepair.traces import Traces

# Levels of equal width between the smallest and the largest value of a channel.
LEVELS = 8
# Training sequences fetched at a time.
AT_A_TIME = 2000


@dataclass(frozen=True)
class Readings:
    """R readings of V symbols: each a run of equal symbols in one channel of one sequence.

    Attributes:
        symbol: (R,) int64.
        row: (R,) int64 sequences.
        first: (R,) int64 position of the run's first step among all S steps.
        end: (R,) int64 position behind its last step.
        before: (R,) int64 symbol that was read before, V at the start.
        after: (R,) int64 symbol that is read next, V at the end.
        code: (R,) int64 previous state and prediction, see ``previous_code``.
        said: (R,) int64 step prediction before the run, -1 at the start.
        ends: (R,) int64 final prediction of the sequence: an answer may follow steps later.
        share: (V + 1,) float64 share of the symbols at all S steps; V stands for the start, and has
            that of the sequences.
        bounds: V smallest and largest inputs that are the symbol.
        names: V symbols for people.
        are_tokens: whether symbols are tokens, or the levels of a channel.
    """

    symbol: Tensor
    row: Tensor
    first: Tensor
    end: Tensor
    before: Tensor
    after: Tensor
    code: Tensor
    said: Tensor
    ends: Tensor
    share: Tensor
    bounds: list[tuple[float, float]]
    names: list[str]
    are_tokens: bool

    @property
    def n_symbols(self) -> int:
        """V."""
        return len(self.names)

    def joined(self, low: int, high: int, name: str) -> "Readings":
        """Return the readings with the symbols ``low`` .. ``high`` as one, which is called so."""
        n, width = self.n_symbols, high - low

        def new(symbol: Tensor) -> Tensor:
            # Those above move down; V, which stands for the start, with them.
            return torch.where(symbol > high, symbol - width, symbol.clamp_max(low))

        symbol, before = new(self.symbol), new(self.before)
        begins = symbol != before
        own = torch.ones(n + 1, dtype=torch.int64).scatter(0, torch.arange(low + 1, high + 1), 0)
        share = torch.zeros(n + 1 - width, dtype=torch.float64)
        share.index_add_(0, own.cumsum(0) - 1, self.share)
        ends = self.bounds[low][0], self.bounds[high][1]
        # The last run of what is joined ends it.
        last = torch.cat([begins[1:], begins.new_ones(1)])
        return Readings(
            symbol[begins],
            self.row[begins],
            self.first[begins],
            self.end[last],
            before[begins],
            new(self.after)[last],
            self.code[begins],
            self.said[begins],
            self.ends[begins],
            share,
            [*self.bounds[:low], ends, *self.bounds[high + 1 :]],
            [*self.names[:low], name, *self.names[high + 1 :]],
            self.are_tokens,
        )


def steps_are_inputs(network: TracedNetwork, batch: SequenceBatch) -> bool:
    """Return whether a network makes a step of each input, so that it is known what a step reads.

    Args:
        network: verified.
        batch: a few sequences.
    """
    (read,) = network.steps([batch])
    return torch.equal(read.lengths.cpu(), batch.lengths)


def read_channels(view: TrainingView) -> Iterator[Readings]:
    """Yield the readings of every channel of the training data; tokens are one channel."""
    traces, spec = view.traces, view.network.spec
    if traces.token is not None:
        token = traces.token.long()
        n = 1 + int(token.max())
        bounds = [(float(number), float(number)) for number in range(n)]
        names = Names.of(spec).of_tokens(torch.arange(n))
        yield readings_of(traces, token, bounds, names)
        return
    values = torch.cat([_steps(view, part) for part in traces.index.split(AT_A_TIME)])
    for channel in range(values.shape[1]):
        level, bounds = levels(values[:, channel].contiguous())
        names = [level_name(view, channel, low, high) for low, high in bounds]
        yield readings_of(traces, level, bounds, names)


def level_name(view: TrainingView, channel: int, low: float, high: float) -> str:
    """Return what people are told of the values of a channel between two."""
    called = Names.of(view.network.spec).of_channel(channel)
    return f"channel {called} from {written(low)} to {written(high)}"


def levels(values: Tensor) -> tuple[Tensor, list[tuple[float, float]]]:
    """Return (S,) int64 levels of (S,) values, and the smallest and largest value of each level.

    A value on an edge, as whole numbers often are, is of the level above.
    """
    edges = torch.linspace(float(values.min()), float(values.max()), LEVELS + 1)
    below = torch.nextafter(edges[1:-1], edges[:1])
    largest = torch.cat([below, edges[-1:]])
    bounds = list(zip(edges[:-1].tolist(), largest.tolist(), strict=True))
    return torch.bucketize(values, edges[1:-1], right=True), bounds


def readings_of(
    traces: Traces, symbol: Tensor, bounds: list[tuple[float, float]], names: list[str]
) -> Readings:
    """Return the readings of one channel.

    Args:
        traces: N of them.
        symbol: (S,) int64 of each step.
        bounds: of the V symbols.
        names: of those.
    """
    n_symbols = len(names)
    before = traces.previous(symbol, n_symbols)
    begins = before != symbol
    first = begins.nonzero()[:, 0]
    end = torch.cat([first[1:], first.new_tensor([len(symbol)])])
    at_end = torch.isin(end, traces.offsets[1:])
    after = torch.where(at_end, n_symbols, symbol[end.clamp_max(len(symbol) - 1)])
    row = torch.arange(len(traces)).repeat_interleave(traces.lengths)
    said = traces.previous(traces.prediction.long(), -1)
    count = torch.cat([symbol.bincount(minlength=n_symbols), torch.tensor([len(traces)])])
    return Readings(
        symbol[first],
        row[first],
        first,
        end,
        before[first],
        after,
        previous_code(traces)[first],
        said[first],
        traces.final_prediction[row[first]],
        count.double() / count.sum(),
        bounds,
        names,
        traces.token is not None,
    )


def _steps(view: TrainingView, index: Tensor) -> Tensor:
    """Return the (s, F) inputs of some sequences, one behind the other."""
    batch = view.fetch(index)
    return batch.inputs[batch.mask].flatten(1)
