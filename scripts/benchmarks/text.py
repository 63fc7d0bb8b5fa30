"""Text: the index of contexts, and batches of like length."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig
from torch.nn.functional import cross_entropy

from benchmarks import naive_contexts
from benchmarks.measure import Measure, at_least, at_most, in_turns
from benchmarks.workbench import Workbench
from rnnrepair.abstraction import abstract, collect, pca_sample
from rnnrepair.datamodules.text import TextDataModule
from rnnrepair.errors import MissingDataError
from rnnrepair.influence import ContextIndex, responsible_segment, responsible_step
from rnnrepair.models import SequenceClassifier
from rnnrepair.network import verified
from rnnrepair.protocols import Split
from rnnrepair.sequences import SequenceBatch
from rnnrepair.traces import Traces

TOP = 20
SPLITS: tuple[Split, ...] = ("fit", "repair", "val", "test")


@dataclass(frozen=True)
class TracedTexts:
    """Traces of a text set under a small network that was trained for a few steps."""

    fit: Traces
    failures: Traces
    confidence: torch.Tensor


def measure(bench: Workbench) -> list[Measure]:
    """Measure on IMDb and SST; without them there is one row that says so."""
    options = bench.options.text
    try:
        imdb, sst = (_data(options[name]) for name in ("imdb", "sst"))
    except MissingDataError as error:
        return [Measure("text", float("nan"), "", f"NOT MEASURED: {error}")]
    torch.manual_seed(bench.cfg.seed)
    return [
        *_index(_traced(imdb, options, options.test_texts), options.failures),
        _against_naive(_traced(sst, options, None), options.naive_failures),
        *_batches(imdb, options),
    ]


def _data(config: DictConfig) -> TextDataModule:
    data: TextDataModule = instantiate(config, _convert_="all")
    data.setup()
    return data


def _model(data: TextDataModule, options: DictConfig, **changes: int) -> SequenceClassifier:
    make = instantiate(options.model, _partial_=True, _convert_="all")
    model: SequenceClassifier = make(**data.model_arguments(), **changes)
    return model


def _train(model: SequenceClassifier, batches: Iterable[SequenceBatch]) -> tuple[float, int]:
    """Train on batches and return seconds and tokens."""
    optimizer = torch.optim.Adam(model.parameters())
    model.train()
    start, tokens = time.perf_counter(), 0
    for batch in batches:
        optimizer.zero_grad()
        hidden = model.hidden_states(batch)
        cross_entropy(model.final_logits(hidden, batch), batch.label).backward()
        optimizer.step()
        tokens += int(batch.lengths.sum())
    return time.perf_counter() - start, tokens


def _traced(data: TextDataModule, options: DictConfig, n_test: int | None) -> TracedTexts:
    """Trace all official training texts, and some of test for their failures."""
    model = _model(data, options, hidden_size=options.small_size)
    _train(model, islice(data.train_dataloader(), options.small_steps))
    train = torch.cat([data.indices(split) for split in SPLITS[:-1]]).sort().values
    test = data.indices("test")[:n_test]
    settings = instantiate(options.abstraction, _convert_="all")
    network = verified(model, data)

    def batches(index: torch.Tensor) -> Iterator[SequenceBatch]:
        ordered = index[data.lengths_of(index).argsort(stable=True)]
        return (data.fetch(part) for part in ordered.split(data.eval_batch_size))

    collected = collect(
        network,
        batches(pca_sample(train, settings)),
        {"fit": batches(train), "test": batches(test)},
        settings.reduction_dims,
    )
    result = abstract(collected, settings, len(train))
    found = result.traces["test"]
    return TracedTexts(result.traces["fit"], found.select(~found.correct), result.model.confidence)


def _index(traced: TracedTexts, n_failures: int) -> list[Measure]:
    failures = traced.failures.select(torch.arange(min(n_failures, len(traced.failures))))
    n_steps = int(traced.fit.offsets[-1])
    start = time.perf_counter()
    index = ContextIndex(traced.fit)
    built = time.perf_counter() - start
    allowed = torch.ones(len(traced.fit), dtype=torch.bool)
    start = time.perf_counter()
    step = responsible_step(failures)
    responsible_segment(failures, traced.confidence)
    index.nearest_and_drawn(failures, step, TOP, allowed, failures.label)
    matched = time.perf_counter() - start
    size = f"{len(traced.fit):,} reviews, {n_steps / 1e6:.1f} M steps"
    return [
        Measure("context index, memory", index.nbytes / n_steps, "B/step", size, at_most(16)),
        Measure("context index, build", built, "s", size, at_most(10)),
        Measure(
            "segments and contexts",
            matched,
            "s",
            f"{len(failures):,} failures, {TOP} contexts and {TOP} drawn each, {size}",
            at_most(5),
        ),
    ]


def _against_naive(traced: TracedTexts, n_naive: int) -> Measure:
    fit, failures = traced.fit, traced.failures
    step = responsible_step(failures)
    allowed = torch.ones(len(fit), dtype=torch.bool)
    index = ContextIndex(fit)
    start = time.perf_counter()
    found = index.nearest(failures, step, TOP, allowed, failures.label)
    ours = (time.perf_counter() - start) / len(failures)
    start = time.perf_counter()
    expected = [
        naive_contexts.longest_runs(fit, failures, m, int(step[m]), int(failures.label[m]))
        for m in range(n_naive)
    ]
    naive = (time.perf_counter() - start) / n_naive
    drawn = index.drawn(failures, step, TOP, allowed, failures.label)
    agrees = all(
        sorted(runs.values(), reverse=True)[:TOP] == found.run[m][found.sample[m] >= 0].tolist()
        and all(
            runs[s] == r
            for contexts in (found, drawn)
            for s, r in zip(contexts.sample[m].tolist(), contexts.run[m].tolist(), strict=True)
            if s >= 0
        )
        for m, runs in enumerate(expected)
    )
    return Measure(
        "contexts / naive strings",
        naive / ours if agrees else 0.0,
        "x",
        f"SST, {len(fit):,} sentences: {ours * 1e3:.2f} ms a failure, naive {naive * 1e3:,.0f} ms; "
        + ("same runs" if agrees else "THE RUNS DIFFER, so the speed counts as 0"),
        at_least(100),
    )


def _batches(data: TextDataModule, options: DictConfig) -> list[Measure]:
    """Compare tokens per second with and without buckets, and of collection with training."""
    tokens: dict[str, int] = {}

    def training(name: str, bucket_batches: int) -> float:
        data.bucket_batches = bucket_batches
        batches = list(islice(data.train_dataloader(), options.steps))
        seconds, tokens[name] = _train(_model(data, options), batches)
        return seconds

    def collecting() -> float:
        model, loader = _model(data, options), data.loader("fit")
        every = len(loader) // options.collected_batches
        batches = list(islice(loader, every // 2, None, every))
        tokens["collecting"] = sum(int(batch.lengths.sum()) for batch in batches)
        start = time.perf_counter()
        for _ in verified(model, data).steps(batches):
            pass
        return time.perf_counter() - start

    seconds = in_turns(
        {
            "bucketed": lambda: training("bucketed", options.bucket_batches),
            "chance": lambda: training("chance", 1),
            "collecting": collecting,
        },
        options.repeats,
    )
    rate = {name: tokens[name] / min(s) for name, s in seconds.items()}
    return [
        Measure(
            "length buckets",
            rate["bucketed"] / rate["chance"],
            "x",
            f"IMDb, training: {rate['bucketed']:,.0f} tokens/s in buckets, {rate['chance']:,.0f} "
            "by chance",
            at_least(1.5),
            seconds,
        ),
        Measure(
            "collection / training epoch",
            rate["bucketed"] / rate["collecting"],
            "x",
            f"IMDb, time a token: collection {rate['collecting']:,.0f} tokens/s",
            at_most(0.5),
            seconds,
        ),
    ]
