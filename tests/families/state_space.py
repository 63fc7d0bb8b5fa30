"""Linear recurrences: Mamba (selective), LRU and S5 (diagonal, complex), S4D (by convolution)."""

import math

import torch
from torch import nn, view_as_complex, view_as_real
from torch.nn.functional import gelu, silu, softplus


class Mamba(nn.Module):
    """What is kept, read and written hangs on the input, behind a causal convolution."""

    def __init__(self, width, n_states=4, rank=2):
        super().__init__()
        inner = 2 * width
        self.in_proj, self.out_proj = nn.Linear(width, 2 * inner), nn.Linear(inner, width)
        self.conv1d = nn.Conv1d(inner, inner, 4, groups=inner, padding=3)
        self.x_proj = nn.Linear(inner, rank + 2 * n_states, bias=False)
        self.dt_proj = nn.Linear(rank, inner)
        self.A_log = nn.Parameter(torch.arange(1.0, n_states + 1).log().repeat(inner, 1))
        self.D = nn.Parameter(torch.ones(inner))
        self.split = (rank, n_states, n_states)

    def forward(self, x):
        u, gate = self.in_proj(x).chunk(2, -1)
        u = silu(self.conv1d(u.transpose(1, 2))[..., : x.shape[1]].transpose(1, 2))
        dt, write, read = self.x_proj(u).split(self.split, -1)
        dt = softplus(self.dt_proj(dt))[..., None]
        keep = (-dt * self.A_log.exp()).exp()
        new = dt * write[:, :, None] * u[..., None]
        h, outputs = torch.zeros_like(keep[:, 0]), []
        for t in range(x.shape[1]):
            h = keep[:, t] * h + new[:, t]
            outputs.append((h * read[:, t, None]).sum(-1))
        y = torch.stack(outputs, 1) + self.D * u
        return self.out_proj(y * silu(gate))


class LRU(nn.Module):
    """A diagonal of complex numbers inside the unit circle, step by step."""

    def __init__(self, width, n_states=6):
        super().__init__()
        self.nu_log = nn.Parameter(torch.linspace(-3, -0.5, n_states))
        self.theta_log = nn.Parameter(torch.linspace(-3, 0.5, n_states))
        self.B = nn.Parameter(torch.randn(n_states, width, 2) / (2 * width) ** 0.5)
        self.C = nn.Parameter(torch.randn(width, n_states, 2) / n_states**0.5)
        self.D = nn.Parameter(torch.randn(width))

    def forward(self, x):
        keep = torch.exp(torch.complex(-self.nu_log.exp(), self.theta_log.exp()))
        gain = (1 - keep.abs() ** 2).sqrt()
        new = gain * ((x + 0j) @ view_as_complex(self.B).T)
        h, states = torch.zeros_like(new[:, 0]), []
        for t in range(x.shape[1]):
            h = keep * h + new[:, t]
            states.append(h)
        h = self.remembered(torch.stack(states, 1))
        return (h @ view_as_complex(self.C).T).real + self.D * x

    def remembered(self, h):
        return h


class NamedLRU(LRU):
    """Its states go through a layer that does nothing but have a name."""

    def __init__(self, width):
        super().__init__(width)
        self.states = nn.Identity()

    def remembered(self, h):
        return view_as_complex(self.states(view_as_real(h).flatten(2)).unflatten(2, (-1, 2)))


class ComplexLRU(LRU):
    """So do these, as complex numbers."""

    def __init__(self, width):
        super().__init__(width)
        self.states = nn.Identity()

    def remembered(self, h):
        return self.states(h)


class S5(nn.Module):
    """Many inputs, one diagonal system, made discrete by its own step widths; a parallel scan."""

    def __init__(self, width, n_states=4, both=False):
        super().__init__()
        self.rate = nn.Parameter(torch.full((n_states,), 0.5).log())
        self.turn = nn.Parameter(math.pi * torch.arange(n_states, dtype=torch.float32))
        self.log_step = nn.Parameter(torch.linspace(-3, -1, n_states))
        self.B = nn.Parameter(torch.randn(n_states, width, 2) / width**0.5)
        n_read = (2 if both else 1) * n_states
        self.C = nn.Parameter(torch.randn(width, n_read, 2) / n_states**0.5)
        self.D, self.both = nn.Parameter(torch.randn(width)), both

    def forward(self, u):
        pole, step = torch.complex(-self.rate.exp(), self.turn), self.log_step.exp()
        keep = (pole * step).exp()
        new = (u + 0j) @ ((keep - 1)[:, None] / pole[:, None] * view_as_complex(self.B)).T
        h = scan(keep, new)
        if self.both:
            h = torch.cat([h, scan(keep, new.flip(1)).flip(1)], -1)
        return gelu(2 * (h @ view_as_complex(self.C).T).real + self.D * u)


def scan(keep, new):
    """h_t = keep h_(t-1) + new_t in log2(T) rounds; new (B, T, d)."""
    h, width = new, 1
    while width < new.shape[1]:
        h = torch.cat([h[:, :width], h[:, width:] + keep**width * h[:, :-width]], 1)
        width *= 2
    return h


class S4D(nn.Module):
    """One diagonal system a channel, as one long convolution by the FFT."""

    def __init__(self, width, n_states=4):
        super().__init__()
        self.log_step = nn.Parameter(torch.linspace(-3, -1, width))
        self.rate = nn.Parameter(torch.full((width, n_states), 0.5).log())
        self.turn = nn.Parameter(math.pi * torch.arange(n_states).repeat(width, 1))
        self.C = nn.Parameter(torch.randn(width, n_states, 2))
        self.D, self.mix = nn.Parameter(torch.randn(width)), nn.Linear(width, width)

    def forward(self, u):
        n = u.shape[1]
        pole = torch.complex(-self.rate.exp(), self.turn)
        step = pole * self.log_step.exp()[:, None]
        powers = (step[..., None] * torch.arange(n, device=u.device)).exp()
        read = view_as_complex(self.C) * (step.exp() - 1) / pole
        kernel = 2 * torch.einsum("dn,dnt->td", read, powers).real
        spectrum = torch.fft.rfft(u, 2 * n, 1) * torch.fft.rfft(kernel, 2 * n, 0)
        return self.mix(gelu(torch.fft.irfft(spectrum, 2 * n, 1)[:, :n] + self.D * u))
