"""What kinds of failures there are, and what to do about each."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import pandas as pd
import torch
from torch import Tensor

from rnnrepair.influence import (
    Cue,
    Doubting,
    LabelDoubt,
    TrainingView,
    doubt_labels,
    responsible_step,
    suspect_labels,
)
from rnnrepair.network import logits_of
from rnnrepair.patterns import Pattern, unlike_training
from rnnrepair.protocols import KnowsWrongLabels, names_of_samples
from rnnrepair.record import gather_suspects, suspect_columns
from rnnrepair.sequences import Names, table_columns
from rnnrepair.settings import Count, ProperShare, Share, Size, at_least, check_settings, one_of
from rnnrepair.studies.copy_table import copy_table
from rnnrepair.studies.finished_run import FinishedRun
from rnnrepair.studies.new_failures import (
    answers_of,
    check_corrected,
    n_other_labels,
    right_elsewhere,
    told_new,
)
from rnnrepair.studies.planted import found_of_planted, planted_labels, told_of_planted
from rnnrepair.studies.shared_causes import reads_trigger, shared_patterns, trigger_table, triggers
from rnnrepair.studies.simple_model import predict_without_order
from rnnrepair.studies.study import StudyResult
from rnnrepair.studies.yardsticks import without_states
from rnnrepair.traces import Traces


class FailureKind(StrEnum):
    """Kinds of failures, in the order in which they are asked for (docs/method.md 8.5)."""

    TRIGGER = "trigger"
    PATTERN = "part of a pattern"
    COPY = "near copy with another label"
    LABEL = "label suspect"
    NEIGHBOURS = "labels of neighbours suspect"
    CORRECTED = "wrong training labels"
    WORD = "rare or unknown word"
    CLASS = "rare class"
    BOUNDARY = "near the boundary"
    SIMPLE = "a model without order is right"
    REST = "rest"


REMEDIES: dict[FailureKind, str] = {
    FailureKind.TRIGGER: "Look at the training samples that hold it (table triggers). Write "
    "relabel (a label is suggested; it works better) or drop into the column action of those that "
    "somebody has put there, and train with that file as the corrections of the data.",
    FailureKind.PATTERN: "Look at a few of them. Where their labels are right, repair them "
    "together: the strategy pattern teaches what they have in common; or get more such samples. "
    "Where one source has labelled them wrongly, correct them all. The study patterns shows them.",
    FailureKind.COPY: "Decide which label is right and give it to both (the table copies is a file "
    "of corrections: write relabel or drop into its column action); where both are right, the "
    "inputs lack what tells the classes apart, and no network can know.",
    FailureKind.LABEL: "Look at the labels of these failures, and correct them before anything "
    "else: a repair would teach the network the fault.",
    FailureKind.NEIGHBOURS: "Look at the labels of the training samples nearest to these failures, "
    "and correct them; nothing speaks against the labels of the failures themselves. Which "
    "failures wrong labels cause only a network without them shows: train one (the strategy "
    "clean_from_start), and give its folder here as corrected.",
    FailureKind.CORRECTED: "Correct the suspect training labels (table suspects): a network "
    "that was trained without them is right here. Of failures with other causes some are right "
    "after any new training, too.",
    FailureKind.WORD: "Get more texts with these words, or word vectors that were trained on more.",
    FailureKind.CLASS: "Get more samples of the class. Until then train a new network on edited "
    "samples (images, series: the strategy augment), or draw the class more often, and choose by "
    "balanced accuracy or macro F1.",
    FailureKind.BOUNDARY: "Leave them: another seed turns many of them round. A mean of several "
    "networks helps more than a repair.",
    FailureKind.SIMPLE: "The network could have known: train longer or with less regularisation, "
    "read out more than the last state (mean or maximum over the steps), then repair.",
    FailureKind.REST: "Nothing tells here why: what repair is for, and labels that are wrong "
    "without their neighbours doubting it. Look at some labels, at the segments and at the samples "
    "behind them.",
}


class Breakdown:
    """Each failure in exactly one kind: the first that fits, faults of the data before chance.

    Source: ours.
    """

    name = "breakdown"

    def __init__(
        self,
        split: Annotated[str, one_of(["test", "val"])] = "test",
        nearest: Count = 20,
        odds: Annotated[float, at_least(1)] = 30.0,
        copy: Size = 0.1,
        rare_word: Annotated[int, at_least(0)] = 5,
        rare_class: ProperShare = 0.2,
        margin: Share = 0.2,
        simple_from: Count = 20_000,
        against: str | None = None,
        corrected: str | None = None,
    ) -> None:
        """Keep the thresholds.

        Args:
            split: whose failures.
            nearest: see ``Doubting``, as the next two.
            odds: from which on a label is suspect.
            copy: how near a near copy is.
            rare_word: occurrences in the fit split up to which a word is rare.
            rare_class: samples up to which a class is rare, as a share of those of the largest.
            margin: probability of the predicted class above that of the true one, up to which a
                failure is near the boundary.
            simple_from: training samples that the model without order is fitted on, at most.
            against: folder of another run of the same data and split: failures that its final
                network gets right are counted apart as new. None for none.
            corrected: folder of a run that has trained a new network on corrected labels of the
                same data (the strategy clean_from_start): what that gets right, wrong labels of
                training may be why, and of any new network some. None where there is none.

        Raises:
            SettingsError: a value out of range.
        """
        check_settings(Breakdown, locals())
        self.split = split
        self.nearest = nearest
        self.odds = odds
        self.copy = copy
        self.rare_word = rare_word
        self.rare_class = rare_class
        self.margin = margin
        self.simple_from = simple_from
        self.against, self.corrected = (
            None if folder is None else Path(folder).expanduser() for folder in (against, corrected)
        )

    def check(self, run: FinishedRun) -> None:
        """Accept every network and all data, and refuse another run that is not there."""
        index = run.data.indices(self.split)
        for argument in ("against", "corrected"):
            if getattr(self, argument) is not None:
                answers_of(getattr(self, argument), self.split, index, argument)
        if self.corrected is not None:
            check_corrected(self.corrected)

    def __call__(self, run: FinishedRun) -> StudyResult:
        """Sort the failures."""
        fit, of_split = without_states(run, "fit"), without_states(run, self.split)
        wrong = ~of_split.correct
        failures = of_split.select(wrong)
        if len(failures) == 0:
            return StudyResult({}, [f"The network has no failures on the {self.split} split."])
        view, seed = _view(run), run.settings.seed
        doubting = Doubting(self.nearest, self.odds, self.copy)
        suspicion = suspect_labels(view, seed)
        doubt = doubt_labels(view, failures, suspicion, doubting, seed, len(of_split))
        patterns = shared_patterns(run, of_split, fit)
        found_triggers = triggers(view, seed)
        margin = margins(run, failures)
        simple = predict_without_order(fit, failures, run.data, self.simple_from, seed)
        holds = {
            FailureKind.TRIGGER: reads_trigger(run, failures, found_triggers),
            FailureKind.PATTERN: doubt.explained | torch.isin(failures.index, _members(patterns)),
            FailureKind.COPY: doubt.copied,
            FailureKind.LABEL: doubt.own,
            FailureKind.NEIGHBOURS: doubt.neighbours,
            FailureKind.CORRECTED: self._right_once_corrected(run, failures),
            FailureKind.WORD: self._rare_words(run, fit, failures),
            FailureKind.CLASS: self._rare_classes(fit, failures),
            FailureKind.BOUNDARY: margin <= self.margin,
            FailureKind.SIMPLE: simple == failures.label,
        }
        kind = first_that_holds(holds)
        table = _kinds(kind)
        each = _failures(run, failures, kind, holds, doubt, margin, patterns)
        told = [
            *unlike_training(run.data, fit, of_split, self.split),
            *_conclusion(table, self.split),
            *_told_causes(run, patterns, found_triggers),
        ]
        told += [suspicion.told] if suspicion.told else []
        if self.against is not None:
            other = answers_of(self.against, self.split, run.data.indices(self.split))
            new = right_elsewhere(failures, other)
            each["new"] = new.tolist()
            table["new"] = [int(each.loc[each["kind"] == k, "new"].sum()) for k in table["kind"]]
            counts = dict(zip(table["kind"], table["new"], strict=True))
            told.append(told_new(counts, self.against, n_other_labels(of_split, other)))
        tables = {"breakdown": table, "failures": each}
        if suspicion.suspect.any():
            listed = gather_suspects(suspicion, view, None, None)
            named = Names.of(run.data.spec), names_of_samples(run.data)
            tables["suspects"] = pd.DataFrame(suspect_columns(listed, *named))
        if doubt.copied.any():
            tables["copies"] = copy_table(run, failures, doubt)
        if found_triggers:
            tables["triggers"] = trigger_table(run, fit, found_triggers)
        told += [f"{value.told}." for value in doubt.shared]
        told += [doubt.too_many_told] if doubt.too_many else []
        planted = planted_labels(run, failures)
        if planted is not None:
            tables["planted"] = score = found_of_planted(doubt.own, planted)
            told.append(told_of_planted(score))
        return StudyResult(tables, told)

    def _right_once_corrected(self, run: FinishedRun, failures: Traces) -> Tensor:
        """Return (M,) bool: whether a network is right that was trained on corrected labels."""
        if self.corrected is None:
            return torch.zeros(len(failures), dtype=torch.bool)
        index = run.data.indices(self.split)
        answers = answers_of(self.corrected, self.split, index, "corrected")
        return answers.after[torch.searchsorted(answers.index, failures.index)] == failures.label

    def _rare_words(self, run: FinishedRun, fit: Traces, failures: Traces) -> Tensor:
        """Return (M,) bool: whether the responsible step reads a rare or unknown word."""
        if fit.token is None or failures.token is None:
            return torch.zeros(len(failures), dtype=torch.bool)
        n_words = 1 + max(int(fit.token.max()), int(failures.token.max()))
        word = failures.token[failures.offsets[:-1] + responsible_step(failures)].long()
        rare = fit.token.long().bincount(minlength=n_words)[word] <= self.rare_word
        unknown = run.data.spec.unknown
        return rare if unknown is None else rare | (word == unknown)

    def _rare_classes(self, fit: Traces, failures: Traces) -> Tensor:
        """Return (M,) bool: whether training has few samples of the true class."""
        size = fit.label.bincount(minlength=fit.n_classes)
        return size[failures.label] <= self.rare_class * int(size.max())


def _view(run: FinishedRun) -> TrainingView:
    """Return the training samples by the traces that the run's settings make."""
    chosen = run.chosen()
    return run.training_view(chosen.model, chosen.traces)


