"""A backdoor: does the attack work, who finds the poison, and what repairs the network."""

import time
from collections.abc import Sequence
from typing import Annotated

import pandas as pd
import torch
from torch import Tensor

from rnnrepair.errors import ConfigurationError
from rnnrepair.influence import (
    ActivationClustering,
    BackdoorKeywords,
    Cue,
    FinalLoss,
    InfluenceMethod,
    SegmentCues,
    SpectralSignatures,
    TrainingView,
    check_method,
    tie_order,
)
from rnnrepair.protocols import KnowsPoison
from rnnrepair.seeding import torch_generator
from rnnrepair.sequences import Changes, Names, Poison
from rnnrepair.settings import Count, Counts, at_least, check_settings, one_of
from rnnrepair.studies.attack import Attacks, answers, choose_attacks
from rnnrepair.studies.attack_outcome import fixed_share, measured, trained
from rnnrepair.studies.backdoor_tables import (
    attack_table,
    cue_table,
    told_attack,
    told_cue,
    told_found,
    told_repairs,
)
from rnnrepair.studies.finished_run import FinishedRun
from rnnrepair.studies.found_labels import found_labels, most_suspicious_first
from rnnrepair.studies.poison_repair import REPAIRS, repair_of
from rnnrepair.studies.published_fix import removal_sets
from rnnrepair.studies.study import StudyResult
from rnnrepair.traces import Traces

# Cues that are told.
TOLD = 10
# Samples of a split that the network reads at a time.
Many = Annotated[int, at_least(0)]
# How a repair is trained.
GOING_ON, ANEW = "going on", "anew"


