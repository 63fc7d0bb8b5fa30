"""Guided generation: judged candidates per second."""

from functools import partial

import torch
from hydra.utils import instantiate

from benchmarks.measure import Measure, at_least, in_turns, seconds_of
from benchmarks.workbench import Analysed, Workbench
from rnnrepair.influence import Role, TrainingView, find_evidence
from rnnrepair.repair import GuidedRepair, RepairContext, trace_inputs


def measure(bench: Workbench) -> list[Measure]:
    """Time mutation, network, trace, distance and choice of the configured strategy."""
    settings = bench.cfg.repair
    strategy: GuidedRepair = instantiate(settings.strategies.guided, _convert_="all")
    context = make_context(bench, bench.analyse(), bench.options.generation_failures)
    judged = strategy.propose(context, settings.budget).judged
    seconds = in_turns(
        {"propose": lambda: seconds_of(lambda: strategy.propose(context, settings.budget))},
        bench.options.repeats,
    )
    best = min(seconds["propose"])
    return [
        Measure(
            "guided generation",
            judged / best,
            "/s",
            f"{judged:,} candidates for {len(context.evidence)} failures in {best:.2f} s",
            at_least(500),
            seconds,
        )
    ]


def make_context(bench: Workbench, analysed: Analysed, n_failures: int) -> RepairContext:
    """Return what a repair of the first failures would be given."""
    network, model = analysed.network, analysed.model
    fit, failures = (analysed.abstraction.traces[split] for split in ("fit", "repair"))
    view = TrainingView(fit, model, bench.n_train, network, bench.datamodule.fetch)
    scorer = instantiate(bench.cfg.influence.method, _convert_="all").fit(view)
    some = failures.select(torch.arange(min(n_failures, len(failures))))
    evidence = find_evidence(scorer, view, some, (Role.PARENTS,), bench.cfg.influence.top)
    return RepairContext(
        evidence=evidence,
        originals=bench.train_index,
        original_label=fit.label,
        original_correct=fit.correct,
        repair=failures.index,
        fetch=bench.datamodule.fetch,
        judge=partial(trace_inputs, network, model),
        edits=instantiate(bench.cfg.edits[bench.cfg.repair.edit], _convert_="all"),
        seed=bench.cfg.seed,
        state_counts=model.counts,
    )