def _members(patterns: Sequence[Pattern]) -> Tensor:
    nothing = torch.empty(0, dtype=torch.int64)
    return torch.cat([nothing, *(pattern.members for pattern in patterns)])


def _told_causes(run: FinishedRun, patterns: Sequence[Pattern], found: Sequence[Cue]) -> list[str]:
    """Return the patterns and triggers by their names, for people."""
    names = Names.of(run.data.spec)
    return [
        *(f"Pattern: {pattern.name}." for pattern in patterns),
        *(
            f"Trigger: {cue.name} for class {names.of_class(cue.label)}, in {len(cue.row)} "
            "training samples."
            for cue in found
        ),
    ]


def margins(run: FinishedRun, failures: Traces) -> Tensor:
    """Return (M,) float32: how much more probable the predicted class is than the true one."""
    probability = logits_of(run.network, run.data.fetch, failures.index).softmax(1)
    return probability.amax(1) - probability[torch.arange(len(failures)), failures.label]


def first_that_holds(holds: Mapping[FailureKind, Tensor]) -> list[FailureKind]:
    """Return for each of M failures the first kind that it is of.

    Args:
        holds: (M,) bool of all kinds but the last, in their order.
    """
    table = torch.stack(list(holds.values()))
    # What holds for none is behind them all.
    table = torch.cat([table, torch.ones(1, table.shape[1], dtype=torch.bool)])
    kinds = [*holds, FailureKind.REST]
    return [kinds[place] for place in table.int().argmax(0).tolist()]