class Backdoor:
    """Attacks a network through a backdoor, looks for the poison, and repairs.

    The attack knows the trigger; who looks for the poison does not, and repairs what the best cue
    names (``SegmentCues``). Every repair is judged by the network that was trained with it, beside
    one that removes as many samples at random, and one that removes all poison, which knows it.

    Source: RNNRepair appendix B.5; the search and the repairs but removal are ours.
    """

    name = "backdoor"

    def __init__(
        self,
        n_components: Count = 37,
        samples: Count = 100,
        places: Count = 5,
        found_in: Counts = (50, 100),
        repairs: Sequence[Annotated[str, one_of(REPAIRS)]] = REPAIRS,
        epochs: Count = 5,
        anew: bool = True,
        fixes: Many = 0,
        methods: Sequence[InfluenceMethod] | None = None,
    ) -> None:
        """Keep the settings.

        Args:
            n_components: K.
            samples: test samples that are attacked.
            places: random places of each, besides the guided one.
            found_in: how many of the most suspicious samples are looked at.
            repairs: see ``repair_of``; none trains nothing.
            epochs: how long training goes on with a repair.
            anew: train with every repair from the start, too.
            fixes: removal sets of the published repair that are trained, see ``removal_sets``.
            methods: that look for the poison; ours and four of the field where None.

        Raises:
            SettingsError: a value out of range.
        """
        check_settings(Backdoor, locals())
        self.n_components = n_components
        self.samples = samples
        self.places = places
        self.found_in = found_in
        self.repairs = list(repairs)
        self.epochs = epochs
        self.anew = anew
        self.fixes = fixes
        chosen = methods or _every_method()
        self.methods = {method.name: method for method in chosen}

    def check(self, run: FinishedRun) -> None:
        """Refuse data without a backdoor, repairs where nobody can train, and unreadable networks.

        Raises:
            ConfigurationError: says what to give.
        """
        poison_of(run)
        run.check_sizes([self.n_components], "Backdoor.n_components")
        if run.train is None and (self.repairs or self.fixes):
            raise ConfigurationError(
                "Backdoor trains repaired networks, and this run knows no way to train: give "
                "FinishedRun(train=...), or repairs=[] and fixes=0 to attack and search alone."
            )
        # Attacks are guided by what steps read, too.
        for method in (SegmentCues(), *self.methods.values()):
            if run.data.spec.kind in method.fits:
                check_method(method, run.network, run.data, run.missing())

    def __call__(self, run: FinishedRun) -> StudyResult:
        """Attack, search, and repair."""
        poison = poison_of(run)
        model, traces = run.abstraction(self.n_components)
        fit, test = traces["fit"], traces["test"]
        seed = run.settings.seed
        attacks = choose_attacks(fit, test, poison, self.samples, self.places, seed)
        if len(attacks.index) == 0:
            return StudyResult(
                {}, ["No test sample could be attacked: none is right, or has room."]
            )
        view = run.training_view(model, traces)
        found, left_out = self._search(view, poison, seed)
        cues = SegmentCues(seed).fit(view).cues(TOLD)
        before = measured(run.network, run, poison, attacks)
        tables = {
            "attack": attack_table(run, poison, attacks),
            "found": found,
            "cues": cue_table(run, cues, poison, fit),
        }
        told = [
            told_attack(attacks, before, poison),
            told_found(found, self.found_in[-1], len(poison.index)),
            told_cue(cues[0], Names.of(run.data.spec)),
            *left_out,
        ]
        if self.repairs:
            tables["repairs"] = self._repair(run, poison, attacks, cues, fit)
            told.append(told_repairs(tables["repairs"]))
        if self.fixes:
            tables["fixes"] = self._fix(run, poison, attacks, fit, test)
        # Rows of several seeds can be put together (scripts/summarize.py).
        return StudyResult({name: t.assign(seed=seed) for name, t in tables.items()}, told)

    def _search(
        self, view: TrainingView, poison: Poison, seed: int
    ) -> tuple[pd.DataFrame, list[str]]:
        """Return how much of the poison each method finds, and which do not fit the data."""
        kind = view.network.spec.kind
        rows, left_out = [], []
        is_poison = torch.isin(view.traces.index, poison.index)
        order = tie_order(view.traces.index, seed)
        for name, method in self.methods.items():
            if kind not in method.fits:
                left_out.append(f"{name} reads {', '.join(sorted(method.fits))} only: left out.")
                continue
            began = time.perf_counter()
            own = method.fit(view).own()
            seconds = time.perf_counter() - began
            ranked = is_poison[most_suspicious_first(own, order)]
            rows.append(
                {
                    "method": name,
                    **{f"found_in_{n}": int(ranked[:n].sum()) for n in self.found_in},
                    **{
                        f"chance_in_{n}": min(n / len(ranked), 1) * len(poison.index)
                        for n in self.found_in
                    },
                    "auc": found_labels(own, is_poison, is_poison, order)["auc"],
                    "seconds": seconds,
                }
            )
        return pd.DataFrame(rows), left_out

    def _repair(
        self, run: FinishedRun, poison: Poison, attacks: Attacks, cues: Sequence[Cue], fit: Traces
    ) -> pd.DataFrame:
        """Train with every repair of what the best cues name, and with the controls."""
        named = of_one_trigger(cues)
        suspects = fit.index[torch.cat([cue.row for cue in named]).unique()]
        batch = run.data.fetch(suspects)
        changes = {"none": Changes()}
        changes |= {way: repair_of(way, batch, named, run.network) for way in self.repairs}
        generator = torch_generator(run.settings.seed, "random removal")
        drawn = torch.randperm(len(fit), generator=generator)[: len(suspects)]
        changes["random removal"] = Changes(removed=fit.index[drawn].sort().values)
        changes["removal of all poison"] = Changes(removed=poison.index)
        networks = {GOING_ON: trained(run, list(changes.values()), self.epochs)}
        if self.anew:
            networks[ANEW] = trained(run, list(changes.values()), None)
        rows = []
        for how, of_changes in networks.items():
            for (name, change), network in zip(changes.items(), of_changes, strict=True):
                n_touched = len(change.removed) + len(change.relabelled)
                rows.append(
                    {
                        "repair": name,
                        "training": how,
                        "samples": n_touched,
                        **measured(network, run, poison, attacks),
                    }
                )
        return pd.DataFrame(rows)

    def _fix(
        self, run: FinishedRun, poison: Poison, attacks: Attacks, fit: Traces, test: Traces
    ) -> pd.DataFrame:
        """Train anew without the removal sets that most attacks share, and with as many at random.

        The controls draw without replacement, of all poison and of all training samples.
        """
        fell = attacks.guided & (answers(run.network, run.data, poison, attacks) == poison.label)
        sets = removal_sets(fit, test, poison, attacks, fell)[: self.fixes]
        generator = torch_generator(run.settings.seed, "fixes")
        removed: list[Tensor] = []
        for each in sets:
            for pool in (poison.index, fit.index):
                drawn = torch.randperm(len(pool), generator=generator)[: len(each.index)]
                removed.append(pool[drawn])
        ours = trained(run, [Changes(removed=each.index) for each in sets], None)
        controls = trained(run, [Changes(removed=index.sort().values) for index in removed], None)
        rows = []
        for number, each in enumerate(sets):
            of_set = {
                "context": ours[number],
                "random poison": controls[2 * number],
                "random samples": controls[2 * number + 1],
            }
            rows += [
                {
                    "removal": name,
                    "samples": len(each.index),
                    "attacks": len(each.attack),
                    "fixed": fixed_share(network, run, poison, attacks, each),
                    "test_accuracy": network.predict(run.data.loader("test")).accuracy,
                }
                for name, network in of_set.items()
            ]
        return pd.DataFrame(rows)


def poison_of(run: FinishedRun) -> Poison:
    """Return what was put into the data.

    Raises:
        ConfigurationError: nothing was, or corrections have left nothing of it.
    """
    poison = run.data.poison if isinstance(run.data, KnowsPoison) else None
    if poison is None:
        raise ConfigurationError(
            "Backdoor needs data with a backdoor, and these have none: give the data module "
            "trigger=PlantedWord(n=50, label=...), PlantedPatch(...) or PlantedSpike(...)."
        )
    if len(poison.index) == 0:
        raise ConfigurationError(
            "Backdoor attacks where the poisoned samples have the trigger, and the corrections of "
            "these data have dropped or relabelled all of them: leave the corrections out."
        )
    return poison


def of_one_trigger(cues: Sequence[Cue]) -> list[Cue]:
    """Return the best cue, and all others for its label that are triggers beyond doubt."""
    first = cues[0]
    return [first, *(cue for cue in cues[1:] if cue.is_trigger and cue.label == first.label)]


def _every_method() -> list[InfluenceMethod]:
    return [
        SegmentCues(),
        SpectralSignatures(),
        ActivationClustering(),
        BackdoorKeywords(),
        FinalLoss(),
    ]
