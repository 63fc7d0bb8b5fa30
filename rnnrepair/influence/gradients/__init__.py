"""Exact gradients of each sequence's loss, for LSTM, GRU and RNN classifiers."""

from rnnrepair.influence.gradients.loss_gradients import LossGradients
from rnnrepair.influence.gradients.parts import Parts

__all__ = ["LossGradients", "Parts"]
