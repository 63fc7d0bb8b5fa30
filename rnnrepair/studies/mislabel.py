"""Who finds labels that were made wrong on purpose."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated

import pandas as pd
from torch import Tensor

from rnnrepair.errors import ConfigurationError
from rnnrepair.influence import (
    InfluenceMethod,
    OwnScorer,
    Scorer,
    check_method,
    tie_order,
)
from rnnrepair.protocols import KnowsWrongLabels
from rnnrepair.scores import Scored
from rnnrepair.sequences import Changes
from rnnrepair.settings import (
    NOT_EMPTY,
    Count,
    above,
    at_least,
    at_most,
    check_settings,
    one_of,
)
from rnnrepair.studies.finished_run import FinishedRun
from rnnrepair.studies.found_labels import found_labels, most_suspicious_first
from rnnrepair.studies.restored_labels import AT_ONCE, restored_labels
from rnnrepair.studies.study import StudyResult
from rnnrepair.studies.training import Retraining
from rnnrepair.traces import Traces

# Which failures methods that need some are shown.
TARGETS = ("failures", "caused")
# By how much a training on true labels may end below one on wrong labels.
UNSTABLE = 0.05
LookedAt = Annotated[float, above(0), at_most(1)]


class Mislabel:
    """Ranks training samples by every method, and counts the planted labels among the first.

    A method that scores samples by themselves has a row ``itself``; one that scores them for given
    failures has a row ``targets``, by the mean over the same failures for all. *Fitted* are the
    wrong labels that the network has learnt: it predicts them.

    Source: RNNRepair section 4.2, with what docs/method.md 8.8 lists changed.
    """

    name = "mislabel"

    def __init__(
        self,
        methods: Mapping[str, InfluenceMethod],
        n_components: Count = 32,
        targets: Annotated[str, one_of(TARGETS)] = "failures",
        best: Annotated[int, at_least(0)] = 0,
        shares: Annotated[Sequence[LookedAt], NOT_EMPTY] = (0.05, 0.1, 0.15, 0.2, 0.3),
    ) -> None:
        """Choose who looks, and what for.

        Args:
            methods: by name.
            n_components: K.
            targets: ``failures`` of the test split, or those ``caused`` by the wrong labels: the
                network that is trained once more on the true labels gets them right. The latter is
                an oracle, as published.
            best: methods, those with the largest AUC of all wrong labels, by whose order labels are
                put right and the network is trained again; 0 trains nothing.
            shares: of the training samples, which are looked at before.

        Raises:
            SettingsError: a value out of range.
        """
        check_settings(Mislabel, {k: v for k, v in locals().items() if k != "methods"})
        self.methods = dict(methods)
        self.n_components = n_components
        self.targets = targets
        self.best = best
        self.shares = list(shares)

    def check(self, run: FinishedRun) -> None:
        """Refuse data without planted labels, and methods that cannot read the run.

        Raises:
            ConfigurationError: says what to give.
        """
        planted_of(run)
        run.check_sizes([self.n_components], "Mislabel.n_components")
        if run.train is None and (self.best > 0 or self.targets == "caused"):
            raise ConfigurationError(
                f"Mislabel(targets={self.targets!r}, best={self.best}) trains the network again, "
                "and FinishedRun.train is None: give it a Train, as train.py and scripts/study.py "
                "do, or targets='failures', best=0."
            )
        for method in self.methods.values():
            check_method(method, run.network, run.data, run.missing())

    def __call__(self, run: FinishedRun) -> StudyResult:
        """Rank, count and, where asked for, train again."""
        data, wrong = planted_of(run)
        model, traces = run.abstraction(self.n_components)
        fit, test = traces["fit"], traces["test"]
        view = run.training_view(model, traces)
        targets, caution = self._targets(run, data, fit, test)
        kinds = {"all": wrong, "fitted": wrong & fit.correct}
        order = tie_order(fit.index, run.settings.seed)
        rows, ranked = [], {}
        for name, method in run.progress(list(self.methods.items()), "Looking for wrong labels"):
            began = time.perf_counter()
            scorer = method.fit(view)
            fitted = time.perf_counter() - began
            began = time.perf_counter()
            for way, scores in _scores(scorer, targets):
                # Either way needs the fit.
                seconds = fitted + time.perf_counter() - began
                for kind, looked_for in kinds.items():
                    found = found_labels(scores, looked_for, wrong, order)
                    told = {"method": name, "by": way, "flips": kind, **found}
                    rows.append(told | {"seconds": seconds, "seed": run.settings.seed})
                if way == "itself":
                    ranked[name] = fit.index[most_suspicious_first(scores, order)]
                began = time.perf_counter()
        tables = {"mislabel": pd.DataFrame(rows)}
        shown = (len(targets), int((~test.correct).sum()))
        said = [*_conclusion(tables["mislabel"], kinds, len(fit), shown), *caution]
        if self.best > 0 and run.train is not None:
            names = _best(tables["mislabel"], self.best)
            orders = {name: ranked[name] for name in names}
            curve = restored_labels(run, run.train, orders, self.shares, data.true_labels)
            tables["restored"] = curve.assign(seed=run.settings.seed)
            said.append(told_of_restored(curve, len(test)))
        return StudyResult(tables, said)

    def _targets(
        self, run: FinishedRun, data: KnowsWrongLabels, fit: Traces, test: Traces
    ) -> tuple[Traces, list[str]]:
        """Return the failures that methods are shown, and what speaks against the choice."""
        failed = test.select(~test.correct)
        if self.targets == "failures" or run.train is None or len(failed) == 0:
            return failed, []
        true = data.true_labels(fit.index)
        changed = true != fit.label
        truth = Changes(relabelled=fit.index[changed], new_label=true[changed])
        (clean,) = run.train([Retraining(truth, run.settings.seed)])
        said = clean.predict(run.data.fetch(part) for part in test.index.split(AT_ONCE))
        right = said.predicted == said.label
        targets = failed.select(right[~test.correct])
        return targets, _unstable(float(right.double().mean()), test.accuracy, len(test))


def planted_of(run: FinishedRun) -> tuple[KnowsWrongLabels, Tensor]:
    """Return the data, and (N,) bool: training samples whose label was made wrong.

    Raises:
        ConfigurationError: none was.
    """
    data = run.data
    if isinstance(data, KnowsWrongLabels):
        wrong = data.mislabelled(data.indices("fit"))
        if wrong is not None and bool(wrong.any()):
            return data, wrong
    raise ConfigurationError(
        "Mislabel counts labels that were made wrong on purpose, and the fit split has none: give "
        "the data planted labels (planted=PlantedLabels(share=0.1))."
    )


def _scores(scorer: Scorer, targets: Traces) -> Iterator[tuple[str, Tensor]]:
    """Yield (N,) scores and how they come about, each computed when it is asked for."""
    yield "itself", scorer.own()
    # Who knows samples by themselves alone knows no more of them for a failure.
    if len(targets) and not isinstance(scorer, OwnScorer):
        yield "targets", scorer.group_scores(targets)


def _best(table: pd.DataFrame, n: int) -> list[str]:
    """Return the methods with the largest AUC of all wrong labels."""
    own = table[(table["flips"] == "all") & (table["by"] == "itself")]
    names: list[str] = own.nlargest(n, "auc")["method"].tolist()
    return names


def _conclusion(
    table: pd.DataFrame, kinds: Mapping[str, Tensor], n_samples: int, shown: tuple[int, int]
) -> list[str]:
    n_wrong, n_fitted = (int(kind.sum()) for kind in kinds.values())
    n_targets, n_failures = shown
    none = "" if n_targets else ", so no row is by targets"
    said = [
        f"{n_wrong} of {n_samples} training labels are wrong, and the network has learnt "
        f"{n_fitted} of them. Methods that need failures are shown {n_targets} of the {n_failures} "
        f"on the test split{none}."
    ]
    for kind in kinds:
        own = table[table["flips"] == kind]
        if own["auc"].notna().any():
            best = own.loc[own["auc"].idxmax()]
            said.append(
                f"Of {kind} wrong labels {best['method']} (by {best['by']}) tells most: AUC "
                f"{best['auc']:.3f}; {best['found_at_rate']:.0%} are among as many as there are "
                "wrong ones."
            )
    return said


def told_of_restored(curve: pd.DataFrame, n: int) -> str:
    """Say what training again on what was found has brought.

    Args:
        curve: see ``restored_labels``.
        n: test samples.
    """
    accuracy = curve.set_index("method")["accuracy"]
    some = curve[~curve["method"].isin(["nothing", "everything"])]
    best = some.loc[some["accuracy"].idxmax()]
    told = (
        f"Trained again on the labels as they are {accuracy['nothing']:.4f} of test is right, on "
        f"the true ones {accuracy['everything']:.4f}; on what {best['method']} finds in the first "
        f"{best['share']:.0%} of the samples {best['accuracy']:.4f}."
    )
    return " ".join([told, *_unstable(accuracy["everything"], accuracy["nothing"], n)])


def _unstable(on_true: float, on_wrong: float, n: int) -> list[str]:
    """Say where training on true labels ends lower than on wrong ones, of n; else nothing."""
    true, wrong = (Scored.share(round(share * n), n) for share in (on_true, on_wrong))
    if not true.is_surely_below(wrong, UNSTABLE):
        return []
    return [
        f"CAUTION: trained again on the true labels {on_true:.4f} of test is right, {on_wrong:.4f} "
        "on the wrong ones. Such a training is not stable, and its figures tell where it happened "
        "to end: lower its rate in the last epochs."
    ]
