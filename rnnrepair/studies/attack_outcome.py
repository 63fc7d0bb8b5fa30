"""Networks that are trained on changed data, and what an attack does to them."""

from collections.abc import Sequence

from torch import Tensor

from rnnrepair.network import TracedNetwork
from rnnrepair.sequences import Changes, Poison
from rnnrepair.studies.attack import Attacks, answers
from rnnrepair.studies.finished_run import FinishedRun
from rnnrepair.studies.poison_repair import changes_key
from rnnrepair.studies.published_fix import RemovalSet
from rnnrepair.studies.training import Retraining


def trained(
    run: FinishedRun, changes: Sequence[Changes], epochs: int | None
) -> list[TracedNetwork]:
    """Train with changes of the data; equal ones are trained once.

    Args:
        run: can train.
        changes: of its data.
        epochs: how long training goes on from the run's network; None trains anew.
    """
    if run.train is None:
        raise AssertionError("check has refused a run that cannot train")
    once = {changes_key(change): change for change in changes}
    trainings = [Retraining(change, run.settings.seed) for change in once.values()]
    start = None if epochs is None else run.network.module.state_dict()
    networks = run.train(trainings, epochs=epochs, start=start) if trainings else []
    by_key = dict(zip(once, networks, strict=True))
    return [by_key[changes_key(change)] for change in changes]


def measured(
    network: TracedNetwork, run: FinishedRun, poison: Poison, attacks: Attacks
) -> dict[str, float]:
    """Return the shares of attacks that succeed, and the accuracy on clean test samples."""
    fell = answers(network, run.data, poison, attacks) == poison.label
    return {
        "guided": _share(fell[attacks.guided]),
        "random": _share(fell[~attacks.guided]),
        "test_accuracy": network.predict(run.data.loader("test")).accuracy,
    }


def fixed_share(
    network: TracedNetwork, run: FinishedRun, poison: Poison, attacks: Attacks, each: RemovalSet
) -> float:
    """Return the share of a set's attacks that are right again."""
    said = answers(network, run.data, poison, attacks)[each.attack]
    return _share(said == attacks.label[each.attack])


def _share(of: Tensor) -> float:
    return of.double().mean().item()
