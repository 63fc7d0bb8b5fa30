"""How many abstract states: what every K costs and what it gives."""

import math
import time
from typing import Annotated, Any

import pandas as pd
import torch

from rnnrepair.abstraction import (
    Mixture,
    ReducedStates,
    Stability,
    confidence,
    count_predictions,
)
from rnnrepair.settings import Counts, at_least, check_settings
from rnnrepair.studies.feature_sets import feature_table
from rnnrepair.studies.finished_run import FinishedRun
from rnnrepair.studies.simnn import fit_simnn
from rnnrepair.studies.study import StudyResult
from rnnrepair.traces import Traces

PAPER_SIZES = tuple(range(1, 80, 3))


class KSweep:
    """Sweep over the number of states; the network runs once, and so does the reduction.

    Source: RNNRepair, RQ1 and appendix A.3.1 (figure 4); docs/method.md 3.5.
    """

    name = "k_sweep"

    def __init__(
        self,
        n_components: Counts = PAPER_SIZES,
        reduction_dims: Counts = (10, 3),
        simnn_seeds: Annotated[int, at_least(0)] = 3,
    ) -> None:
        """Choose what is swept over.

        Args:
            n_components: every K.
            reduction_dims: principal components; the sweep is made for each.
            simnn_seeds: SimNN classifiers for every K, 0 for none.

        Raises:
            SettingsError: a value out of range, or none at all.
        """
        check_settings(KSweep, locals())
        self.n_components = sorted(set(n_components))
        # The widest first: the others are a part of it.
        self.reduction_dims = sorted(set(reduction_dims), reverse=True)
        self.simnn_seeds = simnn_seeds

    def check(self, run: FinishedRun) -> None:
        """Refuse a K that cannot be fitted, and a clustering that takes none."""
        run.check_sizes(self.n_components, "KSweep.n_components")

    def __call__(self, run: FinishedRun) -> StudyResult:
        """Fit a mixture for every K, and measure it."""
        jobs = [(dims, k) for dims in self.reduction_dims for k in self.n_components]
        key = "KSweep.n_components"
        run.check_distinct(self.n_components, key, self.reduction_dims)
        rows = [self._row(run, dims, k) for dims, k in run.progress(jobs, "K sweep")]
        table = pd.DataFrame(rows)
        return StudyResult({"k_sweep": table}, _conclusion(table))

    def _row(self, run: FinishedRun, dims: int, n_components: int) -> dict[str, Any]:
        states = run.states(dims)
        start = time.perf_counter()
        mixture = run.mixture(n_components, dims)
        fitted = time.perf_counter()
        traces, log_likelihood = _assign(mixture, states["fit"], run.n_classes)
        assigned = time.perf_counter()
        val = states["val"].traces(mixture, run.n_classes)
        test = states["test"].traces(mixture, run.n_classes)
        counts = count_predictions(traces.code, n_components, run.n_classes)
        stability = Stability.of(counts)
        row = {
            "dims": dims,
            "K": n_components,
            "bic": mixture.bic_of(log_likelihood, len(states["fit"].vector)),
            "stability": stability.mean,
            "stability_weighted": stability.weighted_mean,
            "stability_min": stability.min,
            # The original counts its artificial state, which is always stable, and becomes NaN
            # where a state is empty (BUG-21).
            "stability_published": (
                math.nan
                if stability.n_empty
                else (1 + n_components * stability.mean) / (n_components + 1)
            ),
            "n_empty": stability.n_empty,
            "converged": mixture.converged,
            "rnn_val": val.accuracy,
            "rnn_test": test.accuracy,
            "faithful_val": faithfulness(val, counts),
            "faithful_test": faithfulness(test, counts),
            "fit_s": fitted - start,
            "assign_s": assigned - fitted,
        }
        if not self.simnn_seeds:
            return row
        start = time.perf_counter()
        table = feature_table(confidence(counts), "RL_ID_CS")
        n_steps = max(int(t.lengths.max()) for t in (traces, val, test))
        simnn = fit_simnn(
            traces,
            table.expand(self.simnn_seeds, -1, -1),
            [run.settings.seed + i for i in range(self.simnn_seeds)],
            n_steps,
        )
        for split, of_split in {"val": val, "test": test}.items():
            accuracy = simnn.accuracy(of_split)
            row[f"simnn_{split}"] = float(accuracy.mean())
            row[f"simnn_{split}_sd"] = float(accuracy.std()) if self.simnn_seeds > 1 else 0.0
        row["simnn_train"] = float(simnn.train_accuracy.mean())
        row["simnn_s"] = time.perf_counter() - start
        return row


def _assign(mixture: Mixture, states: ReducedStates, n_classes: int) -> tuple[Traces, float]:
    """Assign every step and sum its log-likelihood, in one pass."""
    state, log_likelihood = mixture.assign_and_score(states.vector)
    return states.with_states(state, mixture.n_components, n_classes), log_likelihood


def faithfulness(traces: Traces, counts: torch.Tensor) -> float:
    """Return the share of sequences for which the abstract model predicts as the network does.

    The abstract model alone predicts the majority class of the state that a sequence ends in.

    Args:
        traces: sequences.
        counts: (K, C) step predictions of the training traces.
    """
    majority = counts.argmax(1)
    last = traces.state[traces.last_step].long()
    return float((majority[last] == traces.final_prediction).double().mean())


def _conclusion(table: pd.DataFrame) -> list[str]:
    told = []
    for dims, part in table.groupby("dims", sort=False):
        stable = part[part["stability"] >= 0.72]
        first = f"{int(stable['K'].min())}" if len(stable) else "none"
        told.append(f"{dims} components: the smallest K with a mean stability of 0.72 is {first}.")
        if part["bic"].notna().any():
            best = part.loc[part["bic"].idxmin()]
            told.append(f"{dims} components: the criterion is smallest at K = {int(best['K'])}.")
        if "simnn_val" in part:
            top = part.loc[part["simnn_val"].idxmax()]
            told.append(
                f"{dims} components: SimNN is best on val at K = {int(top['K'])}, with "
                f"{top['simnn_test']:.2%} on test (the network itself: {top['rnn_test']:.2%})."
            )
    return told
