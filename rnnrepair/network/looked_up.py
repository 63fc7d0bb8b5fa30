"""Whether a network looks its inputs up, or computes with them."""

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

# Arguments of operations that say which entry of a table is meant.
INDEX = frozenset({"index", "indices"})
# Operations that count or mark entries by their number.
BY_NUMBER = frozenset({"aten::bincount", "aten::one_hot"})
# Operations whose further results are numbers of steps, which the values have no part in.
PACKS = frozenset({"aten::_pack_padded_sequence", "aten::_pad_packed_sequence"})


class FollowedInputs(TorchDispatchMode):
    """Follows inputs, and what is made of them, through the operations of its block.

    Comparisons end the trail: a mask of the steps that are not padding says nothing of the words.

    Attributes:
        looked_up: whether one of them was the number of an entry: of an embedding, a one-hot
            vector, a table.
        computed_with: whether one of them became a number that can be multiplied.
    """

    def __init__(self, inputs: Tensor) -> None:
        """Take the whole numbers that are followed."""
        super().__init__()  # type: ignore[no-untyped-call]
        self.looked_up = False
        self.computed_with = False
        # Held, so that no other tensor can come to stand at the same place.
        self._followed = {id(inputs): inputs}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run an operation and note what it takes and returns."""
        result = func(*args, **(kwargs or {}))
        name = func._schema.name
        taken = {
            argument.name: value
            for argument, value in zip(func._schema.arguments, args, strict=False)
        } | (kwargs or {})
        followed = {argument for argument, value in taken.items() if self._has(value)}
        if not followed:
            return result
        if followed & INDEX or name in BY_NUMBER or _marks(name, taken):
            self.looked_up = True
            return result
        returned = [leaf for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
        for tensor in returned[:1] if name in PACKS else returned:
            if tensor.dtype == torch.bool:
                continue
            self._followed[id(tensor)] = tensor
            self.computed_with |= tensor.is_floating_point()
        return result

    def _has(self, value: Any) -> bool:
        return any(self._followed.get(id(leaf)) is leaf for leaf in tree_leaves(value))


def _marks(name: str, taken: dict[str, Any]) -> bool:
    """Return whether numbers are compared with many others, as one-hot vectors can be made."""
    other = taken.get("other")
    return name == "aten::eq" and isinstance(other, Tensor) and other.numel() > 1
