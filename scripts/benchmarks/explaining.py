"""Explaining a trained network's failures, against one pass of it over its training sequences."""

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from hydra.utils import instantiate

from benchmarks.measure import Measure, at_most, in_turns, seconds_of
from benchmarks.workbench import Workbench
from rnnrepair import explain
from rnnrepair.explanation import Explanation
from rnnrepair.network.evaluating import evaluating

N_FAILURES = 100
# Hardly any training digits stand aside: failures are traced back to the split fit alone.
ASIDE = 0.001


def measure(bench: Workbench) -> list[Measure]:
    """Explain failures of the test split, without and with the states of an earlier call."""
    settings = instantiate(bench.cfg.abstraction, _convert_="all")
    data = instantiate(bench.cfg.datamodule, repair_share=ASIDE, val_share=ASIDE, _convert_="all")
    data.setup()
    fit = data.indices("fit")
    found: list[Explanation] = []

    def told(keep_in: Path | None) -> None:
        found.append(
            explain(
                bench.model,
                data,
                at_most=N_FAILURES,
                settings=settings,
                keep_in=keep_in,
            )
        )

    def one_pass() -> None:
        with evaluating(bench.model):
            for batch in bench.batches(fit):
                bench.model(batch)

    with TemporaryDirectory() as folder:
        told(Path(folder))
        seconds = in_turns(
            {
                "pass": lambda: seconds_of(one_pass),
                "explain": lambda: seconds_of(partial(told, None)),
                "again": lambda: seconds_of(partial(told, Path(folder))),
            },
            bench.options.repeats,
        )
    best = {name: min(values) for name, values in seconds.items()}
    of = f"{len(found[-1].failures)} failures against {len(fit):,} training sequences"
    alone = f"a pass of the network over these {best['pass']:.2f} s"
    return [
        Measure(
            "explain",
            best["explain"] / best["pass"],
            "x",
            f"{of}: {best['explain']:.2f} s, abstraction included; {alone}",
            at_most(3),
            seconds,
        ),
        Measure(
            "explain, states on disk",
            best["again"] / best["pass"],
            "x",
            f"{of}: {best['again']:.2f} s; {alone}",
            at_most(3),
        ),
    ]
