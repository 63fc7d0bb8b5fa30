"""SimNN: how much of a network's behaviour is in the features of its abstract traces.

A linear classifier of the features of all steps. The features of a step are a function of its
code, so the logits are a sum of T entries of a table: ``table[t, code] = features[code] @ W[t]``.
Neither pass needs the N x T x (2 + C) matrix, and models that differ in seed or feature set share
every look-up.

Source: RNNRepair, section 4.1; docs/method.md 4.4.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from rnnrepair.seeding import torch_generator
from rnnrepair.traces import Traces, merge_runs

LEARNING_RATE = 0.02
STEPS = 500


class CodeSums:
    """Sums of table entries over the steps of N traces, and the transposed sums.

    Runs of steps that many traces share are added up once (see ``merge_runs``).
    """

    def __init__(self, traces: Traces, n_steps: int) -> None:
        """Prepare the look-ups.

        Args:
            traces: N traces.
            n_steps: T, at least the steps of the longest; shorter traces look up the padding's
                row, which is ``n_codes``.
        """
        code = traces.padded_code(n_steps).long()
        member = code + torch.arange(n_steps) * (traces.n_codes + 1)
        # Only the codes that occur at a step have an entry.
        self.used, member = torch.unique(member, return_inverse=True)
        levels, member = merge_runs(member, len(self.used))
        self._levels = [*levels, _bags_of(member)]
        sizes = [len(self.used), *(len(starts) for _, starts in levels)]
        self._transposed = [
            _transpose(runs, starts, size)
            for (runs, starts), size in zip(self._levels, sizes, strict=True)
        ]

    def __call__(self, table: Tensor) -> Tensor:
        """Return (N, W) sums of the entries (U, W) of each trace."""
        for runs, starts in self._levels:
            table = embedding_bag(runs, table, starts, mode="sum")
        return table

    def transposed(self, gradient: Tensor) -> Tensor:
        """Return (U, W): for every entry, the sum of the rows (N, W) of the traces that use it."""
        for bags, starts in reversed(self._transposed):
            gradient = embedding_bag(bags, gradient, starts, mode="sum")
        return gradient


def _bags_of(member: Tensor) -> tuple[Tensor, Tensor]:
    starts = torch.arange(len(member), dtype=torch.int32) * member.shape[1]
    return member.flatten().int(), starts


def _transpose(runs: Tensor, starts: Tensor, n_rows: int) -> tuple[Tensor, Tensor]:
    """Return, for every row of the table below, the bags that it is in."""
    sizes = torch.cat([starts, starts.new_tensor([len(runs)])]).diff()
    bag = torch.arange(len(starts), dtype=torch.int32).repeat_interleave(sizes.long())
    order = runs.argsort(stable=True)
    count = torch.bincount(runs.long(), minlength=n_rows)
    return bag[order], (count.cumsum(0) - count).int()


@dataclass(frozen=True)
class SimNN:
    """M linear classifiers of traces, one for every feature table.

    Attributes:
        weight: (M, T, F, C).
        bias: (M, C).
        features: (M, A + 1, F) what each classifier sees of a code; the last row is padding's.
        train_accuracy: (M,) on the training traces, before the last update.
        loss: (M,) mean cross-entropy there.
    """

    weight: Tensor
    bias: Tensor
    features: Tensor
    train_accuracy: Tensor
    loss: Tensor

    def accuracy(self, traces: Traces) -> Tensor:
        """Return (M,) shares of traces whose true label is predicted."""
        sums = CodeSums(traces, self.weight.shape[1])
        logits = _logits(sums, self.weight, self.bias, self.features)
        return (logits.argmax(2) == traces.label[:, None]).double().mean(0)


def fit_simnn(
    traces: Traces,
    features: Tensor,
    seeds: list[int],
    n_steps: int,
    steps: int = STEPS,
    learning_rate: float = LEARNING_RATE,
) -> SimNN:
    """Train one classifier for every feature table and seed, all in one go.

    Full batches, Adam, cross-entropy against the true labels, on the traces that the network
    itself classifies correctly.

    Args:
        traces: of the training sequences.
        features: (M, A + 1, F) feature table of each model, padding last.
        seeds: M seeds of the initial weights.
        n_steps: T, steps of the longest trace that will ever be classified.
        steps: optimizer steps.
        learning_rate: of Adam.
    """
    right = traces.select(traces.correct)
    sums = CodeSums(right, n_steps)
    features = features.float()
    weight, bias = _initial(features, seeds, n_steps, traces.n_classes)
    optimizer = torch.optim.Adam([weight, bias], lr=learning_rate)
    rows = torch.arange(len(right))
    accuracy = loss = torch.empty(0)
    for step in range(steps):
        logits = _logits(sums, weight, bias, features)
        last = step == steps - 1
        if last:
            accuracy = (logits.argmax(2) == right.label[:, None]).double().mean(0)
        probability = _softmax(logits)
        if last:
            true = probability[rows, :, right.label].clamp_min(1e-30)
            loss = -true.log().double().mean(0)
        # The gradient of the mean cross-entropy in the logits.
        probability[rows, :, right.label] -= 1
        probability /= len(right)
        weight.grad = _weight_gradient(sums, probability, features, n_steps)
        bias.grad = probability.sum(0)
        optimizer.step()
    return SimNN(weight, bias, features, accuracy, loss)


def _initial(
    features: Tensor, seeds: list[int], n_steps: int, n_classes: int
) -> tuple[Tensor, Tensor]:
    """Draw weights as ``nn.Linear`` does."""
    width = features.shape[2]
    bound = (n_steps * width) ** -0.5
    drawn = []
    for seed in seeds:
        generator = torch_generator(seed, "simnn")
        count = (n_steps * width + 1) * n_classes
        drawn.append((2 * torch.rand(count, generator=generator) - 1) * bound)
    both = torch.stack(drawn)
    weight = both[:, n_classes:].reshape(len(seeds), n_steps, width, n_classes)
    return weight.clone(), both[:, :n_classes].clone()


def _logits(sums: CodeSums, weight: Tensor, bias: Tensor, features: Tensor) -> Tensor:
    """Return (N, M, C) logits."""
    n_models, _, _, n_classes = weight.shape
    n_codes = features.shape[1]
    step, code = sums.used // n_codes, sums.used % n_codes
    # (M, T, A, C): what a code at a step adds to each logit.
    table = torch.einsum("maf,mtfc->tamc", features, weight)
    entries = table[step, code].reshape(len(sums.used), n_models * n_classes)
    return sums(entries).view(-1, n_models, n_classes).add_(bias)


def _softmax(logits: Tensor) -> Tensor:
    """Softmax over the last axis; torch's own is slow where that is short."""
    exponential = (logits - logits.amax(2, keepdim=True)).exp_()
    return exponential.div_(exponential.sum(2, keepdim=True))


def _weight_gradient(sums: CodeSums, gradient: Tensor, features: Tensor, n_steps: int) -> Tensor:
    """Return the (M, T, F, C) gradient from that of the (N, M, C) logits."""
    n_models, n_classes = gradient.shape[1:]
    n_codes = features.shape[1]
    entries = sums.transposed(gradient.reshape(len(gradient), -1))
    table = entries.new_zeros(n_steps * n_codes, n_models * n_classes)
    table[sums.used] = entries
    table = table.view(n_steps, n_codes, n_models, n_classes)
    return torch.einsum("maf,tamc->mtfc", features, table)
