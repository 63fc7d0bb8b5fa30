"""Arms that began with another network, such as one that was trained on the true labels."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from rnnrepair.errors import DataError
from rnnrepair.runs.comparison.runs import INTERPOLATED, SUMMARY_METRICS, Answers, Run

# What a run tells of the way from its own unrepaired network.
_OF_THE_START = frozenset(SUMMARY_METRICS) - {"injected", "steps"}


def from_one_start(runs: list[Run], arms: Collection[str], usual: Iterable[Run] = ()) -> list[Run]:
    """Return runs as if all had begun with the unrepaired network of the other arms.

    What counts as repaired or broken by them is then what counts so for the others: items that the
    unrepaired network of the seed gets wrong or right.

    Args:
        runs: of one experiment.
        arms: that began with other networks.
        usual: runs of other arms that are not among these.

    Raises:
        DataError: no such arm, or a seed has no other arm, or one with other test items.
    """
    unknown = sorted(set(arms) - {run.arm for run in runs})
    if unknown:
        known = sorted({run.arm for run in runs})
        raise DataError(f"No run has the arm {', '.join(unknown)}: there are {known}.")
    start = {run.seed: run for run in (*usual, *runs) if run.arm not in arms}
    return [_begun_with(start, run) if run.arm in arms else run for run in runs]


def _begun_with(usual: Mapping[int, Run], run: Run) -> Run:
    if run.seed not in usual:
        raise DataError(
            f"{run.origin}: seed {run.seed} has no arm that began with the usual network, and so "
            f"nothing to compare {run.arm!r} with: add one."
        )
    start = usual[run.seed]
    splits: dict[str, Answers] = {}
    for name, answers in run.splits.items():
        of_start = start.splits.get(name.removeprefix(INTERPOLATED))
        if of_start is None or not answers.same_items(of_start):
            raise DataError(
                f"{run.origin} and {start.origin} have other items or labels in {name}: arms that "
                "begin with another network must be judged by the same test items."
            )
        splits[name] = replace(answers, before=of_start.before)
    unknown = dict.fromkeys(_OF_THE_START, float("nan"))
    return replace(run, base=start.base, splits=splits, values={**run.values, **unknown})
