"""Ask why a network fails that nobody suspects a cable of: ``python examples/swapped_cable.py``."""

import numpy as np
import torch
from torch import nn

from rnnrepair import explain
from rnnrepair.datamodules import ArrayDataModule

CHANNELS = ("vibration", "current", "heat", "pressure")


def recordings(n, rng):  # of twelve machines; the class is how fast the first channel swings
    speed, machine = rng.integers(4, size=n), rng.integers(12, size=n)
    x = rng.normal(0, 1.2, (n, 40, 4))
    phase = rng.uniform(0, 6, (n, 1))
    x[:, :, 0] = np.sin(np.arange(40) * (0.2 + 0.1 * speed[:, None]) + phase)
    x[:, :, 0] += rng.normal(0, 0.6, (n, 40))
    x[machine == 7] = x[machine == 7][:, :, [2, 1, 0, 3]]  # two cables of machine 7 are swapped
    return x.astype(np.float32), speed, machine


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(4, 32, batch_first=True)
        self.head = nn.Linear(32, 4)

    def forward(self, x):
        return self.head(self.rnn(x)[0].mean(1))


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    torch.manual_seed(0)
    x, y, machine = recordings(1600, rng)
    known = (machine != 7) | (rng.random(1600) < 0.2)  # it is new: few of its recordings are there
    x, y, machine = x[known], y[known], machine[known]
    x_test, y_test, machine_test = recordings(800, rng)
    net = Net()
    adam = torch.optim.Adam(net.parameters(), lr=5e-3)
    for _ in range(15):
        for batch in torch.randperm(len(x)).split(64):
            adam.zero_grad()
            predicted = net(torch.tensor(x)[batch])
            nn.functional.cross_entropy(predicted, torch.tensor(y)[batch]).backward()
            adam.step()
    machines = {"machine": [*machine, *machine_test]}
    told = {"channel_names": CHANNELS, "columns": machines}
    data = ArrayDataModule(x, y, x_test, y_test, repair_share=0, val_share=0, **told)
    failures = explain(net, data)
    print(failures.overview)
    print("\nThe first of them:", failures[0])
