"""Exact derivatives of each sequence's loss, for LSTM, GRU and RNN classifiers."""

from rnnrepair.influence.gradients.curvature import Curvature
from rnnrepair.influence.gradients.layout import Layout
from rnnrepair.influence.gradients.loss_gradients import LossGradients
from rnnrepair.influence.gradients.parts import Parts

__all__ = ["Curvature", "Layout", "LossGradients", "Parts"]
