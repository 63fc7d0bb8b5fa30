"""What step predictions cost that the module's own code must make from every prefix."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from benchmarks.measure import Measure, at_most, in_turns, seconds_of
from benchmarks.workbench import Workbench
from rnnrepair.network import TracedNetwork
from rnnrepair.network.evaluating import evaluating
from rnnrepair.sequences import DataSpec, SequenceBatch

N_FEATURES, N_UNITS, N_CLASSES = 28, 100, 10
# Steps of a sequence, how many sequences, how many in a batch, and the factor that is asked for.
SIZES = ((28, 4000, 500, 2), (250, 400, 100, 5))


class MeanPooled(nn.Module):
    """An LSTM whose states are averaged."""

    def __init__(self) -> None:
        """Draw its weights."""
        super().__init__()
        self.rnn = nn.LSTM(N_FEATURES, N_UNITS, batch_first=True)
        self.head = nn.Linear(N_UNITS, N_CLASSES)

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return (B, C) logits."""
        states, _ = self.rnn(inputs)
        real = torch.arange(inputs.shape[1]) < lengths[:, None]
        return self.head((states * real[..., None]).sum(1) / lengths[:, None])


class BothDirections(nn.Module):
    """An LSTM in both directions, read at both ends."""

    def __init__(self) -> None:
        """Draw its weights."""
        super().__init__()
        self.rnn = nn.LSTM(N_FEATURES, N_UNITS, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * N_UNITS, N_CLASSES)

    def forward(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Return (B, C) logits."""
        packed = nn.utils.rnn.pack_padded_sequence(
            inputs, lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        _, (last, _) = self.rnn(packed)
        return self.head(torch.cat([last[0], last[1]], 1))


def measure(bench: Workbench) -> list[Measure]:
    """Time collection against the pass of the network alone, on random sequences."""
    rows = []
    for kind in (MeanPooled, BothDirections):
        for n_steps, n_rows, batch_size, factor in SIZES:
            rows.append(_measure(bench, kind(), n_steps, n_rows, batch_size, factor))
    return rows


def _measure(
    bench: Workbench, module: nn.Module, n_steps: int, n_rows: int, batch_size: int, factor: int
) -> Measure:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(n_rows, n_steps, N_FEATURES, generator=generator)
    lengths = torch.randint(n_steps // 2, n_steps + 1, (n_rows,), generator=generator)
    label = torch.randint(N_CLASSES, (n_rows,), generator=generator)
    whole = SequenceBatch(torch.arange(n_rows), inputs, lengths, label)

    def batches() -> Iterator[SequenceBatch]:
        return (whole.rows(rows) for rows in torch.arange(n_rows).split(batch_size))

    def alone() -> None:
        with evaluating(module):
            for batch in batches():
                module(batch.inputs, batch.lengths)

    def traced() -> None:
        for _ in network.steps(batches()):
            pass

    network = TracedNetwork.of(module, DataSpec("series", N_FEATURES, N_CLASSES))
    network.verify(whole.rows(slice(200)))
    seconds = in_turns(
        {"alone": lambda: seconds_of(alone), "traced": lambda: seconds_of(traced)},
        bench.options.repeats,
    )
    best = {name: min(values) for name, values in seconds.items()}
    return Measure(
        f"replay, {type(module).__name__}, T={n_steps}",
        best["traced"] / best["alone"],
        "x",
        f"{n_rows:,} sequences: {best['traced']:.2f} s with a prediction after every step, the "
        f"network alone {best['alone']:.2f} s",
        at_most(factor),
        seconds,
    )
