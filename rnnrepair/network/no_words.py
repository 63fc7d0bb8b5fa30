"""Whole numbers that stand for words in the data, and for themselves in the network."""

from rnnrepair.errors import ConfigurationError
from rnnrepair.network.traced import TracedNetwork
from rnnrepair.sequences import SequenceBatch


def refuse_numbers_as_words(network: TracedNetwork, batch: SequenceBatch, *, named: bool) -> None:
    """Refuse tokens that a network computes with.

    A network of words looks them up: in an embedding, as the column of a one-hot vector, in a table
    of any kind. One that makes floats of them instead reads readings: words, edits and near texts
    would all be nonsense.

    Args:
        network: that reads the batch, verified.
        batch: of the data.
        named: whether somebody has said which words they are.

    Raises:
        ConfigurationError: says how readings are given.
    """
    if named or batch.inputs.is_floating_point():
        return
    if network.computes_with_tokens(batch):
        raise ConfigurationError(
            f"The inputs are whole numbers up to {int(batch.inputs.max())}, which are read as "
            f"numbers of words, and {type(network.module).__name__} looks none of them up: it "
            "computes with them. Readings are floats: x.astype(np.float32), x[..., None] where a "
            "step is one reading. If they are words all the same, name them: token_names=[...]."
        )
