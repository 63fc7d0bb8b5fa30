"""The parts of a network whose gradients are known exactly: embedding, recurrent layers, head."""

from dataclasses import dataclass

from torch import Tensor, nn

from rnnrepair.errors import ConfigurationError
from rnnrepair.influence.gradients.recurrence import KINDS, names_of_layer


@dataclass(frozen=True)
class Parts:
    """What stands between the inputs and the logits of a classifier.

    Attributes:
        rnn: LSTM, GRU or RNN, one direction, with biases, without projection.
        head: linear, of the last state of the last layer.
        embedding: of tokens; None where inputs are numbers.
    """

    rnn: nn.RNNBase
    head: nn.Linear
    embedding: nn.Embedding | None = None

    def __post_init__(self) -> None:
        """Refuse what gradients are not known of.

        Raises:
            ConfigurationError: another kind of layer or head.
        """
        rnn, head = self.rnn, self.head
        fits = type(rnn) in KINDS and rnn.bias and not rnn.bidirectional and not rnn.proj_size
        if not fits:
            raise ConfigurationError(
                "Exact gradients need an nn.LSTM, nn.GRU or nn.RNN that reads in one direction, "
                f"with bias and without projection, got {rnn}: choose another influence method, "
                "or such a network."
            )
        if not isinstance(head, nn.Linear) or head.bias is None:
            raise ConfigurationError(
                f"Exact gradients need an nn.Linear head with bias, got {head}: choose another "
                "influence method, or such a network."
            )

    @classmethod
    def of(cls, module: nn.Module) -> "Parts":
        """Find the parts of a module; whether they are used as expected is not seen here.

        Raises:
            ConfigurationError: it has parameters in other layers, or not one of each.
        """
        own = {
            name or "itself": part
            for name, part in module.named_modules()
            if next(part.parameters(recurse=False), None) is not None
        }
        of_kind = [
            [part for part in own.values() if isinstance(part, kind)]
            for kind in (nn.RNNBase, nn.Linear, nn.Embedding)
        ]
        recurrent, heads, embeddings = of_kind
        if (len(recurrent), len(heads)) != (1, 1) or len(own) != 2 + min(len(embeddings), 1):
            told = {name: type(part).__name__ for name, part in own.items()}
            raise ConfigurationError(
                "Exact gradients are known of a network of one nn.LSTM, nn.GRU or nn.RNN and one "
                "nn.Linear on its last state, with an nn.Embedding for tokens, and the parameters "
                f"of {type(module).__name__} are those of {told}: choose another influence method."
            )
        return cls(recurrent[0], heads[0], embeddings[0] if embeddings else None)  # type: ignore[arg-type]

    def parameters(self) -> dict[str, Tensor]:
        """Return all parameters: ``embedding.weight``, torch's of the layers, ``head.*``."""
        named: dict[str, Tensor] = {}
        if self.embedding is not None:
            named["embedding.weight"] = self.embedding.weight
        for number in range(self.rnn.num_layers):
            named |= {name: getattr(self.rnn, name) for name in names_of_layer(number)}
        return named | {"head.weight": self.head.weight, "head.bias": self.head.bias}

    def trained(self) -> dict[str, Tensor]:
        """Return the parameters that training changes: those that require gradients.

        Raises:
            ConfigurationError: there is none.
        """
        named = {name: w for name, w in self.parameters().items() if w.requires_grad}
        if not named:
            raise ConfigurationError(
                "No parameter of the network is trained (all have requires_grad=False), so no "
                "training sample moves it: set requires_grad of those that were trained, or choose "
                "another influence method."
            )
        return named

    def names_in(self, module: nn.Module) -> dict[str, str]:
        """Return the name that each of ``parameters`` has in the module that the parts are of."""
        of_module = {id(weight): name for name, weight in module.named_parameters()}
        return {name: of_module[id(weight)] for name, weight in self.parameters().items()}
