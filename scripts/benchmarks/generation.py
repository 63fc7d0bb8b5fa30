"""Guided generation: judged candidates per second."""

from functools import partial

import torch
from benchmarks.measure import Measure, at_least, in_turns, seconds_of
from benchmarks.workbench import Analysed, Workbench
from hydra.utils import instantiate

from rnnrepair.influence import Influence, step_distance
from rnnrepair.network import evaluating
from rnnrepair.repair import GuidedRepair, RepairContext, trace_inputs
from rnnrepair.traces import Traces


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
            f"{judged:,} candidates for {len(context.influence)} failures in {best:.2f} s",
            at_least(500),
            seconds,
        )
    ]


def make_context(bench: Workbench, analysed: Analysed, n_failures: int) -> RepairContext:
    """Return what a repair of the first failures would be given."""
    kept = torch.arange(min(n_failures, len(analysed.influence)))
    whole = analysed.influence
    influence = Influence(
        whole.failures.select(kept),
        whole.nearest[kept],
        whole.nearest_distance[kept],
        whole.sources[kept],
        whole.source_distance[kept],
    )
    trace = partial(trace_inputs, bench.model.trace, analysed.model, device=torch.device("cpu"))

    def judge(inputs: torch.Tensor, lengths: torch.Tensor) -> Traces:
        with evaluating(bench.model):
            return trace(inputs, lengths)

    return RepairContext(
        influence=influence,
        originals=bench.train_index,
        original_label=analysed.abstraction.traces["fit"].label,
        original_correct=analysed.abstraction.traces["fit"].correct,
        fetch=bench.datamodule.fetch,
        judge=judge,
        distance=step_distance(analysed.model, "aligned"),
        edits=instantiate(bench.cfg.edits[bench.cfg.repair.edit], _convert_="all"),
        seed=bench.cfg.seed,
    )
