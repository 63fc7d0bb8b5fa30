"""Watches the functions of torch that a module calls while it is looked at."""

from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode

SQUASHING = frozenset(["sigmoid", "sigmoid_", "softmax"])
DRAWING = frozenset(["rand", "randn", "rand_like", "randn_like", "normal", "normal_", "uniform_"])


class Watch(TorchFunctionMode):
    """Notes what functions return, and stills those that draw numbers.

    Attributes:
        squashed: what sigmoids and softmaxes returned since it was last entered.
        drawing: names of functions that drew random numbers; zeros stood in for them.
        dropping: names of dropouts that were on.
    """

    def __init__(self) -> None:
        """Start with nothing seen."""
        super().__init__()
        self.squashed: list[Tensor] = []
        self.drawing: set[str] = set()
        self.dropping: set[str] = set()

    def __enter__(self) -> "Watch":
        """Begin anew with what is squashed."""
        self.squashed = []
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call the function, and look at its name."""
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        output = func(*args, **kwargs)
        if name in SQUASHING and isinstance(output, Tensor):
            self.squashed.append(output)
        if name in DRAWING and isinstance(output, Tensor):
            self.drawing.add(name)
            return output.zero_()
        if "dropout" in name and _is_on(args, kwargs):
            self.dropping.add(name)
        return output


def _is_on(args: Any, kwargs: dict[str, Any]) -> bool:
    """Whether a dropout drops anything: (input, p, training)."""
    p = kwargs.get("p", args[1] if len(args) > 1 else 0.5)
    training = kwargs.get("training", kwargs.get("train", args[2] if len(args) > 2 else True))
    return bool(p) and bool(training)
