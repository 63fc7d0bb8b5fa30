"""Influence end to end against exact gradients: our own TracIn and captum's."""

import importlib.util
import time

import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from benchmarks.measure import Measure, at_least, in_turns, seconds_of
from benchmarks.workbench import Workbench
from rnnrepair.influence import LossGradients, Parts

# Largest difference between captum's scores and ours, relative to the largest score.
TOLERANCE = 1e-3


def measure(bench: Workbench) -> list[Measure]:
    """Compare the whole analysis with exact TracIn over all parameters."""
    queries = bench.datamodule.fetch(bench.failures)
    gradients = LossGradients(Parts.of(bench.model))
    seconds = in_turns(
        {
            "traces": lambda: bench.analyse().total_s,
            "tracin": lambda: seconds_of(
                lambda: gradients.products(bench.batches(bench.train_index), queries)
            ),
        },
        bench.options.repeats,
    )
    ours, exact = min(seconds["traces"]), min(seconds["tracin"])
    size = f"{bench.n_train:,} x {len(bench.failures)}"
    rows = [
        Measure(
            "influence end to end",
            exact / ours,
            "x",
            f"{ours:.2f} s for {size}, exact TracIn {exact:.1f} s",
            at_least(4),
            seconds,
        )
    ]
    if bench.options.captum_samples and importlib.util.find_spec("captum"):
        rows.append(_captum(bench, ours, size))
    return rows


def _captum(bench: Workbench, ours: float, size: str) -> Measure:
    """Time captum on a few samples; its loop over samples makes it linear in them."""
    n = min(bench.options.captum_samples, bench.n_train)
    queries = bench.failures[: bench.options.captum_queries]
    scores, taken = captum_scores(bench, bench.train_index[:n], queries)
    gradients = LossGradients(Parts.of(bench.model))
    expected = gradients.products(
        bench.batches(bench.train_index[:n]), bench.datamodule.fetch(queries)
    )
    difference = float((scores - expected).abs().max() / expected.abs().max())
    per_gradient = taken / (n + len(queries))
    scaled = per_gradient * (bench.n_train + len(bench.failures))
    return Measure(
        "influence end to end, captum",
        scaled / ours,
        "x",
        f"EXTRAPOLATED: captum TracInCP {taken:.1f} s for {n} x {len(queries)}, linear in the "
        f"gradients: {scaled:,.0f} s for {size}; its scores "
        + ("equal ours" if difference < TOLERANCE else f"DIFFER from TracIn by {difference:.2g}"),
        raw={"captum_s": taken, "samples": n, "queries": len(queries), "difference": difference},
    )


class InputsToLogits(nn.Module):
    """What other libraries want: a module from inputs to logits."""

    def __init__(self, rnn: nn.Module, head: nn.Module) -> None:
        """Take the parts of a network."""
        super().__init__()
        self.rnn = rnn
        self.head = head

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the (B, C) logits of (B, T, F) inputs."""
        return self.head(self.rnn(inputs)[0][:, -1])


def captum_scores(bench: Workbench, train: Tensor, queries: Tensor) -> tuple[Tensor, float]:
    """Return (M, n) scores of captum's TracInCP over all parameters, and its seconds.

    ``sample_wise_grads_per_batch=True`` would be faster, but it leaves the LSTM out silently.
    """
    from captum.influence import TracInCP  # optional dependency

    samples, goal = bench.datamodule.fetch(train), bench.datamodule.fetch(queries)
    tracin = TracInCP(
        InputsToLogits(bench.model.rnn, bench.model.head),
        TensorDataset(samples.inputs, samples.label),
        # Our one checkpoint is the network as it is, with rate 1.
        ["now"],
        lambda _model, _path: 1.0,
        loss_fn=nn.CrossEntropyLoss(reduction="none"),
        batch_size=100,
        sample_wise_grads_per_batch=False,
    )
    start = time.perf_counter()
    scores = tracin.influence((goal.inputs, goal.label))
    return torch.as_tensor(scores).detach(), time.perf_counter() - start
