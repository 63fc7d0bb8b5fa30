"""Explain a network that is trained already: ``python examples/explain_trained.py``."""

import torch
from torch import nn

from rnnrepair import explain
from rnnrepair.datamodules import LoadedData, SequenceDataModule, Sequences


class Net(nn.Module):  # as it was trained
    def __init__(self):
        super().__init__()
        self.gru, self.classify = nn.GRU(1, 16, batch_first=True), nn.Linear(16, 2)

    def forward(self, inputs):
        return self.classify(self.gru(inputs)[0][:, -1])


class Arrays(SequenceDataModule):  # what it was trained on: x (2000, 30, 1), y (2000,)
    def load(self):
        x, y = torch.load("x.pt", weights_only=True), torch.load("y.pt", weights_only=True)
        sequences = Sequences.from_padded(x, torch.full((len(x),), x.shape[1]))
        return LoadedData(sequences, y, n_train=1500, source="arrays", kind="series")


if __name__ == "__main__":
    net = Net()
    net.load_state_dict(torch.load("net.pt", weights_only=True))
    data = Arrays(num_classes=2, repair_share=0, val_share=0)  # nothing is set aside for a repair
    failures = explain(net, data, keep_in="explain")
    print(failures)
    failures.to_dataframe().to_csv("failures.csv")
