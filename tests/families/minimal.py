"""minGRU and minLSTM ("Were RNNs All We Needed?"): gates that read the input alone."""

import torch
from torch import nn
from torch.nn.functional import softplus


def positive(x):
    """The candidate state, above 0, so that it has a logarithm."""
    return torch.where(x >= 0, x + 0.5, x.sigmoid())


def log_positive(x):
    return torch.where(x >= 0, (x.relu() + 0.5).log(), -softplus(-x))


def scan_in_logs(log_keep, log_new):
    """h_t = keep_t h_(t-1) + new_t for all t at once, h_0 = 0; (B, T, d)."""
    kept = log_keep.cumsum(1)
    return (kept + (log_new - kept).logcumsumexp(1)).exp()


class MinGRU(nn.Module):
    """All steps at once, in log space."""

    def __init__(self, width):
        super().__init__()
        self.update, self.candidate = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x):
        gate = self.update(x)
        return scan_in_logs(-softplus(gate), log_positive(self.candidate(x)) - softplus(-gate))


class MinGRUCell(MinGRU):
    """One step; the same weights."""

    def forward(self, x, h):
        z = self.update(x).sigmoid()
        return (1 - z) * h + z * positive(self.candidate(x))


class MinGRULoop(nn.Module):
    """A recurrent layer around the cell, which returns its last state beside all of them."""

    def __init__(self, width):
        super().__init__()
        self.cell = MinGRUCell(width)

    def forward(self, x):
        h, states = torch.zeros_like(x[:, 0]), []
        for t in range(x.shape[1]):
            h = self.cell(x[:, t], h)
            states.append(h)
        return torch.stack(states, 1), h


class MinLSTM(nn.Module):
    """All steps at once; input and forget gate add up to 1."""

    def __init__(self, width):
        super().__init__()
        self.gates, self.candidate = nn.Linear(width, 2 * width), nn.Linear(width, width)

    def forward(self, x):
        forget, enter = self.gates(x).chunk(2, -1)
        odds = softplus(-forget) - softplus(-enter)
        return scan_in_logs(-softplus(odds), log_positive(self.candidate(x)) - softplus(-odds))
