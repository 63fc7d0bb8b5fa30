"""Convolutional classifier whose activations are traced as if they were hidden states."""

from typing import Annotated

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, cross_entropy
from typing_extensions import override

from rnnrepair.errors import ConfigurationError
from rnnrepair.models.classifier import Classifier, MakeOptimizer, MakeScheduler, NumClasses
from rnnrepair.sequences import RecurrentOutput, SequenceBatch
from rnnrepair.settings import Count, at_least, check_settings, one_of

VIEWS = ("flat", "layers")
# Two convolutions of 3 x 3 with pooling leave nothing of fewer rows or columns.
Side = Annotated[int, at_least(10)]
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
        height: Side = 28,
        width: Side = 28,
        num_classes: NumClasses = 10,
        channels: tuple[Count, Count] = (32, 64),
        hidden_size: Count = 128,
        view: Annotated[str, one_of(VIEWS)] = "flat",
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
            SettingsError: unknown view, or a size out of range.
        """
        check_settings(ImageClassifier, locals())
        super().__init__(num_classes, optimizer, scheduler)
        rows, columns = (((side - 2) // 2 - 2) // 2 for side in (height, width))
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
                f"{tuple(image.shape[2:])}: set height and width."
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