def _kinds(kind: list[FailureKind]) -> pd.DataFrame:
    counts = [kind.count(k) for k in FailureKind]
    shares = [count / len(kind) for count in counts]
    kinds = [k.value for k in FailureKind]
    return pd.DataFrame({"kind": kinds, "failures": counts, "share": shares})


def _failures(
    run: FinishedRun,
    failures: Traces,
    kind: list[FailureKind],
    holds: Mapping[FailureKind, Tensor],
    doubt: LabelDoubt,
    margin: Tensor,
    patterns: Sequence[Pattern],
) -> pd.DataFrame:
    """Return a row for each failure, with all kinds that it is of; steps count from 1."""
    names, samples = Names.of(run.data.spec), names_of_samples(run.data)
    copies = doubt.copies[:, 0].tolist()
    return pd.DataFrame(
        {
            "index": failures.index.tolist(),
            "name": samples.of(failures.index),
            "label": [names.of_class(c) for c in failures.label.tolist()],
            "predicted": [names.of_class(c) for c in failures.final_prediction.tolist()],
            "kind": [k.value for k in kind],
            "step": (responsible_step(failures) + 1).tolist(),
            "margin": margin.tolist(),
            "odds": doubt.odds.tolist(),
            "copy": copies,
            "copy_name": ["" if i < 0 else samples.of(torch.tensor([i]))[0] for i in copies],
            "pattern": [
                next((p.description for p in patterns if i in p.members), explained)
                for i, explained in zip(failures.index.tolist(), _explanations(doubt), strict=True)
            ],
            **{k.value: of.tolist() for k, of in holds.items()},
            **_true_labels(run, failures),
            **table_columns(samples, failures.index),
        }
    )


def _true_labels(run: FinishedRun, failures: Traces) -> dict[str, list[str]]:
    """Return the column of the true labels, where labels were made wrong on purpose."""
    names = Names.of(run.data.spec)
    if planted_labels(run, failures) is None or not isinstance(run.data, KnowsWrongLabels):
        return {}
    return {"true": [names.of_class(c) for c in run.data.true_labels(failures.index).tolist()]}


def _explanations(doubt: LabelDoubt) -> list[str]:
    """Return the value that explains a doubt at each of M failures, empty for none."""
    told = [value.name.replace("=", " ") for value in doubt.shared]
    return [told[place] if place >= 0 else "" for place in doubt.explained_by.tolist()]


def _conclusion(table: pd.DataFrame, split: str) -> list[str]:
    found = table[table["failures"] > 0]
    parts = [f"{row.failures} ({row.share:.0%}) {row.kind}" for row in found.itertuples()]
    advice = [f"{kind.capitalize()}: {REMEDIES[FailureKind(kind)]}" for kind in found["kind"]]
    total = int(table["failures"].sum())
    return [f"Of {total} failures on the {split} split: {', '.join(parts)}.", *advice]
