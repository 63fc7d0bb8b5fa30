"""The story of each failure of a network that is trained."""

from rnnrepair.explanation.explain import explain
from rnnrepair.explanation.explanation import Explanation
from rnnrepair.explanation.told_failure import ToldFailure

__all__ = ["Explanation", "ToldFailure", "explain"]
