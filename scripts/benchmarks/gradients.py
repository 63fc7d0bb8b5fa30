"""Influence by gradients: per-sample gradients against other libraries, and seconds of methods."""

import importlib.util
import time
from dataclasses import replace

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from benchmarks.attribution import InputsToLogits, captum_scores
from benchmarks.measure import Measure, at_least, at_most, in_turns, seconds_of
from benchmarks.workbench import Workbench
from rnnrepair.influence import (
    Curvature,
    KohLiang,
    LossGradients,
    Parts,
    SGDInfluence,
    Step,
    TrainingView,
    Trajectory,
)
from rnnrepair.traces import Traces

# Training sequences of a timed batch of other libraries.
BATCH = 128
# As in the setting of the published comparison: 13,007 digits in batches of 256, 30 epochs.
STEPS, STEP_SIZE = 1530, 256
# Steps that are walked back; a walk is linear in them.
WALKED = 8


def measure(bench: Workbench) -> list[Measure]:
    """Time TracIn of LSTM and GRU, other libraries, and the methods with second derivatives."""
    rows = [_gru_against_lstm(bench)]
    if bench.options.captum_samples and importlib.util.find_spec("captum"):
        rows.append(_captum(bench))
    if importlib.util.find_spec("opacus"):
        rows.append(_opacus(bench))
    return [*rows, _koh_liang(bench), _sgd(bench)]


def _network(kind: type[nn.RNNBase], n_classes: int = 10) -> Parts:
    torch.manual_seed(0)
    return Parts(kind(28, 100, batch_first=True), nn.Linear(100, n_classes))


def _gru_against_lstm(bench: Workbench) -> Measure:
    queries = bench.datamodule.fetch(bench.failures)
    tasks = {}
    for name, kind in (("lstm", nn.LSTM), ("gru", nn.GRU)):
        gradients = LossGradients(_network(kind))

        def task(gradients: LossGradients = gradients) -> float:
            return seconds_of(lambda: gradients.products(bench.batches(bench.train_index), queries))

        tasks[name] = task
    seconds = in_turns(tasks, bench.options.repeats)
    lstm, gru = min(seconds["lstm"]), min(seconds["gru"])
    return Measure(
        "TracIn of a GRU against an LSTM",
        gru / lstm,
        "x",
        f"{gru:.1f} s and {lstm:.1f} s for {bench.n_train:,} x {len(bench.failures)}",
        at_most(1.3),
        seconds,
    )


def _captum(bench: Workbench) -> Measure:
    """Compare seconds a sample: both are linear in samples."""
    n = min(bench.options.captum_samples, bench.n_train)
    some, queries = bench.train_index[:n], bench.failures[: bench.options.captum_queries]
    _, taken = captum_scores(bench, some, queries)
    gradients, goal = LossGradients(Parts.of(bench.model)), bench.datamodule.fetch(queries)
    ours = min(
        seconds_of(lambda: gradients.products(bench.batches(some), goal))
        for _ in range(bench.options.repeats)
    )
    return Measure(
        "TracIn against captum's loop",
        taken / ours,
        "x",
        f"{n} x {len(queries)}: {ours:.3f} s, captum {taken:.1f} s",
        at_least(20),
        {"ours_s": ours, "captum_s": taken},
    )


def _opacus(bench: Workbench) -> Measure:
    from opacus import GradSampleModule  # optional dependency
    from opacus.layers import DPLSTM

    parts = _network(nn.LSTM)
    layer = DPLSTM(28, 100, batch_first=True)
    layer.load_state_dict(parts.rnn.state_dict())
    theirs = GradSampleModule(InputsToLogits(layer, nn.Linear(100, 10)), loss_reduction="sum")
    batch = bench.datamodule.fetch(bench.train_index[:BATCH])
    gradients = LossGradients(parts)

    def opacus() -> None:
        theirs.zero_grad(set_to_none=True)
        cross_entropy(theirs(batch.inputs), batch.label, reduction="sum").backward()

    seconds = in_turns(
        {
            "opacus": lambda: seconds_of(opacus),
            "ours": lambda: seconds_of(lambda: gradients.gradients(batch)),
        },
        bench.options.repeats + 1,
    )
    other, ours = min(seconds["opacus"]), min(seconds["ours"])
    return Measure(
        "gradients of each sample against opacus",
        other / ours,
        "x",
        f"{BATCH} digits: {ours:.3f} s, opacus {other:.3f} s",
        at_least(5),
        seconds,
    )


def _koh_liang(bench: Workbench) -> Measure:
    view, queries = _view(bench)
    scorer = KohLiang(samples=1000).fit(view)
    taken = seconds_of(lambda: scorer.group_scores(queries))
    return Measure(
        "Koh and Liang, one group of failures",
        taken,
        "s",
        f"curvature on 1,000 of {bench.n_train:,}, relative residual {scorer.residual:.2g}",
        raw={"seconds": taken},
    )


def _view(bench: Workbench) -> tuple[TrainingView, Traces]:
    """Return the training data as the analysis sees them, and the failures."""
    analysed = bench.analyse()
    fit = analysed.abstraction.traces["fit"]
    view = TrainingView(
        fit, analysed.model, bench.n_train, analysed.network, bench.datamodule.fetch
    )
    return view, analysed.evidence.failures


def _sgd(bench: Workbench) -> Measure:
    """Time a few steps of a walk; it is linear in them."""
    view, queries = _view(bench)
    parts = Parts.of(bench.model)
    layout = Curvature(parts).layout
    final = layout.flat({name: weight.detach() for name, weight in parts.trained().items()})
    rows = bench.train_index[: WALKED * STEP_SIZE].split(STEP_SIZE)
    steps = [Step(final.clone(), index, 0.1) for index in rows]
    scorer = SGDInfluence().fit(replace(view, trajectory=Trajectory(steps, final)))
    start = time.perf_counter()
    scorer.group_scores(queries)
    scaled = (time.perf_counter() - start) / len(steps) * STEPS
    return Measure(
        "SGD-influence, one group of failures",
        scaled,
        "s",
        f"EXTRAPOLATED from {len(steps)} to {STEPS:,} steps of {STEP_SIZE}",
        at_most(300),
        {"seconds": scaled},
    )
