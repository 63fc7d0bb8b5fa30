"""The abstract automaton: which states a network goes through, and how often."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from rnnrepair.abstraction.stability import confidence
from rnnrepair.errors import ConfigurationError
from rnnrepair.sequences import Names
from rnnrepair.traces import Traces


@dataclass(frozen=True)
class Automaton:
    """States with their step predictions, and the transitions between them.

    Source: student report, figure 2; RNNRepair, definition of the abstract model.

    Attributes:
        transitions: (K + 1, K) int64 counts; row K is the start, before any input.
        predictions: (K, C) int64 step predictions in each state.
        class_names: by class; numbers stand for those that have none.
    """

    transitions: Tensor
    predictions: Tensor
    class_names: Sequence[str] = ()

    @classmethod
    def of(cls, traces: Traces, class_names: Sequence[str] = ()) -> "Automaton":
        """Count the transitions of traces; ``class_names`` stand in what people read."""
        n_states = traces.n_states
        state = traces.state.long()
        before = traces.previous(state, n_states)
        counts = torch.bincount(before * n_states + state, minlength=(n_states + 1) * n_states)
        predictions = torch.bincount(traces.code.long(), minlength=traces.n_codes)
        return cls(
            counts.view(n_states + 1, n_states),
            predictions.view(n_states, traces.n_classes),
            class_names,
        )

    @property
    def n_states(self) -> int:
        """K."""
        return self.transitions.shape[1]

    @property
    def probabilities(self) -> Tensor:
        """(K + 1, K) float64 shares of each row; zero for states that are never left."""
        return self.transitions.double() / self.transitions.sum(1, keepdim=True).clamp_min(1)

    @property
    def visits(self) -> Tensor:
        """(K,) int64 steps in each state."""
        return self.predictions.sum(1)

    @property
    def majority(self) -> Tensor:
        """(K,) int64 most frequent step prediction of each state."""
        return self.predictions.argmax(1)

    def edges(self, at_least: float = 0.0) -> pd.DataFrame:
        """Return the transitions that occur: source (-1: start), target, count, probability.

        Args:
            at_least: least probability.
        """
        source, target = self.transitions.nonzero(as_tuple=True)
        probability = self.probabilities[source, target]
        table = pd.DataFrame(
            {
                "source": torch.where(source == self.n_states, -1, source).numpy(),
                "target": target.numpy(),
                "count": self.transitions[source, target].numpy(),
                "probability": probability.numpy(),
            }
        )
        return table[table["probability"] >= at_least].reset_index(drop=True)

    def states(self) -> pd.DataFrame:
        """Return a row for each state: visits, majority class, stability, confidence by class.

        ``majority_name`` is what the data call the class.

        A state that is never visited has zeros.
        """
        shares, called = confidence(self.predictions), Names(self.class_names).of_class
        by_class = {f"confidence_{c}": column.numpy() for c, column in enumerate(shares.T)}
        return pd.DataFrame(
            {
                "state": range(self.n_states),
                "visits": self.visits.numpy(),
                "majority": self.majority.numpy(),
                "majority_name": [called(c) for c in self.majority.tolist()],
                "stability": shares.amax(1).numpy(),
            }
            | by_class
        )

    def _visited(self) -> pd.DataFrame:
        """Return the states that a step has been in: others have no class."""
        states = self.states()
        return states[states["visits"] > 0]

    def as_dot(self, at_least: float = 0.05) -> str:
        """Return a Graphviz graph of the transitions of at least this probability."""
        lines = ["digraph automaton {", "  rankdir=LR;", '  start [shape=point, label=""];']
        for row in self._visited().itertuples():
            named = json.dumps(str(row.majority_name), ensure_ascii=False)[1:-1]
            label = f"{row.state}\\nclass {named} ({row.stability:.0%})"
            lines.append(f'  q{row.state} [label="{label}"];')
        for edge in self.edges(at_least).itertuples():
            source = "start" if edge.source < 0 else f"q{edge.source}"
            lines.append(f'  {source} -> q{edge.target} [label="{edge.probability:.2f}"];')
        return "\n".join([*lines, "}"]) + "\n"

    def as_mermaid(self, at_least: float = 0.05) -> str:
        """Return a Mermaid state diagram of the transitions of at least this probability."""
        lines = ["stateDiagram-v2"]
        for row in self._visited().itertuples():
            # A colon or a semicolon would end the description, a # begin an entity.
            named = re.sub("[:;#\\n]", lambda sign: f"#{ord(sign[0])};", str(row.majority_name))
            told = f"state {row.state}, class {named}, {row.stability:.0%}"
            lines.append(f"  q{row.state} : {told}")
        for edge in self.edges(at_least).itertuples():
            source = "[*]" if edge.source < 0 else f"q{edge.source}"
            lines.append(f"  {source} --> q{edge.target} : {edge.probability:.2f}")
        return "\n".join(lines) + "\n"

    def as_json(self) -> str:
        """Return states and all transitions."""
        states = self.states().to_dict("records")
        edges = self.edges().to_dict("records")
        return json.dumps({"states": states, "transitions": edges}, indent=1)

    def as_aalpy(self) -> Any:
        """Return a Markov chain of the package aalpy, whose outputs are the majority classes.

        Raises:
            ConfigurationError: the extra ``automata`` is not installed.
        """
        try:
            from aalpy.automata import MarkovChain, McState
        except ImportError as error:
            raise ConfigurationError(
                "Exporting to aalpy needs the package: pip install 'rnnrepair[automata]'."
            ) from error
        majority = self.majority.tolist()
        nodes = [McState(f"q{i}", output=str(c)) for i, c in enumerate(majority)]
        start = McState("start", output="start")
        for edge in self.edges().itertuples():
            source = start if edge.source < 0 else nodes[edge.source]
            source.transitions.append((nodes[edge.target], edge.probability))
        for node in nodes:
            if not node.transitions:  # no sequence goes on from here
                node.transitions.append((node, 1.0))
        return MarkovChain(start, [start, *nodes])
