"""Attention that can be run as a recurrence: RWKV, and linear attention with its normaliser."""

import torch
from torch import nn
from torch.nn.functional import elu


class TimeMixing(nn.Module):
    """RWKV: an average of values that fades, in which the present step has a weight of its own."""

    def __init__(self, width):
        super().__init__()
        self.time_shift = nn.ZeroPad2d((0, 0, 1, -1))
        self.mix = nn.Parameter(torch.rand(3, width))
        self.time_decay, self.time_first = (nn.Parameter(torch.randn(width)) for _ in range(2))
        self.key, self.value, self.receptance, self.output = (
            nn.Linear(width, width, bias=False) for _ in range(4)
        )

    def forward(self, x):
        before = self.time_shift(x)
        k, v, r = (m * x + (1 - m) * before for m in self.mix)
        k, v, fading = self.key(k), self.value(v), -self.time_decay.exp()
        top = torch.full_like(k[:, 0], -torch.inf)
        total = count = torch.zeros_like(top)
        outputs = []
        for t in range(x.shape[1]):
            now, most = self.time_first + k[:, t], torch.maximum(top, self.time_first + k[:, t])
            old, new = (top - most).exp(), (now - most).exp()
            outputs.append((old * total + new * v[:, t]) / (old * count + new))
            most = torch.maximum(top + fading, k[:, t])
            old, new, top = (top + fading - most).exp(), (k[:, t] - most).exp(), most
            total, count = old * total + new * v[:, t], old * count + new
        return self.output(self.receptance(r).sigmoid() * torch.stack(outputs, 1))


class ChannelMixing(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.time_shift = nn.ZeroPad2d((0, 0, 1, -1))
        self.mix = nn.Parameter(torch.rand(2, width))
        self.key, self.value = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.receptance = nn.Linear(width, width)

    def forward(self, x):
        k, r = (m * x + (1 - m) * self.time_shift(x) for m in self.mix)
        return self.receptance(r).sigmoid() * self.value(self.key(k).relu() ** 2)


class RWKV(nn.Module):
    """Both, each behind a norm and beside a residual."""

    def __init__(self, width):
        super().__init__()
        self.ln1, self.ln2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.att, self.ffn = TimeMixing(width), ChannelMixing(width)

    def forward(self, x):
        x = x + self.att(self.ln1(x))
        return x + self.ffn(self.ln2(x))


class LinearAttention(nn.Module):
    """Running sums of keys and values take the place of the softmax over all steps."""

    def __init__(self, width, heads=2):
        super().__init__()
        self.qkv, self.out, self.heads = nn.Linear(width, 3 * width), nn.Linear(width, width), heads

    def forward(self, x):
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).unbind(2)
        q, k = elu(q) + 1, elu(k) + 1
        memory = torch.einsum("bthd,bthe->bthde", k, v).cumsum(1)
        found = torch.einsum("bthd,bthde->bthe", q, memory)
        normaliser = torch.einsum("bthd,bthd->bth", q, k.cumsum(1))
        return self.out((found / normaliser[..., None]).flatten(2))
