"""sLSTM and mLSTM of xLSTM: exponential gates, kept in range by their running maximum."""

import torch
from torch import nn
from torch.nn.functional import logsigmoid, silu

HEADS = 2


class SLSTM(nn.Module):
    """Scalar memories; each head mixes its own units from step to step."""

    def __init__(self, width):
        super().__init__()
        self.inputs = nn.Linear(width, 4 * width)
        each = width // HEADS
        self.recurrent = nn.Parameter(torch.randn(HEADS, each, 4 * each) / each**0.5)

    def forward(self, x):
        n, n_steps, width = x.shape
        given = self.inputs(x).view(n, n_steps, HEADS, -1)
        h = c = count = x.new_zeros(n, HEADS, width // HEADS)
        top, states = torch.full_like(h, -torch.inf), []
        for t in range(n_steps):
            gates = given[:, t] + torch.einsum("bhd,hdg->bhg", h, self.recurrent)
            new, enter, forget, out = gates.chunk(4, -1)
            kept = logsigmoid(forget) + top
            top = torch.maximum(kept, enter)
            keep, take = (kept - top).exp(), (enter - top).exp()
            c, count = keep * c + take * new.tanh(), keep * count + take
            h = out.sigmoid() * c / count
            states.append(h)
        return torch.stack(states, 1).flatten(2)


class MLSTM(nn.Module):
    """Matrix memories, all steps at once, behind a causal convolution."""

    def __init__(self, width):
        super().__init__()
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(2 * width, width)
        self.conv = nn.Conv1d(2 * width, 2 * width, 4, padding=3, groups=2 * width)
        self.queries, self.keys, self.values = (nn.Linear(2 * width, 2 * width) for _ in "qkv")
        self.gates = nn.Linear(2 * width, 2 * HEADS)
        self.norm = nn.GroupNorm(HEADS, 2 * width)

    def forward(self, x):
        n, n_steps, _ = x.shape
        inner, gate = self.up(x).chunk(2, -1)
        mixed = silu(self.conv(inner.transpose(1, 2))[..., :n_steps].transpose(1, 2))
        q, k = self.heads(self.queries(mixed)), self.heads(self.keys(mixed))
        enter, forget = self.gates(mixed).transpose(1, 2).chunk(2, 1)
        h = self.remembered(q, k, self.heads(self.values(inner)), enter, logsigmoid(forget))
        h = self.norm(h.transpose(1, 2).reshape(n * n_steps, -1)).view_as(inner)
        return self.down(h * silu(gate))

    def heads(self, x):
        return x.unflatten(-1, (HEADS, -1)).transpose(1, 2)

    def remembered(self, q, k, v, enter, log_forget):
        """(B, heads, T, d); step t weighs step s by what the gates have kept of it."""
        n_steps = q.shape[2]
        kept = log_forget.cumsum(-1)
        weight = kept[..., :, None] - kept[..., None, :] + enter[..., None, :]
        later = torch.ones(n_steps, n_steps, dtype=torch.bool, device=q.device).triu(1)
        weight = weight.masked_fill(later, -torch.inf)
        top = weight.amax(-1, keepdim=True)
        scores = (q @ k.transpose(-1, -2)) / q.shape[-1] ** 0.5 * (weight - top).exp()
        return scores @ v / torch.maximum(scores.sum(-1, keepdim=True).abs(), (-top).exp())
