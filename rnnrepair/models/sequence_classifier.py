"""Recurrent classifier of feature or token sequences."""

from typing import Annotated

import torch
from torch import Tensor, nn
from typing_extensions import override

from rnnrepair.errors import ConfigurationError
from rnnrepair.models.classifier import Classifier, MakeOptimizer, MakeScheduler, NumClasses
from rnnrepair.sequences import RecurrentOutput, SequenceBatch
from rnnrepair.settings import Count, at_least, below, check_settings, one_of

CELLS: dict[str, type[nn.LSTM | nn.GRU | nn.RNN]] = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}

# Less than all, or nothing could be learnt.
Dropout = Annotated[float, at_least(0), below(1)]

# Token that stands behind the end of a sequence; its vector is not trained.
PADDING = 1


class SequenceClassifier(Classifier):
    """LSTM, GRU or plain RNN whose last hidden state is classified by a linear head.

    Reads features (B, T, F), or, where it has a vocabulary, tokens (B, T) through an embedding.
    """

    def __init__(
        self,
        input_size: Count = 28,
        num_classes: NumClasses = 10,
        cell: Annotated[str, one_of(CELLS)] = "lstm",
        hidden_size: Count = 100,
        num_layers: Count = 1,
        dropout: Dropout = 0.0,
        embedding_dropout: Dropout = 0.0,
        vocabulary_size: Count | None = None,
        vectors: Tensor | None = None,
        optimizer: MakeOptimizer | None = None,
        scheduler: MakeScheduler | None = None,
    ) -> None:
        """Build the network.

        Args:
            input_size: F, features per step, or E, width of the embedding.
            num_classes: C.
            cell: ``lstm``, ``gru`` or ``rnn``.
            hidden_size: d.
            num_layers: stacked layers; the top one is traced.
            dropout: between layers and on the final state.
            embedding_dropout: on the embedded tokens.
            vocabulary_size: V, where inputs are tokens 0 .. V - 1; 1 stands for padding.
            vectors: (V, E) the embedding to start from; gives V and E.
            optimizer: makes the optimizer from the parameters, Adam where None.
            scheduler: makes an epoch-wise learning-rate scheduler, none where None.

        Raises:
            SettingsError: unknown cell, or a size out of range.
        """
        check_settings(SequenceClassifier, locals())
        super().__init__(num_classes, optimizer, scheduler)
        if vectors is not None:
            vocabulary_size, input_size = vectors.shape
        # Factories would make checkpoints that only unpickling could load; the vectors are among
        # the weights.
        self.save_hyperparameters(ignore=["optimizer", "scheduler", "vectors"])
        self.embedding: nn.Embedding | None = None
        if vocabulary_size is not None:
            self.embedding = nn.Embedding(vocabulary_size, input_size, padding_idx=PADDING)
        if self.embedding is not None and vectors is not None:
            self.embedding.weight.data.copy_(vectors)
        self.rnn = CELLS[cell](
            input_size,
            hidden_size,
            num_layers,
            batch_first=True,
            dropout=dropout if num_layers > 1 else 0.0,
        )
        self.dropout = nn.Dropout(dropout)
        self.embedding_dropout = nn.Dropout(embedding_dropout)
        self.head = nn.Linear(hidden_size, num_classes)

    def hidden_states(self, batch: SequenceBatch) -> Tensor:
        """Return (B, T, d) top-layer states; what stands on padding is undefined.

        Padding comes behind the last real step and the recurrence only goes forward, so it reaches
        none. Packing would change no state, and its backward pass takes time quadratic in T on a
        CPU.

        Raises:
            ConfigurationError: the network was not made for such inputs.
        """
        inputs = batch.inputs
        self._check_inputs(inputs)
        if self.embedding is not None:
            inputs = self.embedding_dropout(self.embedding(inputs))
        return self.rnn(inputs)[0]

    def _check_inputs(self, inputs: Tensor) -> None:
        """Refuse inputs that the network was not made for, with what to write."""
        shape, width = tuple(inputs.shape), self.rnn.input_size
        if (self.embedding is None) != inputs.is_floating_point():
            raise ConfigurationError(
                f"The network reads {'features' if self.embedding is None else 'tokens'}, got "
                f"{inputs.dtype}: set vocabulary_size for tokens, and leave it out for features."
            )
        if self.embedding is None and (len(shape) != 3 or shape[2] != width):
            raise ConfigurationError(
                f"The network reads {width} features a step, got inputs of shape {shape}, expected "
                f"(sequences, steps, {width}): set input_size={shape[-1]}."
            )

    def final_logits(self, hidden: Tensor, batch: SequenceBatch) -> Tensor:
        """Return (B, C) logits of the last real step of (B, T, d) states."""
        if batch.is_uniform:
            final = hidden[:, -1]
        else:
            final = hidden[torch.arange(len(hidden), device=hidden.device), batch.lengths - 1]
        return self.head(self.dropout(final))

    @override
    def logits(self, batch: SequenceBatch) -> Tensor:
        return self.final_logits(self.hidden_states(batch), batch)

    @override
    def trace(self, batch: SequenceBatch) -> RecurrentOutput:
        hidden = self.hidden_states(batch)
        return RecurrentOutput(
            self.final_logits(hidden, batch), self.head(hidden), hidden, batch.lengths
        )
