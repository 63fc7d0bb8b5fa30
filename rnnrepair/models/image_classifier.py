"""Convolutional classifier whose activations are traced as if they were hidden states."""

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, cross_entropy
from typing_extensions import override

from rnnrepair.errors import ConfigurationError
from rnnrepair.models.classifier import Classifier, MakeOptimizer, MakeScheduler
from rnnrepair.sequences import RecurrentOutput, SequenceBatch

VIEWS = ("flat", "layers")
# Feature maps are averaged to this many rows and columns where layers are traced in turn.
POOLED = 2


class ImageClassifier(Classifier):
    """Two convolutions and two linear layers; reads the rows of an image as a sequence (B, T, F).

    ``view`` says what a trace is. ``flat``: one step, the flattened output of the convolutions.
    ``layers``: one step for each layer, in blocks of one wide vector so that layers stay apart;
    the step predictions before the last come from linear probes, which learn beside the network
    and do not change it (unless gradients are clipped: the norm is that of both).

    Source: student report, section 5.4; docs/method.md 8.3.
    """

    def __init__(
        self,
        height: int = 28,
        width: int = 28,
        num_classes: int = 10,
        channels: tuple[int, int] = (32, 64),
        hidden_size: int = 128,
        view: str = "flat",
        optimizer: MakeOptimizer | None = None,
        scheduler: MakeScheduler | None = None,
    ) -> None:
        """Build the network.

        Args:
            height: T, rows of the image.
            width: F, pixels of a row.
            num_classes: C.
            channels: of the two convolutions.
            hidden_size: units of the first linear layer.
            view: ``flat`` or ``layers``.
            optimizer: makes the optimizer from the parameters, Adam where None.
            scheduler: makes an epoch-wise learning-rate scheduler, none where None.

        Raises:
            ConfigurationError: unknown view, or an image too small for two convolutions.
        """
        super().__init__(num_classes, optimizer, scheduler)
        if view not in VIEWS:
            raise ConfigurationError(f"model.view must be one of {VIEWS}, got {view!r}.")
        rows, columns = (((side - 2) // 2 - 2) // 2 for side in (height, width))
        if min(rows, columns) < 1:
            raise ConfigurationError(
                f"Images of {height} x {width} are too small for two convolutions of 3 x 3 with "
                "pooling: expected at least 10 x 10 (model.height, model.width)."
            )
        self.save_hyperparameters(ignore=["optimizer", "scheduler"])
        first, second = channels
        self.height, self.width = height, width
        self.view = view
        self.first = _convolution(1, first)
        self.second = _convolution(first, second)
        self.hidden = nn.Sequential(nn.Linear(second * rows * columns, hidden_size), nn.ReLU())
        self.head = nn.Linear(hidden_size, num_classes)
        self.probes = nn.ModuleList(
            nn.Linear(n * POOLED**2, num_classes) for n in (channels if view == "layers" else ())
        )

    def activations(self, batch: SequenceBatch) -> tuple[Tensor, Tensor, Tensor]:
        """Return the outputs of both convolutions and of the first linear layer."""
        image = batch.inputs[:, None]
        if image.shape[2:] != (self.height, self.width):
            raise ConfigurationError(
                f"The network reads images of {self.height} x {self.width}, got "
                f"{tuple(image.shape[2:])}: set model.height and model.width."
            )
        first = self.first(image)
        second = self.second(first)
        return first, second, self.hidden(second.flatten(1))

    @override
    def logits(self, batch: SequenceBatch) -> Tensor:
        return self.head(self.activations(batch)[2])

    @override
    def loss(self, batch: SequenceBatch) -> Tensor:
        first, second, hidden = self.activations(batch)
        loss = cross_entropy(self.head(hidden), batch.label)
        for probe, maps in zip(self.probes, (first, second), strict=False):
            loss = loss + cross_entropy(probe(_pooled(maps.detach())), batch.label)
        return loss

    @override
    def trace(self, batch: SequenceBatch) -> RecurrentOutput:
        first, second, hidden = self.activations(batch)
        logits = self.head(hidden)
        if self.view == "flat":
            states, step_logits = second.flatten(1)[:, None], logits[:, None]
        else:
            layers = [_pooled(first), _pooled(second), hidden]
            states = _in_blocks(layers)
            early = [probe(x) for probe, x in zip(self.probes, layers, strict=False)]
            step_logits = torch.stack([*early, logits], 1)
        lengths = torch.full_like(batch.lengths, states.shape[1])
        return RecurrentOutput(logits, step_logits, states, lengths)


def _convolution(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3), nn.ReLU(), nn.MaxPool2d(2))


def _pooled(maps: Tensor) -> Tensor:
    return adaptive_avg_pool2d(maps, POOLED).flatten(1)


def _in_blocks(layers: list[Tensor]) -> Tensor:
    """Return (B, L, d) states: layer l in its own block of columns, zero elsewhere."""
    widths = [layer.shape[1] for layer in layers]
    states = layers[0].new_zeros(len(layers[0]), len(layers), sum(widths))
    first = 0
    for step, layer in enumerate(layers):
        states[:, step, first : first + widths[step]] = layer
        first += widths[step]
    return states
