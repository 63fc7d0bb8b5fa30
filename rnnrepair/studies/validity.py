"""Does influence predict influence? Every method against retraining."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated

import pandas as pd
import torch
from torch import Tensor

from rnnrepair.errors import ConfigurationError, Fault, SettingsError
from rnnrepair.influence import (
    ErrorStates,
    InfluenceMethod,
    InputSimilarity,
    KohLiang,
    RandomInfluence,
    SegmentSimilarity,
    StateSimilarity,
    TraceSimilarity,
    TracIn,
    TrainingView,
    TransitionOverlap,
    check_method,
    tie_order,
)
from rnnrepair.seeding import derive_seed, torch_generator
from rnnrepair.sequences import Changes
from rnnrepair.settings import Count, at_least, check_settings
from rnnrepair.studies.finished_run import FinishedRun
from rnnrepair.studies.study import StudyResult
from rnnrepair.studies.training import Retraining, Train
from rnnrepair.studies.validity_measures import (
    Halves,
    correlations,
    extremes,
    losses,
    overlaps,
)
from rnnrepair.studies.validity_tables import summarised, told
from rnnrepair.traces import Traces

# Networks that exist at the same time: bounds the memory.
AT_A_TIME = 64
# What is taken out of the training data, by the sign of its scores.
DIRECTIONS = {"harmful": True, "helpful": False}


def every_method() -> dict[str, InfluenceMethod]:
    """Return the methods that are compared where none is named, controls first."""
    return {
        "random": RandomInfluence(),
        "label": RandomInfluence(by_label=True),
        "inputs": InputSimilarity(),
        "last_state": StateSimilarity(),
        "similarity": TraceSimilarity(),
        "overlap": TransitionOverlap(),
        "segment": SegmentSimilarity(),
        "error_states": ErrorStates(),
        "error_states_segment": ErrorStates(segment=True),
        "tracin": TracIn(),
        "tracin_cosine": TracIn(cosine=True),
        "koh_liang": KohLiang(samples=1000),
    }


class Validity:
    """Asks of every method whether what it scores does what the scores say.

    Overlap: of the k most harmful training samples of a failure, how many are among those of exact
    TracIn. Linear datamodeling score: networks are trained on random halves of the data; rank
    correlation of the scores summed over a half and the loss of the failure after it. Removal:
    training goes on without the k most harmful, and without the k most helpful samples of a
    failure; how far its loss moves the right way against going on with all of them. Failures come
    from the test split; nothing is repaired or chosen by them.

    Source: Park et al., "TRAK: Attributing Model Behavior at Scale", 2023, for the score; the rest
    is ours.
    """

    name = "validity"

    def __init__(
        self,
        methods: Mapping[str, InfluenceMethod] | None = None,
        against: Sequence[str] = ("random", "inputs"),
        n_components: Count = 43,
        failures: Count = 20,
        top: Count = 20,
        epochs: Count = 2,
        orders: Count = 1,
        compared: Count = 100,
        halves: Annotated[int, at_least(0)] = 32,
        half_epochs: Count | None = None,
    ) -> None:
        """Keep the settings.

        Args:
            methods: by the name that tables call them; ``every_method`` where None.
            against: names of the controls that the others must beat.
            n_components: K.
            failures: whose samples are removed.
            top: k.
            epochs: that training goes on for.
            orders: of the batches in which it does, each from the same weights; what is told is
                the mean over them. More orders tell smaller effects from noise.
            compared: failures of overlap and linear datamodeling score.
            halves: random halves; 0 leaves the score out.
            half_epochs: of a training on a half; those of the run's base where None.

        Raises:
            SettingsError: a value out of range, or a control that is no method.
        """
        check_settings(Validity, {name: v for name, v in locals().items() if name != "methods"})
        self.methods = every_method() if methods is None else dict(methods)
        self.against = list(against)
        self.n_components = n_components
        self.failures = failures
        self.top = top
        self.epochs = epochs
        self.orders = orders
        self.compared = compared
        self.halves = halves
        self.half_epochs = half_epochs
        unknown = sorted(set(self.against) - set(self.methods))
        if unknown:
            said = f"{unknown} are none of the methods {sorted(self.methods)}"
            raise SettingsError("Validity", [Fault("against", said)])

    def check(self, run: FinishedRun) -> None:
        """Refuse a run that cannot be trained again, and methods that cannot read it."""
        _trainer_of(run)
        run.check_sizes([self.n_components], "Validity.n_components")
        n_fit = len(run.data.indices("fit"))
        if 2 * self.top > n_fit:
            said = f"{self.top} is more than half of the {n_fit} training samples: lower it"
            raise SettingsError("Validity", [Fault("top", said)])
        for method in self.methods.values():
            check_method(method, run.network, run.data, run.missing())

    def __call__(self, run: FinishedRun) -> StudyResult:
        """Score, retrain and compare."""
        run.check_distinct([self.n_components], "Validity.n_components")
        train = _trainer_of(run)
        model, traces = run.abstraction(self.n_components)
        fit, test = traces["fit"], traces["test"]
        failures = test.select(~test.correct)
        if len(failures) == 0:
            return StudyResult({}, ["The network has no failures on the test split."])
        failures = failures.select(tie_order(failures.index, run.settings.seed))
        failures = failures.between(0, min(max(self.compared, self.failures), len(failures)))
        view = run.training_view(model, traces)
        halves = self._retrained_on_halves(run, train, fit, failures)
        exact = _exact(run, view, failures)
        order = tie_order(fit.index, run.settings.seed)
        rows: dict[str, list[pd.DataFrame]] = {"overlap": [], "lds": [], "cost": []}
        picked: dict[tuple[str, str], Tensor] = {}
        epoch_s = _seconds_of_an_epoch(run, train)
        for name, method in run.progress(list(self.methods.items()), "Influence"):
            began = time.perf_counter()
            scores = method.fit(view).scores(failures)
            seconds = time.perf_counter() - began
            cost = {"method": name, "seconds": seconds, "epochs": seconds / epoch_s}
            rows["cost"].append(pd.DataFrame([cost]))
            for direction, highest in DIRECTIONS.items():
                some = scores[: self.failures]
                picked[name, direction] = extremes(some, order, self.top, highest=highest)
            if exact is not None:
                tops = [extremes(of, order, self.top) for of in (scores, exact)]
                overlap = overlaps(tops[0], tops[1], fit.label)
                rows["overlap"].append(overlap.assign(method=name, failure=failures.index.tolist()))
            if halves is not None:
                lds = correlations(scores, halves)
                told_of = {"method": name, "failure": failures.index.tolist(), "lds": lds}
                rows["lds"].append(pd.DataFrame(told_of))
        tables = {name: pd.concat(p, ignore_index=True) for name, p in rows.items() if p}
        tables["removal"] = self._removed(run, train, fit, failures, picked)
        tables = {name: table.assign(seed=run.settings.seed) for name, table in tables.items()}
        found = summarised(tables, self.against)
        said = told(found)
        if exact is None:
            said.append("Exact gradients of this network are not known: no overlap is told.")
        return StudyResult(found, said)

    def _retrained_on_halves(
        self, run: FinishedRun, train: Train, fit: Traces, failures: Traces
    ) -> Halves | None:
        """Train on random halves, all from the same initial weights, and look at the failures."""
        if self.halves == 0:
            return None
        generator = torch_generator(run.settings.seed, "halves")
        orders = [torch.randperm(len(fit), generator=generator) for _ in range(self.halves)]
        member = torch.zeros(self.halves, len(fit), dtype=torch.bool)
        for own, order in zip(member, orders, strict=True):
            own[order[: len(fit) // 2]] = True
        seed = run.settings.seed
        trainings = [Retraining(Changes(removed=fit.index[~own]), seed) for own in member]
        parts = list(_parts(trainings))
        loss = [
            losses(network, run.data, failures.index)
            for part in run.progress(parts, "Training on halves")
            for network in train(part, epochs=self.half_epochs)
        ]
        return Halves(member, torch.stack(loss, 1))

    def _removed(
        self,
        run: FinishedRun,
        train: Train,
        fit: Traces,
        failures: Traces,
        picked: Mapping[tuple[str, str], Tensor],
    ) -> pd.DataFrame:
        """Go on without what was picked; a row for each method, failure and direction."""
        index = failures.index[: self.failures]
        cases = [
            (method, direction, number)
            for method, direction in picked
            for number in range(len(index))
        ]
        removed = [Changes(removed=fit.index[picked[m, d][number]]) for m, d, number in cases]
        seed = run.settings.seed
        others = [derive_seed(seed, "order of going on", n) for n in range(1, self.orders)]
        of_orders = [
            self._gone_on(run, train, index, removed, cases, seed) for seed in (seed, *others)
        ]
        kept, without = (torch.stack(loss).mean(0) for loss in zip(*of_orders, strict=True))
        before = losses(run.network, run.data, index)
        return pd.DataFrame(
            [
                {
                    "method": method,
                    "failure": int(index[number]),
                    "direction": direction,
                    "change": float(loss) - float(kept[number]),
                    "loss": float(before[number]),
                    "loss_going_on": float(kept[number]),
                }
                for (method, direction, number), loss in zip(cases, without, strict=True)
            ]
        )

    def _gone_on(
        self,
        run: FinishedRun,
        train: Train,
        index: Tensor,
        removed: Sequence[Changes],
        cases: Sequence[tuple[str, str, int]],
        seed: int,
    ) -> tuple[Tensor, Tensor]:
        """Return (M,) losses of going on with everything, and one for each case without."""
        # With all samples first: what the others are compared with.
        trainings = [Retraining(seed=seed), *(Retraining(changes, seed) for changes in removed)]
        start = _weights(run)
        after: list[Tensor] = []
        for part in run.progress(list(_parts(trainings)), "Going on without some samples"):
            for network in train(part, epochs=self.epochs, start=start):
                # All failures of the first, and one of each other.
                own = index if not after else index[cases[len(after) - 1][2]][None]
                after.append(losses(network, run.data, own))
        return after[0], torch.cat(after[1:])


def _exact(run: FinishedRun, view: TrainingView, failures: Traces) -> Tensor | None:
    """Return (M, N) scores of exact TracIn, None where the network has none."""
    exact = TracIn()
    try:
        check_method(exact, run.network, run.data, run.missing())
    except ConfigurationError:
        return None
    return exact.fit(view).scores(failures)


def _seconds_of_an_epoch(run: FinishedRun, train: Train) -> float:
    began = time.perf_counter()
    train([Retraining(seed=run.settings.seed)], epochs=1, start=_weights(run))
    return time.perf_counter() - began


def _weights(run: FinishedRun) -> dict[str, Tensor]:
    return {name: w.detach().clone() for name, w in run.network.module.state_dict().items()}


def _parts(trainings: Sequence[Retraining]) -> Iterator[Sequence[Retraining]]:
    for first in range(0, len(trainings), AT_A_TIME):
        yield trainings[first : first + AT_A_TIME]


def _trainer_of(run: FinishedRun) -> Train:
    if run.train is None:
        raise ConfigurationError(
            "Validity trains the network again, and FinishedRun.train is None: give it a Train, as "
            "train.py and scripts/study.py do."
        )
    return run.train
