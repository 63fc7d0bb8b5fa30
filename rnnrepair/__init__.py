"""Find out why a recurrent classifier fails, and repair it while it trains.

Rooms, in the order in which the data flows: ``traces`` (hidden states of every sequence),
``abstraction`` (hidden states to abstract states), ``influence`` (failures to training samples),
``repair`` (training samples to repair samples), ``report`` (what happened, for people).
``rnnrepair.explain`` tells the story of each failure of a network that is trained already.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rnnrepair.explanation import explain as explain

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # Imported when it is first asked for: torch and pandas take seconds.
    if name == "explain":
        from rnnrepair.explanation import explain

        return explain
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
