"""Draws the abstract automaton of a network, with the path of one sequence, and exports it."""

from typing import Annotated

import pandas as pd
import torch

from rnnrepair.abstraction import Automaton
from rnnrepair.errors import Fault, SettingsError
from rnnrepair.sequences import Names
from rnnrepair.settings import Count, at_least, below, check_settings
from rnnrepair.studies.finished_run import FinishedRun
from rnnrepair.studies.study import StudyResult
from rnnrepair.traces import Traces


class AutomatonStudy:
    """Builds the automaton, draws it with the path of one failure, and exports it."""

    name = "automaton"

    def __init__(
        self,
        n_components: Count = 16,
        at_least: Annotated[float, at_least(0), below(1)] = 0.05,
        sample: int | None = None,
    ) -> None:
        """Choose what is drawn.

        Args:
            n_components: K.
            at_least: least probability of a transition in the exported graphs.
            sample: index of the sequence whose path is drawn; the first failure of the test
                split where None.

        Raises:
            SettingsError: a value out of range.
        """
        check_settings(AutomatonStudy, locals())
        self.n_components = n_components
        self.at_least = at_least
        self.sample = sample

    def check(self, run: FinishedRun) -> None:
        """Refuse a K that cannot be fitted, and a sample that is not there."""
        run.check_sizes([self.n_components], "AutomatonStudy.n_components")
        test = run.data.indices("test")
        if self.sample is not None and not bool((test == self.sample).any()):
            told = f"{self.sample} is no test sample: those are {int(test[0])} .. {int(test[-1])}"
            raise SettingsError("AutomatonStudy", [Fault("sample", told)])

    def __call__(self, run: FinishedRun) -> StudyResult:
        """Count the transitions of the training traces and trace one test sequence."""
        run.check_distinct([self.n_components], "AutomatonStudy.n_components")
        model, traces = run.abstraction(self.n_components)
        names = Names.of(run.data.spec)
        automaton = Automaton.of(traces["fit"], run.data.spec.class_names)
        states = automaton.states()
        # Where a state is drawn: the first two principal components of its mean.
        place = torch.nn.functional.pad(model.mixture.mean, (0, 2))[:, :2]
        states["x"], states["y"] = place[:, 0].numpy(), place[:, 1].numpy()
        path, told = self._path(traces["test"], names)
        edges = automaton.edges()
        return StudyResult(
            {"automaton_states": states, "automaton_transitions": edges, "automaton_path": path},
            [
                f"{int((automaton.visits > 0).sum())} of {automaton.n_states} states are visited, "
                f"{int((edges['source'] >= 0).sum())} of {automaton.n_states**2} transitions "
                "occur.",
                f"The mean stability of the states is {model.stability.mean:.3f}.",
                told,
            ],
            documents={
                "automaton.dot": automaton.as_dot(self.at_least),
                "automaton.mmd": automaton.as_mermaid(self.at_least),
                "automaton.json": automaton.as_json(),
            },
        )

    def _path(self, test: Traces, names: Names) -> tuple[pd.DataFrame, str]:
        if self.sample is None:
            wrong = (~test.correct).nonzero()[:, 0]
            row = int(wrong[0]) if len(wrong) else 0
        else:
            row = int((test.index == self.sample).nonzero()[0])
        one = test.select(torch.tensor([row]))
        path = pd.DataFrame(
            {
                "sample": int(one.index),
                "label": int(one.label),
                "label_name": names.of_class(int(one.label)),
                "step": range(1, int(one.lengths) + 1),
                "state": one.state.numpy(),
                "prediction": one.prediction.numpy(),
                "prediction_name": [names.of_class(c) for c in one.prediction.tolist()],
            }
        )
        return path, (
            f"The path drawn is that of test sample {int(one.index)}: labelled "
            f"{names.of_class(int(one.label))}, predicted "
            f"{names.of_class(int(one.final_prediction))}."
        )
