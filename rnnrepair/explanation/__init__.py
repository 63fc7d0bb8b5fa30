"""The story of each failure of a network that is trained."""

from rnnrepair.explanation.explain import explain
from rnnrepair.explanation.explanation import Explanation

__all__ = ["Explanation", "explain"]
