"""Small networks that are trained as one stack against one after another."""

from omegaconf import OmegaConf

from benchmarks.measure import Measure, at_least, in_turns, seconds_of
from benchmarks.workbench import Workbench
from rnnrepair.callbacks.launch.plan import plan_epochs
from rnnrepair.callbacks.launch.retraining import TrainAgain
from rnnrepair.sequences import Changes
from rnnrepair.studies import Retraining


def measure(bench: Workbench) -> list[Measure]:
    """Compare both ways for networks of a few units; each leaves other samples out."""
    options = bench.options.retraining
    cfg = OmegaConf.merge(bench.cfg, {"model": {"hidden_size": options.hidden_size}})
    plan_epochs(cfg, bench.datamodule.steps_per_epoch)  # type: ignore[arg-type]
    train = TrainAgain(cfg, bench.datamodule)  # type: ignore[arg-type]
    fit = bench.datamodule.indices("fit")
    trainings = [
        Retraining(Changes(removed=fit[number :: options.networks]))
        for number in range(options.networks)
    ]
    # One by itself is never stacked.
    alone = trainings[: options.alone]
    seconds = in_turns(
        {
            "stacked": lambda: seconds_of(lambda: train(trainings, epochs=1)) / len(trainings),
            "alone": lambda: (
                seconds_of(lambda: [train([one], epochs=1) for one in alone]) / len(alone)
            ),
        },
        bench.options.repeats,
    )
    stacked, single = min(seconds["stacked"]), min(seconds["alone"])
    return [
        Measure(
            "retraining",
            single / stacked,
            "x",
            f"{options.networks} networks of {options.hidden_size} units as one stack: "
            f"{stacked:.2f} s each and epoch, one after another {single:.2f} s",
            at_least(3),
            seconds,
        )
    ]
