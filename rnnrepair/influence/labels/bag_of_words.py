"""What a model says of texts that sees their words, not the order of these."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rnnrepair.influence.inputs import token_bags
from rnnrepair.influence.labels.linear import ridge
from rnnrepair.influence.labels.text_features import idf, tf_idf
from rnnrepair.sequences import offsets_of


@dataclass(frozen=True, eq=False)
class BagOfWords:
    """Ridge regression from tf-idf to indicators of the classes.

    Attributes:
        weight_of_token: (V,) float32, see ``idf``.
        weight: (V, C) of the regression.
        usual: (C,) shares of the classes.
    """

    weight_of_token: np.ndarray
    weight: np.ndarray
    usual: np.ndarray

    @classmethod
    def of(
        cls, token: Tensor, offsets: Tensor, label: Tensor, n_tokens: int, n_classes: int
    ) -> "BagOfWords":
        """Fit the model.

        Args:
            token: (S,) of all N texts.
            offsets: (N + 1,) where texts begin.
            label: (N,) int64.
            n_tokens: V, of any text that it will be asked about.
            n_classes: C.
        """
        counts = token_bags(token, offsets, n_tokens)
        weight_of_token = idf(counts)
        wanted = np.eye(n_classes)[label.numpy()]
        usual = wanted.mean(0)
        weight = ridge(tf_idf(counts, weight_of_token), wanted - usual)
        return cls(weight_of_token, weight, usual)

    def predict(self, texts: list[Tensor]) -> Tensor:
        """Return the (n,) int64 classes of n texts, (T,) tokens each."""
        if not texts:
            return torch.empty(0, dtype=torch.int64)
        offsets = offsets_of(torch.tensor([len(text) for text in texts]))
        counts = token_bags(torch.cat(texts), offsets, len(self.weight_of_token))
        scores = tf_idf(counts, self.weight_of_token) @ self.weight + self.usual
        return torch.from_numpy(scores.argmax(1)).long()
