"""CfC: what a liquid time-constant network comes to, in closed form."""

import torch
from torch import nn


class CfCCell(nn.Module):
    """One step; returns its state twice, as an output and to go on from."""

    def __init__(self, width):
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(2 * width, 16), nn.Tanh())
        self.ff1, self.ff2, self.time_a, self.time_b = (nn.Linear(16, width) for _ in range(4))

    def forward(self, x, h, elapsed=1.0):
        x = self.backbone(torch.cat([x, h], 1))
        time = (self.time_a(x) * elapsed + self.time_b(x)).sigmoid()
        h = self.ff1(x).tanh() * (1 - time) + time * self.ff2(x).tanh()
        return h, h


class CfC(nn.Module):
    """All steps; returns all states, and the last."""

    def __init__(self, width):
        super().__init__()
        self.cell = CfCCell(width)

    def forward(self, x):
        h, outputs = torch.zeros_like(x[:, 0]), []
        for t in range(x.shape[1]):
            output, h = self.cell(x[:, t], h)
            outputs.append(output)
        return torch.stack(outputs, 1), h
