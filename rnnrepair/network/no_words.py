"""Whole numbers that stand for words in the data, and for themselves in the network."""

from torch import nn

from rnnrepair.errors import ConfigurationError
from rnnrepair.sequences import SequenceBatch


def refuse_numbers_as_words(module: nn.Module, batch: SequenceBatch, *, named: bool) -> None:
    """Refuse tokens that a network cannot have learnt one by one.

    A network of words has an entry for each of them in some weight: a row of an embedding, a column
    of what multiplies a one-hot vector. Where none is that large, it computes with the numbers,
    which are readings: words, edits and near texts would all be nonsense.

    Args:
        module: that reads the batch.
        batch: of the data.
        named: whether somebody has said which words they are.

    Raises:
        ConfigurationError: says how readings are given.
    """
    if named or batch.inputs.is_floating_point():
        return
    largest = int(batch.inputs.max())
    weights = [*module.parameters(), *module.buffers()]
    widest = max((max(weight.shape, default=0) for weight in weights), default=0)
    if widest <= largest:
        raise ConfigurationError(
            f"The inputs are whole numbers up to {largest}, which are read as numbers of words, "
            f"and no weight of {type(module).__name__} has so many entries: it computes with them. "
            "Readings are floats: x.astype(np.float32), x[..., None] where a step is one reading. "
            "If they are words all the same, name them: token_names=[...]."
        )
