"""Reduced states of the sequences of a view, of training samples and of failures alike."""

import torch
from torch import Tensor

from rnnrepair.abstraction import ReducedStates
from rnnrepair.influence.view import TrainingView
from rnnrepair.network import logits_of
from rnnrepair.traces import Traces

# Sequences that the network reads at a time.
AT_A_TIME = 500


def training_states(view: TrainingView) -> ReducedStates:
    """Return the reduced states of the N training samples, in their order.

    The network runs over all of them where the view does not have them.
    """
    return states_of(view, view.traces) if view.states is None else view.states


def states_of(view: TrainingView, traces: Traces) -> ReducedStates:
    """Return the reduced states of some sequences, in their order.

    Args:
        view: of the network that made the traces.
        traces: of sequences with different indices.
    """
    network = view.network
    parts = (view.fetch(part) for part in traces.index.split(AT_A_TIME))
    reduction = view.model.reduction.to(network.device)
    found = ReducedStates.collect(network.steps(parts, reduction), view.model.n_classes)
    # They come in ascending order of index.
    return found.select(torch.searchsorted(found.index, traces.index))


def ends_of(view: TrainingView, traces: Traces) -> Tensor:
    """Return (n, k) float32: the reduced states that some sequences end in, in their order.

    The network runs over all of them, some at a time, where the view does not hold every one.

    Args:
        view: of the network that made the traces.
        traces: of n sequences with different indices.
    """
    if view.ends is not None and view.ends.hold(traces.index):
        return view.ends.at(traces.index)
    rows = torch.arange(len(traces)).split(AT_A_TIME)
    parts = (states_of(view, traces.select(some)) for some in rows)
    return torch.cat([states.vector[states.last_step] for states in parts])


def errors_of(view: TrainingView, traces: Traces) -> Tensor:
    """Return (n, C) float32: probabilities minus the true class, what the loss pulls logits by.

    Args:
        view: of the network.
        traces: of n sequences with different indices.
    """
    error = logits_of(view.network, view.fetch, traces.index).softmax(1)
    error[torch.arange(len(traces)), traces.label] -= 1
    return error
